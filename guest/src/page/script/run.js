// Begin, pause, go on.

function pause() {
  cards.filter(card => card.live).forEach(close);
  source?.close();
  clearTimeout(returning);
}

function goOn() {
  lost = false;
  for (const card of cards.filter(card => card.live)) {
    card.delay = RETRY_FIRST;
    open(card);
  }
  listen();
}

function tick() {
  if (document.hidden) return;
  for (const card of cards) {
    if (card.live && !card.retry) watch(card);
    tellAge(card);
  }
  // A server that lost its power ends no connection.
  if (now() - heard > SILENCE) {
    lose();
    listen();
  }
}

cards.forEach((card, index) => {
  card.live = index < STREAMS;
  card.opened = now();
  card.stream.addEventListener("load", () => { if (card.still.hidden) keep(card); show(card); });
  card.stream.addEventListener("error", () => { show(card); openAgain(card); });
  if (!card.live) card.stream.removeAttribute("src");
  show(card);
});
document.addEventListener("visibilitychange", () => (document.hidden ? pause() : goOn()));
setInterval(tick, 500);
if (document.hidden) pause();
else listen();
takeStills();
