// Begin, pause, go on.

function pause() {
  stopPictures();
  source?.close();
  clearTimeout(returning);
}

function goOn() {
  if (document.hidden) return;
  lost = false;
  retryDelay = RETRY_FIRST;
  watchPictures();
  listen();
}

function tick() {
  cards.forEach(showStatus);
  if (document.hidden) return;
  // A server that lost its power ends no connection.
  if (reading && now() - reading.heard > PICTURES_SILENCE) comeBack(reading);
  if (now() - heard > EVENTS_SILENCE) {
    lose();
    listen();
  }
}

// Pictures a little above and below the window are read as well, so that they are there when one scrolls to them.
const observer = new IntersectionObserver(entries => {
  for (const entry of entries) cardOf(entry.target).inView = entry.isIntersecting;
  clearTimeout(scrolling);
  scrolling = setTimeout(watchPictures, reading ? 300 : 0);
}, { rootMargin: "50% 0px" });
let scrolling = 0;

document.addEventListener("visibilitychange", () => (document.hidden ? pause() : goOn()));
// Some browsers keep a page that one has left, with its connections.
addEventListener("pagehide", pause);
addEventListener("pageshow", event => { if (event.persisted) goOn(); });
cards.forEach(card => observer.observe(card.stage));
setInterval(tick, 250);
goOn();
