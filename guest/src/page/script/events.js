// What the events say, and what to do when they say nothing.

let source = null, heard = now(), lost = false, returning = 0;

function listen() {
  clearTimeout(returning);
  source?.close();
  heard = now();
  const events = source = new EventSource("events");
  events.addEventListener("state", event => hear(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    lose();
    // Where the answer is no stream of events, the browser gives up.
    if (events.readyState === EventSource.CLOSED) returning = setTimeout(again, 1000);
  });
}

async function again() {
  const reply = await fetch("events", { method: "HEAD" }).catch(() => null);
  if (document.hidden) return;
  const events = reply?.headers.get("content-type")?.startsWith("text/event-stream");
  // A guest without events has another page.
  if (!events && reply && reply.status < 500 && reload("no events")) return;
  if (!reply || events) listen();
  else returning = setTimeout(again, RETRY_LAST);
}

function lose() {
  lost = true;
  summarize();
}

// Once for each reason: a page that comes out of a cache would load for ever. The history remembers that where
// nothing else may, such as in a sandboxed frame.
function reload(reason) {
  if (history.state?.reloaded === reason) return false;
  history.replaceState({ reloaded: reason }, "");
  location.reload();
  return true;
}

function hear(state) {
  heard = now();
  const names = state.cameras.map(camera => camera.name).join();
  if (state.guest.digest !== root.dataset.guest || names !== cards.map(card => card.name).join()) {
    if (reload(`${state.guest.digest} ${names}`)) return;
  } else if (history.state) {
    history.replaceState(null, "");
  }
  if (lost) {
    lost = false;
    // A stream that came to its end with the events did so without a sign.
    cards.forEach(card => { card.delay = 50; openAgain(card); card.delay = RETRY_FIRST; });
  }
  for (const camera of state.cameras) {
    const card = cards.find(card => card.name === camera.name);
    if (card) tell(card, camera);
  }
  fitPictures(state.cameras);
  tellGuest(state.guest);
  summarize();
}

function tell(card, camera) {
  const was = card.camera?.state;
  card.camera = camera;
  card.figure.dataset.state = camera.state;
  const out = camera.state === "lost";
  if (out && was !== "lost") say(news, `${card.name}: no picture. ${camera.reason}`);
  if (was === "lost" && camera.state === "live") say(news, `${card.name}: the picture is back`);
  say(part(card, "state"), out ? "no picture" : camera.state);
  say(part(card, "reason"), out ? camera.reason ?? "" : "");
  say(part(card, "size"), camera.width ? `${camera.width}×${camera.height}` : "");
  say(part(card, "fps"), camera.fps ? `${camera.fps.toFixed(1)} fps` : "");
  say(part(card, "viewers"), plural(camera.viewers, "viewer"));
  const counts = part(card, "counts");
  if (counts) say(counts, `${camera.format ?? "JPEG"}, ${plural(camera.frames, "frame")} so far, ${camera.lost.toLocaleString("en")} lost`);
  tellAge(card);
  show(card);
}

function span(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function tellAge(card) {
  const camera = card.camera;
  if (!camera) return;
  // Without events, time goes on; between two of them pictures do.
  const age = camera.age === null ? null : camera.age + Math.max(0, now() - heard - EVENTS_EVERY) / 1000;
  const patience = Math.max(2, 2.5 / (camera.fps || camera.rate || 30));
  const stale = age !== null && age > patience && (camera.state === "live" || lost);
  card.figure.toggleAttribute("data-stale", stale);
  const text = age === null ? "" : stale ? `no picture for ${span(age)}` : camera.state === "lost" ? `last picture ${span(age)} ago` : `${span(age)} old`;
  say(part(card, "age"), text);
}

// All pictures in the shape that most of them have, so that the rows are even.
function fitPictures(cameras) {
  const counts = new Map();
  for (const { width, height } of cameras) {
    if (width && height) counts.set(width / height, (counts.get(width / height) ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  const ratio = most && Math.min(2.4, Math.max(cards.length > 1 ? 1 : .5, most[0])).toFixed(4);
  if (ratio && root.style.getPropertyValue("--ratio") !== ratio) root.style.setProperty("--ratio", ratio);
}

function tellGuest({ number, digest, since }) {
  const date = new Date(since * 1000);
  const serving = `${number} ${since}`;
  if (guest.dataset.serving === serving) return;
  guest.dataset.serving = serving;
  guest.title = digest;
  const time = make("time", { dateTime: date.toISOString() }, date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  guest.replaceChildren(`Served by guest ${number}, ${digest.slice(0, 8)}, since `, time);
}

function summarize() {
  const out = cards.filter(card => card.camera?.state === "lost").length;
  const without = out ? `, ${out} without a picture` : "";
  say(summary, lost ? "Connection lost, trying again" : plural(cards.length, "camera") + without);
  summary.classList.toggle("trouble", lost || out > 0);
  root.toggleAttribute("data-lost", lost);
  const title = lost || out ? "⚠ Hotshoe" : "Hotshoe";
  if (document.title !== title) document.title = title;
}
