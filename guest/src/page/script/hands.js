// What people do.

for (const kind of ["focusin", "click"]) {
  document.addEventListener(kind, event => { const card = cardOf(event.target); if (card) use(card); });
}
document.addEventListener("click", event => {
  const card = cardOf(event.target);
  const stage = event.target.closest(".stage");
  if (event.target.closest("[data-do=full]")) toggleFull(card);
  // A key pressed the button. A finger or a mouse has to do so twice, since once is to see it live.
  else if (stage && event.detail === 0) toggleFull(card);
  const download = event.target.closest("a[download]");
  if (download) download.download = `${card.name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
});
document.addEventListener("dblclick", event => { if (event.target.closest(".stage")) toggleFull(cardOf(event.target)); });
document.addEventListener("keydown", event => {
  if (event.key === "f" && !event.repeat && !event.ctrlKey && !event.metaKey && event.target.matches(".stage")) toggleFull(cardOf(event.target));
  if (event.key === "Escape") cards.forEach(card => card.stage.classList.remove("large"));
});
// It does not bubble.
document.addEventListener("toggle", event => {
  const { open, dataset } = event.target;
  const card = cardOf(event.target), inside = event.target.querySelector(".inside");
  if (!open || !card) return;
  if (dataset.panel === "stream") openStreamPanel(card, inside);
  if (dataset.panel === "controls") openControlsPanel(card, inside);
}, true);
