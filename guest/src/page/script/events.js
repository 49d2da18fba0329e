// Server-sent events: the state of the server, and reconnecting when they stop.

let source = null, lastEvent = now(), isDisconnected = false, reconnectTimer = 0;

function connectEvents() {
  clearTimeout(reconnectTimer);
  source?.close();
  lastEvent = now();
  clockOffsets.length = 0;
  const events = source = new EventSource(resolve("events"));
  events.addEventListener("state", event => receiveState(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    setDisconnected();
    // The browser gives up if the response is not a stream of events.
    if (events.readyState === EventSource.CLOSED) reconnectTimer = setTimeout(reconnectEvents, 1000);
  });
}

async function reconnectEvents() {
  const response = await fetch(resolve("events"), { method: "HEAD" }).catch(() => null);
  if (document.hidden) return;
  const hasEvents = response?.headers.get("content-type")?.startsWith("text/event-stream");
  // A guest without events has a different page.
  if (!hasEvents && response && response.status < 500 && reload("no events")) return;
  if (!response || hasEvents) connectEvents();
  else reconnectTimer = setTimeout(reconnectEvents, MAX_RETRY_DELAY);
}

function setDisconnected() {
  if (!isDisconnected) announce("Connection lost, trying again");
  isDisconnected = true;
  showSummary();
}

// Reloads the page, but only once for each reason: a page from a cache would reload forever. The reason is stored in
// the history because a sandboxed frame has no other storage.
function reload(reason) {
  if (history.state?.reloaded === reason) return false;
  history.replaceState({ reloaded: reason }, "");
  location.reload();
  return true;
}

function receiveState(state) {
  lastEvent = now();
  recordClock(state.now);
  const names = state.cameras.map(camera => camera.name).join();
  if (state.guest.digest !== root.dataset.guest || names !== cards.map(card => card.name).join()) {
    if (reload(`${state.guest.digest} ${names}`)) return;
  } else if (history.state) {
    history.replaceState(null, "");
  }
  if (isDisconnected) {
    // The server is back, so request the pictures at once.
    isDisconnected = false;
    announce("Connected again");
    retryDelay = MIN_RETRY_DELAY;
    forgetResults();
    updatePictures();
  }
  for (const camera of state.cameras) {
    const card = cards.find(card => card.name === camera.name);
    if (card) showCamera(card, camera);
  }
  setAspectRatio(state.cameras);
  receiveEvents(state.events);
  updateResults();
  showGuest(state.guest);
  showSummary();
}

function showCamera(card, camera) {
  card.camera = camera;
  const { width, height, fps, filters = [] } = camera;
  setText(find(card, "fps"), fps ? `${fps < 1 ? fps.toFixed(1) : Math.round(fps)} fps` : "");
  setText(find(card, "size"), width ? `${width}×${height}` : "");
  // It names the filters of the camera, which can be replaced.
  const description = find(card, "description");
  setText(description, camera.description);
  if (description.title !== camera.description) description.title = camera.description;
  setText(find(card, "viewers"), plural(camera.viewers, "viewer"));
  const cost = filters.reduce((sum, { fps, ms }) => sum + (fps && ms), 0);
  setText(find(card, "cost"), cost ? `${filters.length > 1 ? "filters" : "filter"} ${cost.toFixed(1)} ms` : "");
  const counts = find(card, "counts");
  if (counts) setText(counts, `${camera.format ?? "JPEG"}, ${plural(camera.frames, "frame")} so far, ${camera.lost.toLocaleString("en")} lost`);
  showFilters(card);
  showBoxes(card);
  showStatus(card);
}

// Gives all pictures the most common aspect ratio, so that the rows are even.
function setAspectRatio(cameras) {
  const counts = new Map();
  for (const { width, height } of cameras) {
    if (width && height) counts.set(width / height, (counts.get(width / height) ?? 0) + 1);
  }
  const [mostCommon] = [...counts].sort((a, b) => b[1] - a[1]);
  const ratio = mostCommon && Math.min(2.4, Math.max(cards.length > 1 ? 1 : .5, mostCommon[0])).toFixed(4);
  if (ratio && root.style.getPropertyValue("--ratio") !== ratio) root.style.setProperty("--ratio", ratio);
}

function showGuest({ number, digest, since }) {
  const time = new Date(since * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const title = `Guest generation ${number}, since ${time}\nSHA-256 ${digest}`;
  if (guest.title !== title) guest.title = title;
}
