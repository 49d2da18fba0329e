// Pictures: one response carries those of all cameras in view, and they are drawn as they come. So the page knows
// which picture it shows and how old it is, and one connection is enough for any number of cameras.

// The response that is being read: { url, abort, heard }.
let reading = null;
let retry = 0, retryDelay = RETRY_FIRST;

const isFull = card => document.fullscreenElement === card.stage || card.stage.classList.contains("large");

function picturesUrl() {
  const full = cards.filter(isFull);
  const wanted = full.length ? full : cards.filter(card => card.inView);
  if (!wanted.length || document.hidden) return null;
  const rate = Math.max(1, Math.floor(PICTURES_PER_SECOND / wanted.length));
  return `pictures?cameras=${wanted.map(card => card.name)}&fps=${rate}`;
}

// Read the pictures that are wanted now, if these are not read already.
function watchPictures() {
  clearTimeout(retry);
  const url = picturesUrl();
  if (reading?.url === url) return;
  stopPictures();
  if (url) readPictures(url);
}

function stopPictures() {
  clearTimeout(retry);
  reading?.abort.abort();
  reading = null;
}

async function readPictures(url) {
  const stream = reading = { url, abort: new AbortController(), heard: now() };
  try {
    const reply = await fetch(url, { cache: "no-store", signal: stream.abort.signal });
    if (reply.ok) {
      for await (const part of readParts(reply.body, () => { stream.heard = now(); })) {
        if (reading !== stream) return;
        retryDelay = RETRY_FIRST;
        take(part);
      }
    }
  } catch {
    // The server is away, or the stream broke off.
  }
  comeBack(stream);
}

// Read again, after a stream has ended.
function comeBack(stream) {
  if (reading !== stream) return;
  stopPictures();
  retry = setTimeout(watchPictures, retryDelay);
  retryDelay = Math.min(retryDelay * 2, RETRY_LAST);
}

function take({ headers, body }) {
  const card = cards.find(card => card.name === headers.get("x-camera"));
  if (!card) return;
  if (headers.get("x-online") !== "true") {
    // In place of a picture comes one that says why there is none. The page says so itself.
    card.shown = card.next = null;
    showStatus(card);
    return;
  }
  const captured = Number(headers.get("x-timestamp"));
  // The newest picture is repeated when there is no newer one, and comes again after reconnecting.
  if (captured === (card.next ?? card.shown)?.captured) return;
  const image = new Blob([body], { type: "image/jpeg" });
  card.next = { captured, image, received: now(), sequence: headers.get("x-sequence") };
  if (!card.isDrawing) draw(card);
}

// Draw the newest picture, until there is none left. Those that come faster than they are decoded are skipped.
async function draw(card) {
  card.isDrawing = true;
  while (card.next) {
    const picture = card.next;
    const bitmap = await createImageBitmap(picture.image).catch(() => null);
    // Another has come or the camera was lost while this one was decoded.
    if (card.next === picture) card.next = null;
    else if (!card.next) continue;
    if (!bitmap) continue;
    const { canvas } = card, { width, height } = bitmap;
    // To set a canvas's size is to clear it.
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    card.shown = picture;
    card.figure.dataset.sequence = picture.sequence;
    showStatus(card);
  }
  card.isDrawing = false;
}

// Elements go full screen everywhere but on some phones.
function toggleFull(card) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (card.stage.requestFullscreen) card.stage.requestFullscreen().catch(() => {});
  else card.stage.classList.toggle("large");
  watchPictures();
}
