// What the events say, and what to do when they say nothing.

let source = null, heard = now(), lost = false, returning = 0;

function listen() {
  clearTimeout(returning);
  source?.close();
  heard = now();
  ahead.length = 0;
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
  hearClock(state.now);
  const names = state.cameras.map(camera => camera.name).join();
  if (state.guest.digest !== root.dataset.guest || names !== cards.map(card => card.name).join()) {
    if (reload(`${state.guest.digest} ${names}`)) return;
  } else if (history.state) {
    history.replaceState(null, "");
  }
  if (lost) {
    // The server is back, so there is no need to wait with the pictures.
    lost = false;
    retryDelay = RETRY_FIRST;
    watchPictures();
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
  card.camera = camera;
  const { width, height, fps } = camera;
  say(part(card, "fps"), fps ? `${fps < 1 ? fps.toFixed(1) : Math.round(fps)} fps` : "");
  say(part(card, "size"), width ? `${width}×${height}` : "");
  say(part(card, "viewers"), plural(camera.viewers, "viewer"));
  const counts = part(card, "counts");
  if (counts) say(counts, `${camera.format ?? "JPEG"}, ${plural(camera.frames, "frame")} so far, ${camera.lost.toLocaleString("en")} lost`);
  showStatus(card);
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
  const time = new Date(since * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const title = `Served by guest ${number} since ${time}\nSHA-256 ${digest}`;
  if (guest.title !== title) guest.title = title;
}
