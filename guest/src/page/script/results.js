// Results: the boxes that a guest has found, drawn over the frame that they belong to, and the zones in which it looks.
//
// Results arrive later than their frame. So while boxes are shown, pictures are drawn as much later as results usually
// take. If a frame has no results, the last boxes stay for a moment, dashed.

// With slower results, boxes follow their frame: a live picture should not be older.
const MAX_RESULTS_DELAY = 500;
// A picture can be drawn a little later than its results arrive.
const RESULTS_MARGIN = 20;
// How long boxes of an earlier frame are shown, in seconds between the frames.
const MAX_BOXES_AGE = 1;
// The most frames whose results or times are kept for each camera.
const MAX_RESULTS = 128;

let results = null, resultsUrl = null;

// Reads the results of the visible cameras that have some.
function updateResults() {
  const names = document.hidden ? [] : visibleCards().filter(card => Number.isInteger(card.camera?.results)).map(card => card.name);
  const url = names.length ? `results?format=events&cameras=${names}` : null;
  if (url === resultsUrl && results?.readyState !== EventSource.CLOSED) return;
  stopResults();
  if (!url) return;
  resultsUrl = url;
  results = new EventSource(resolve(url));
  results.addEventListener("results", event => receiveResults(JSON.parse(event.data)));
}

function stopResults() {
  results?.close();
  results = resultsUrl = null;
}

// Another server may be back, whose frames have the same numbers.
function forgetResults() {
  for (const { entries, arrivals } of cards) {
    entries.clear();
    arrivals.clear();
  }
}

// Remembers a value for a frame, and forgets those of the oldest frames.
function remember(map, sequence, value) {
  map.delete(sequence);
  map.set(sequence, value);
  if (map.size > MAX_RESULTS) map.delete(map.keys().next().value);
}

function receiveResults(entry) {
  const card = cards.find(card => card.name === entry.camera);
  if (!card) return;
  remember(card.entries, entry.sequence, entry);
  const arrival = card.arrivals.get(entry.sequence);
  // Follows longer delays at once, and shorter ones slowly.
  if (arrival?.captured === entry.time) card.resultsDelay = Math.min(MAX_RESULTS_DELAY, Math.max(now() - arrival.received + RESULTS_MARGIN, card.resultsDelay * .95));
  showBoxes(card);
}

// How long to wait before a picture is drawn.
const delayOf = card => card.showsBoxes && Number.isInteger(card.camera?.results) ? card.resultsDelay : 0;

// The results to show over a frame: its own, or else those of a frame shortly before. When the server was restarted,
// another frame can have the same number, but not the same time.
function entryFor(card, { sequence, captured }) {
  const own = card.entries.get(sequence);
  if (own?.time === captured) return own;
  let last = null;
  for (const entry of card.entries.values()) {
    const age = captured - entry.time;
    if (entry.sequence < sequence && age >= 0 && age < MAX_BOXES_AGE && entry.sequence > (last?.sequence ?? -1)) last = entry;
  }
  return last;
}

const boxesButton = card => card.figure.querySelector("[data-action=boxes]");

// Draws a zone: every point of a picture can be as bright as a line of one colour.
function strokeZone(context, corners, size) {
  context.beginPath();
  corners.forEach(corner => context.lineTo(...corner));
  context.closePath();
  for (const [style, lineWidth] of [["#000", 3], ["#fff", 1]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: lineWidth * size });
    context.stroke();
  }
}

// Draws the zones and the boxes over the picture on the canvas.
function showBoxes(card) {
  const { overlay, canvas, drawn } = card;
  const hasResults = Number.isInteger(card.camera?.results), zones = card.camera?.zones ?? [];
  const button = boxesButton(card);
  // Once there was something to show, it stays: it may have the focus.
  if (hasResults || zones.length) button.hidden = false;
  button.setAttribute("aria-disabled", !hasResults && !zones.length);
  button.setAttribute("aria-pressed", card.showsBoxes);
  const entry = card.showsBoxes && drawn && hasResults ? entryFor(card, drawn) : null;
  const shown = card.showsBoxes && drawn ? zones : [];
  // Most cameras have no results.
  if (!entry && !card.figure.dataset.boxes && !shown.length && !Number(card.figure.dataset.zones)) return;
  const { width, height } = canvas;
  // Setting the size clears the canvas.
  Object.assign(overlay, { width, height });
  Object.assign(card.figure.dataset, { boxes: entry ? entry.sequence : "", zones: shown.length });
  setText(find(card, "found"), entry ? entry.boxes.slice(0, 3).map(({ label, score }) => `${label} ${Math.round(score * 100)} %`).join(", ") : "");
  const context = overlay.getContext("2d"), size = Math.max(1, width / 480);
  for (const { corners } of shown) strokeZone(context, corners.map(([x, y]) => [x * width, y * height]), size);
  if (!entry) return;
  context.font = `${12 * size}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  if (entry.sequence !== drawn.sequence) context.setLineDash([6 * size, 4 * size]);
  for (const found of entry.boxes) {
    const { label } = found;
    const box = [found.left * width, found.top * height, found.width * width, found.height * height];
    // A dark line below a bright one is visible over every picture.
    for (const [style, lineWidth] of [["#000", 4], ["#ffb93f", 2]]) {
      Object.assign(context, { strokeStyle: style, lineWidth: lineWidth * size });
      context.strokeRect(...box);
    }
    const baseline = Math.max(box[1], 16 * size);
    context.fillStyle = "#000";
    context.fillRect(box[0], baseline - 16 * size, context.measureText(label).width + 8 * size, 16 * size);
    context.fillStyle = "#ffb93f";
    context.fillText(label, box[0] + 4 * size, baseline - 2 * size);
  }
}

function toggleBoxes(card) {
  if (boxesButton(card).matches("[hidden], [aria-disabled=true]")) return;
  card.showsBoxes = !card.showsBoxes;
  showBoxes(card);
}
