// Constants, helpers, and the cards: one for each camera.
//
// page/mod.rs concatenates the files of this folder into the body of one function. Times are in milliseconds of
// performance.now(), but times of the server are in seconds since 1970.

// The maximum number of pictures per second for all cameras together. Decoding more would keep a processor busy.
const MAX_PICTURES_PER_SECOND = 120;
// A connection is broken if nothing arrives for this long. The server repeats the newest picture of each camera every
// second, but opening a camera can take six seconds.
const PICTURES_TIMEOUT = 8000, EVENTS_TIMEOUT = 10000;
const MIN_RETRY_DELAY = 250, MAX_RETRY_DELAY = 5000;
// Setting controls more often would only fill the queue of the device.
const CONTROL_INTERVAL = 150;
// More that come at once than anybody wants to hear.
const MAX_ANNOUNCEMENTS = 8;

const root = document.documentElement;
const now = () => performance.now();
const sleep = time => new Promise(resolve => setTimeout(resolve, time));
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
// Tells something to users of screen readers. Each text is an element of its own, so that several at once are read, and
// the same one again.
function announce(text) {
  announcements.append(createElement("p", {}, text));
  while (announcements.childElementCount > MAX_ANNOUNCEMENTS) announcements.firstChild.remove();
}
// Sets the text only if it changes, to keep a selection.
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
// The address of a path next to the page. That of the page itself may contain a user and a password, which fetch refuses;
// the browser sends them anyway.
const resolve = path => new URL(path, location.origin + location.pathname).href;
const find = (card, name) => card.figure.querySelector("." + name);
function createElement(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const summary = document.getElementById("summary");
const guest = document.getElementById("guest");
const announcements = document.getElementById("announcements");
const cards = [...document.querySelectorAll("figure[data-camera]")].map(figure => ({
  figure,
  name: figure.dataset.camera,
  label: figure.querySelector("h2").textContent,
  stage: figure.querySelector(".stage"),
  canvas: figure.querySelector("canvas"),
  overlay: figure.querySelector(".overlay"),
  // The camera in the last event.
  camera: null,
  isInView: false,
  // The picture on the canvas, the newest one to draw, and the newest one received, which may have to wait for its
  // results: { captured, received, sequence, image }.
  drawn: null, next: null, newest: null, isDrawing: false,
  // Results by sequence number, when each picture arrived, how long results take, and whether to show them.
  entries: new Map(), arrivals: new Map(), resultsDelay: 0, showsBoxes: true,
  // When the last minute was requested, and whether the response is still to come.
  minuteAsked: -Infinity, isAskingMinute: false,
  // The controls, the values to send, and the controls that "Reset to defaults" has set so far.
  controls: [], pending: new Map(), isSending: false, reset: null,
}));
const cardOf = node => cards.find(card => card.figure === node.closest?.("figure"));
