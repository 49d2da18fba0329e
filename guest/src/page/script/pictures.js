// Pictures: one response carries the pictures of all cameras in view, and the page draws them on canvases. So the page
// knows the age of each picture, and needs one connection for any number of cameras.

// The current response: { url, abort, lastData }.
let reading = null;
let retryTimer = 0, retryDelay = MIN_RETRY_DELAY;

const isFullscreen = card => document.fullscreenElement === card.stage || card.stage.classList.contains("maximized");

function visibleCards() {
  const fullscreen = cards.filter(isFullscreen);
  return fullscreen.length ? fullscreen : cards.filter(card => card.isInView);
}

function picturesUrl() {
  const visible = visibleCards();
  if (!visible.length || document.hidden) return null;
  const rate = Math.max(1, Math.floor(MAX_PICTURES_PER_SECOND / visible.length));
  return `pictures?cameras=${visible.map(card => card.name)}&fps=${rate}`;
}

// Requests the pictures of the visible cameras, unless they are being read already.
function updatePictures() {
  clearTimeout(retryTimer);
  updateResults();
  const url = picturesUrl();
  if (reading?.url === url) return;
  stopPictures();
  if (url) readPictures(url);
}

function stopPictures() {
  clearTimeout(retryTimer);
  reading?.abort.abort();
  reading = null;
}

async function readPictures(url) {
  const stream = reading = { url, abort: new AbortController(), lastData: now() };
  try {
    const response = await fetch(resolve(url), { cache: "no-store", signal: stream.abort.signal });
    if (response.ok) {
      for await (const part of readParts(response.body, () => { stream.lastData = now(); })) {
        if (reading !== stream) return;
        retryDelay = MIN_RETRY_DELAY;
        receivePicture(part);
      }
    }
  } catch {
    // The server is unreachable, or the connection broke.
  }
  retryPictures(stream);
}

function retryPictures(stream) {
  if (reading !== stream) return;
  stopPictures();
  retryTimer = setTimeout(updatePictures, retryDelay);
  retryDelay = Math.min(retryDelay * 2, MAX_RETRY_DELAY);
}

function receivePicture({ headers, body }) {
  const card = cards.find(card => card.name === headers.get("x-camera"));
  if (!card) return;
  if (headers.get("x-online") !== "true") {
    // A placeholder. The page shows the reason as text.
    card.drawn = card.next = card.newest = null;
    showBoxes(card);
    showStatus(card);
    return;
  }
  const captured = Number(headers.get("x-timestamp"));
  // The server repeats the newest picture if there is no newer one, and sends it again after a reconnect.
  if (captured === card.newest?.captured) return;
  const image = new Blob([body], { type: "image/jpeg" });
  const picture = card.newest = { captured, image, received: now(), sequence: Number(headers.get("x-sequence")) };
  remember(card.arrivals, picture.sequence, { captured, received: picture.received });
  const show = () => {
    // The camera may have been lost meanwhile, or a newer picture may have waited for a shorter time.
    if (!card.newest || picture.received < ((card.next ?? card.drawn)?.received ?? 0)) return;
    card.next = picture;
    if (!card.isDrawing) draw(card);
  };
  const delay = delayOf(card);
  if (delay) setTimeout(show, delay);
  else show();
}

// Draws the newest picture until there is none left. Pictures that arrive faster than the browser decodes are skipped.
async function draw(card) {
  card.isDrawing = true;
  while (card.next) {
    const picture = card.next;
    const bitmap = await createImageBitmap(picture.image).catch(() => null);
    // While this one was decoded, a newer one may have arrived, or the camera may have been lost.
    if (card.next === picture) card.next = null;
    else if (!card.next) continue;
    if (!bitmap) continue;
    const { canvas } = card, { width, height } = bitmap;
    // Setting the size clears the canvas.
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    card.drawn = picture;
    card.figure.dataset.sequence = picture.sequence;
    showBoxes(card);
    showStatus(card);
  }
  card.isDrawing = false;
}

// Some phones support full screen only for videos.
function toggleFullscreen(card) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (card.stage.requestFullscreen) card.stage.requestFullscreen().catch(() => {});
  else card.stage.classList.toggle("maximized");
  updatePictures();
}
