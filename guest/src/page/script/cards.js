// The page's cards: one for each camera, and what is known of it.
//
// All files of this folder are one function's body, in the order in which page/mod.rs puts them together. Times are in
// milliseconds of performance.now(), but for those of the server, which are in seconds since 1970.

// The most pictures per second that the page asks for, of all cameras together. Decoding more keeps a processor busy.
const PICTURES_PER_SECOND = 120;
// The server repeats the newest picture of each camera every second, so a stream that is silent for longer is broken.
// Opening a camera may take six seconds.
const PICTURES_SILENCE = 8000, EVENTS_SILENCE = 10000;
const RETRY_FIRST = 250, RETRY_LAST = 5000;
// Setting controls more often than this would only queue up in the device.
const SEND_EVERY = 150;

const root = document.documentElement;
const now = () => performance.now();
const sleep = time => new Promise(done => setTimeout(done, time));
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
// Text that stays is not written again, so that a selection stays too.
const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const part = (card, name) => card.figure.querySelector("." + name);
function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const summary = document.getElementById("summary");
const guest = document.getElementById("guest");
const news = document.getElementById("news");
const cards = [...document.querySelectorAll("figure[data-camera]")].map(figure => ({
  figure,
  name: figure.dataset.camera,
  label: figure.querySelector("h2").textContent,
  stage: figure.querySelector(".stage"),
  canvas: figure.querySelector("canvas"),
  // What the server's last event said of it.
  camera: null,
  inView: false,
  // The picture on the canvas, and the newest one that waits to be drawn: { captured, received, sequence, image }.
  shown: null, next: null, isDrawing: false,
  // Controls.
  wanted: new Map(), sending: false, controls: [], reset: null,
}));
const cardOf = node => cards.find(card => card.figure === node.closest?.("figure"));
