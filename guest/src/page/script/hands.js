// What people do.

document.addEventListener("click", event => {
  const card = cardOf(event.target);
  if (event.target.closest("[data-do=full]")) toggleFull(card);
  const download = event.target.closest("a[download]");
  if (download) download.download = `${card.name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
  // A panel lies over other cards, so a click elsewhere closes it.
  for (const panel of document.querySelectorAll("details[open]")) {
    if (!cardOf(panel).figure.contains(event.target)) panel.open = false;
  }
});
document.addEventListener("dblclick", event => { if (event.target.closest(".stage")) toggleFull(cardOf(event.target)); });
document.addEventListener("keydown", event => {
  const card = cardOf(event.target);
  const isTyping = event.target.matches("input, select");
  if (event.key === "f" && card && !isTyping && !event.repeat && !event.ctrlKey && !event.metaKey) toggleFull(card);
  if (event.key !== "Escape") return;
  cards.filter(isFull).forEach(card => card.stage.classList.remove("large"));
  const panel = event.target.closest("details[open]");
  if (panel) {
    panel.open = false;
    panel.querySelector("summary").focus();
  }
  watchPictures();
});
document.addEventListener("fullscreenchange", watchPictures);
// It does not bubble.
document.addEventListener("toggle", event => {
  const { open, dataset } = event.target;
  const card = cardOf(event.target), inside = event.target.querySelector(".inside");
  if (!open || !card) return;
  if (dataset.panel === "stream") openStreamPanel(card, inside);
  if (dataset.panel === "controls") openControlsPanel(card, inside);
}, true);
