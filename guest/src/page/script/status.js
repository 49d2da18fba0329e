// The status of each card. It is "live" only while new pictures reach this browser.

// How far the clock of the server is ahead of performance.now(), in seconds, according to the last events. The largest
// value is the best one, because it belongs to the event with the shortest delay. Old values expire in case a clock is
// set.
const clockOffsets = [];
function recordClock(seconds) {
  clockOffsets.push(seconds - now() / 1000);
  if (clockOffsets.length > 10) clockOffsets.shift();
}

// The age of the picture on the canvas in seconds: at least the time since it arrived.
function ageOf({ captured, received }) {
  const sinceReceived = (now() - received) / 1000;
  return clockOffsets.length ? Math.max(sinceReceived, now() / 1000 + Math.max(...clockOffsets) - captured) : sinceReceived;
}

// The maximum age in seconds of a picture that counts as live.
const maxAgeOf = ({ camera }) => Math.max(2, 2.5 / (camera?.fps || camera?.rate || 30));

function statusOf(card) {
  if (card.drawn && ageOf(card.drawn) <= maxAgeOf(card)) return "live";
  if (card.camera?.state === "lost") return "offline";
  return card.drawn ? "stalled" : "connecting";
}

const STATUS_TEXTS = { live: "live", offline: "no picture", stalled: "stalled", connecting: "connecting" };

function showStatus(card) {
  const { figure, camera } = card;
  const previous = figure.dataset.state, status = statusOf(card);
  if (previous !== status) {
    figure.dataset.state = status;
    if (status === "offline") announce(`${card.label}: no picture`);
    if (previous === "offline" && status === "live") announce(`${card.label}: live again`);
    showSummary();
  }
  setText(find(card, "state"), STATUS_TEXTS[status]);
  setText(find(card, "tag"), status === "stalled" ? `Still, ${formatAge(ageOf(card.drawn))} old` : "");
  setText(find(card, "message"), status === "offline" ? camera.reason ?? "" : status === "connecting" ? "Waiting for a picture" : "");
}

function formatAge(seconds) {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function showSummary() {
  const offline = cards.filter(card => card.figure.dataset.state === "offline").length;
  const outage = !offline ? "" : offline < cards.length ? `, ${offline} without a picture` : `, no picture${offline === 1 ? "" : "s"}`;
  setText(summary, isDisconnected ? "Connection lost, trying again" : plural(cards.length, "camera") + outage);
  summary.classList.toggle("warning", isDisconnected || offline > 0);
  const title = isDisconnected || offline ? "⚠ Hotshoe" : "Hotshoe";
  if (document.title !== title) document.title = title;
}
