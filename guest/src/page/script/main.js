// Start, pause while the page is hidden, and resume.

function pause() {
  stopPictures();
  stopResults();
  source?.close();
  clearTimeout(reconnectTimer);
}

function resume() {
  if (document.hidden) return;
  isDisconnected = false;
  retryDelay = MIN_RETRY_DELAY;
  updatePictures();
  connectEvents();
}

function tick() {
  cards.forEach(showStatus);
  if (document.hidden) return;
  // A server that loses power does not close its connections.
  if (reading && now() - reading.lastData > PICTURES_TIMEOUT) retryPictures(reading);
  if (now() - lastEvent > EVENTS_TIMEOUT) {
    setDisconnected();
    connectEvents();
  }
}

// Includes pictures just outside of the window, so that they are there when the user scrolls.
const observer = new IntersectionObserver(entries => {
  for (const entry of entries) cardOf(entry.target).isInView = entry.isIntersecting;
  clearTimeout(scrollTimer);
  scrollTimer = setTimeout(updatePictures, reading ? 300 : 0);
}, { rootMargin: "50% 0px" });
let scrollTimer = 0;

document.addEventListener("visibilitychange", () => (document.hidden ? pause() : resume()));
// Some browsers keep a page, with its connections, after the user has left it.
addEventListener("pagehide", pause);
addEventListener("pageshow", event => { if (event.persisted) resume(); });
cards.forEach(card => observer.observe(card.stage));
setInterval(tick, 250);
resume();
