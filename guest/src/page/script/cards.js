// The page's cards: one for each camera, and what is known of it.
//
// All files of this folder are one function's body, in the order in which page/mod.rs puts them together.

// A browser holds six connections to a server over HTTP/1.1. One is for the events, and one for all that comes and
// goes: controls, downloads, and the pictures of those cameras that are shown as stills, one after the other.
const STREAMS = 4;
const STILLS_EVERY = 1000;
// A still of a camera that is lost is refused. It is asked for all the same, since a camera that nobody reads is not
// tried again.
const LOST_STILLS_EVERY = 8000;
const RETRY_FIRST = 1000, RETRY_LAST = 5000;
const EVENTS_EVERY = 1000, SILENCE = 10000;
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
  stage: figure.querySelector(".stage"),
  stream: figure.querySelector(".stage img"),
  // Under the stream: the last picture, for the time without one.
  still: figure.querySelector(".stage canvas"),
  camera: null,
  live: false, used: 0, opened: 0, kept: 0, asked: 0, retry: 0, delay: RETRY_FIRST,
  wanted: new Map(), sending: false, controls: [], reset: null,
}));
const cardOf = node => cards.find(card => card.figure === node.closest?.("figure"));
