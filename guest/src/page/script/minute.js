// The panel with the last minute: rate and intervals of frames, with losses and events, and the filters of the camera.

const SVG = "http://www.w3.org/2000/svg";
// In units of the plot, which is as wide as a minute has seconds.
const PLOT_HEIGHT = 24, MARK_HEIGHT = 2;
// What the shapes of the plot mean, by their class.
const KEY = {
  rate: "Line: frames per second",
  interval: "Bars: longest interval between frames",
  lost: "Marks at the top: frames lost",
  event: "Marks at the bottom: events",
};
// The state of the server comes every second, and at once after each change. A change is no reason to plot again.
const MIN_MINUTE_INTERVAL = 900;

// The last events, from the state of the server, and the number of the last one, `null` before the first state.
let events = [], lastEventId = null;

function openMinutePanel(card, body) {
  if (!body.querySelector("svg")) {
    const plot = document.createElementNS(SVG, "svg");
    plot.setAttribute("viewBox", `0 0 60 ${PLOT_HEIGHT}`);
    plot.setAttribute("preserveAspectRatio", "none");
    plot.setAttribute("role", "img");
    // The text below says what it shows.
    plot.setAttribute("aria-label", "Plot of the last minute of " + card.label);
    plot.classList.add("plot");
    // Without bullets, Safari takes a list for one only if it has the role.
    const list = (className, ariaLabel, ...children) => createElement("ul", { className, ariaLabel, role: "list" }, ...children);
    const key = list("key", "Key of the plot", ...Object.entries(KEY).map(([className, text]) => createElement("li", { className }, text)));
    body.replaceChildren(plot, key, createElement("p", { className: "figures" }),
      list("filters", "Filters of " + card.label), list("events", "Events of " + card.label));
    showFilters(card);
  }
  showMinute(card);
}

// Shows what each filter of the camera does and costs.
function showFilters(card) {
  const list = find(card, "filters"), filters = card.camera?.filters ?? [];
  if (!list) return;
  while (list.childElementCount < filters.length) list.append(createElement("li", {}));
  while (list.childElementCount > filters.length) list.lastChild.remove();
  filters.forEach(({ description, fps, ms, frames, failed }, index) => setText(list.children[index],
    `Filter ${description}: ${fps.toFixed(1)} fps, ${ms.toFixed(1)} ms per frame, ${plural(frames, "frame")} so far, ${failed.toLocaleString("en")} failed`));
}

// Requests the last minute, unless it was requested less than a second ago or the response is still to come. Returns
// `null` in this case, and if it fails.
async function readMinute(card) {
  if (card.isAskingMinute || now() - card.minuteAsked < MIN_MINUTE_INTERVAL) return null;
  Object.assign(card, { minuteAsked: now(), isAskingMinute: true });
  try {
    const response = await fetch(resolve("minute/" + card.name), { cache: "no-store", signal: AbortSignal.timeout(EVENTS_TIMEOUT) });
    return response.ok ? await response.json() : null;
  } catch {
    // The connection broke, or another server answers. The next state tries again.
    return null;
  } finally {
    card.isAskingMinute = false;
  }
}

async function showMinute(card) {
  const body = card.figure.querySelector("[data-panel=minute] .panel-body");
  const plot = body.querySelector("svg");
  const minute = plot && await readMinute(card);
  if (!minute) return;
  const { frames, lost, longest_ms } = minute;
  const sum = list => list.reduce((a, b) => a + b, 0);
  const highest = Math.max(1, ...frames), longest = Math.max(...longest_ms);
  // Between the marks.
  const heightOf = share => (PLOT_HEIGHT - 2 * MARK_HEIGHT) * share;
  const y = share => (PLOT_HEIGHT - MARK_HEIGHT - heightOf(share)).toFixed(2);
  const shapes = [];
  const add = (tag, className, attributes) => {
    const shape = document.createElementNS(SVG, tag);
    shape.setAttribute("class", className);
    for (const name in attributes) shape.setAttribute(name, attributes[name]);
    shapes.push(shape);
  };
  longest_ms.forEach((interval, second) => {
    if (interval) add("rect", "interval", { x: second + .1, y: y(interval / longest), width: .8, height: heightOf(interval / longest) });
  });
  lost.forEach((count, second) => { if (count) add("rect", "lost", { x: second, y: 0, width: 1, height: MARK_HEIGHT }); });
  // The current second is not over.
  add("polyline", "rate", { points: frames.slice(0, -1).map((count, second) => `${second + .5},${y(count / highest)}`).join(" ") });
  const serverNow = clockOffsets.length ? now() / 1000 + Math.max(...clockOffsets) : Date.now() / 1000;
  const recent = events.filter(event => event.camera === card.name && (event.end ?? serverNow) > serverNow - 60);
  for (const { begin, end } of recent) {
    const from = Math.max(0, 60 - (serverNow - begin)), to = 60 - (serverNow - (end ?? serverNow));
    add("rect", "event", { x: from, y: PLOT_HEIGHT - MARK_HEIGHT, width: Math.max(.5, to - from), height: MARK_HEIGHT });
  }
  plot.replaceChildren(...shapes);
  const rate = sum(frames.slice(0, -1)) / (frames.length - 1);
  const text = `${rate.toFixed(1)} fps on average, at most ${highest} in a second; longest interval ${longest.toLocaleString("en")} ms; ` +
    `${plural(sum(lost), "frame")} lost; ${plural(recent.length, "event")}`;
  setText(find(card, "figures"), text);
  showEventList(card, body.querySelector(".events"));
}

function showEventList(card, list) {
  const own = events.filter(event => event.camera === card.name).reverse();
  const key = JSON.stringify(own);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const time = seconds => new Date(seconds * 1000).toLocaleTimeString();
  list.replaceChildren(...own.map(({ id, label, begin, end }) =>
    createElement("li", {}, createElement("a", { href: `events/${id}.jpg` }, `${label}, ${time(begin)} to ${end ? time(end) : "now"}`))));
}

// Takes the events of the server, and announces those that begin.
function receiveEvents(list) {
  for (const { id, camera, label, end } of list) {
    const card = cards.find(card => card.name === camera);
    if (card && !end && lastEventId !== null && id > lastEventId) announce(`${card.label}: ${label}`);
  }
  events = list;
  lastEventId = list.at(-1)?.id ?? 0;
  for (const card of cards) if (card.figure.querySelector("[data-panel=minute]").open) showMinute(card);
}
