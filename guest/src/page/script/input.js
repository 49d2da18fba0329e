// Mouse, keyboard and touch.

document.addEventListener("click", event => {
  const card = cardOf(event.target);
  if (event.target.closest("[data-action=fullscreen]")) toggleFullscreen(card);
  if (event.target.closest("[data-action=boxes]")) toggleBoxes(card);
  const download = event.target.closest("a[download]");
  if (download) download.download = `${card.name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
  // A panel can cover other cards, so a click outside closes it.
  for (const panel of document.querySelectorAll("details[open]")) {
    if (!cardOf(panel).figure.contains(event.target)) panel.open = false;
  }
});
document.addEventListener("dblclick", event => { if (event.target.closest(".stage")) toggleFullscreen(cardOf(event.target)); });
document.addEventListener("keydown", event => {
  const card = cardOf(event.target);
  const isShortcut = card && !event.target.matches("input, select") && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "f" && isShortcut) toggleFullscreen(card);
  if (event.key === "b" && isShortcut) toggleBoxes(card);
  if (event.key !== "Escape") return;
  cards.filter(isFullscreen).forEach(card => card.stage.classList.remove("maximized"));
  const panel = event.target.closest("details[open]");
  if (panel) {
    panel.open = false;
    panel.querySelector("summary").focus();
  }
  updatePictures();
});
document.addEventListener("fullscreenchange", updatePictures);
// This event does not bubble, so listen in the capture phase.
document.addEventListener("toggle", event => {
  const { open, dataset } = event.target;
  const card = cardOf(event.target), body = event.target.querySelector(".panel-body");
  if (!open || !card) return;
  if (dataset.panel === "stream") openStreamPanel(card, body);
  if (dataset.panel === "controls") openControlsPanel(card, body);
  if (dataset.panel === "minute") openMinutePanel(card, body);
}, true);
