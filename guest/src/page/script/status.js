// What a card says of its picture. It says "live" only while new pictures reach this browser.

// How far the server's clock is ahead, in seconds. An event is late by the time that it took, so the largest of the last
// ones is the best; older ones are forgotten, since clocks are set.
const ahead = [];
function hearClock(seconds) {
  ahead.push(seconds - now() / 1000);
  if (ahead.length > 10) ahead.shift();
}

// How long ago the picture on the canvas was captured, in seconds. At least the time since it came.
function ageOf({ captured, received }) {
  const held = (now() - received) / 1000;
  return ahead.length ? Math.max(held, now() / 1000 + Math.max(...ahead) - captured) : held;
}

// How old the picture of a camera that works can be, in seconds.
const patienceOf = ({ camera }) => Math.max(2, 2.5 / (camera?.fps || camera?.rate || 30));

function statusOf(card) {
  if (card.shown && ageOf(card.shown) <= patienceOf(card)) return "live";
  if (card.camera?.state === "lost") return "offline";
  return card.shown ? "stalled" : "connecting";
}

const STATUS_TEXTS = { live: "live", offline: "no picture", stalled: "stalled", connecting: "connecting" };

function showStatus(card) {
  const { figure, camera } = card;
  const was = figure.dataset.state, status = statusOf(card);
  if (was !== status) {
    figure.dataset.state = status;
    if (status === "offline") say(news, `${card.label}: no picture`);
    if (was === "offline" && status === "live") say(news, `${card.label}: the picture is back`);
    summarize();
  }
  say(part(card, "state"), STATUS_TEXTS[status]);
  say(part(card, "tag"), status === "stalled" ? `Still, ${span(ageOf(card.shown))} old` : "");
  say(part(card, "message"), status === "offline" ? camera.reason ?? "" : status === "connecting" ? "Waiting for a picture" : "");
}

function span(seconds) {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function summarize() {
  const out = cards.filter(card => card.figure.dataset.state === "offline").length;
  const without = !out ? "" : out < cards.length ? `, ${out} without a picture` : `, no picture${out === 1 ? "" : "s"}`;
  say(summary, lost ? "Connection lost, trying again" : plural(cards.length, "camera") + without);
  summary.classList.toggle("trouble", lost || out > 0);
  const title = lost || out ? "⚠ Hotshoe" : "Hotshoe";
  if (document.title !== title) document.title = title;
}
