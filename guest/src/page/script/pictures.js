// Pictures: streams for those in focus, stills for the others, and the last one for the time without any.

function show(card) {
  const { figure, stream, still } = card;
  const showing = card.live && stream.naturalWidth ? "stream" : still.hidden ? "nothing" : "still";
  figure.dataset.showing = showing;
  figure.dataset.feed = card.live ? "stream" : "still";
  const hint = card.live ? "Double click: full screen" : "Click: live";
  if (card.stage.title !== hint) card.stage.title = hint;
  const waits = showing === "nothing" && card.camera?.state !== "lost";
  say(part(card, "tag"), waits ? "waiting for a picture" : card.live ? "" : card.camera?.state === "lost" ? "no picture" : "still");
}

function draw(card, picture, width, height) {
  const { still } = card;
  const scale = Math.min(1, 1280 / width);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  // To set a canvas's size is to clear it.
  if (still.width !== w || still.height !== h) Object.assign(still, { width: w, height: h });
  still.getContext("2d").drawImage(picture, 0, 0, w, h);
  still.hidden = false;
}

// When a stream breaks off its picture is gone at once, so that it has to be kept before.
function keep(card) {
  card.kept = now();
  const { naturalWidth, naturalHeight } = card.stream;
  if (naturalWidth) draw(card, card.stream, naturalWidth, naturalHeight);
}

function open(card) {
  clearTimeout(card.retry);
  card.retry = 0;
  card.opened = now();
  // A source that the browser has not seen: it would show what it has of one that it knows, and ask for nothing.
  card.stream.src = `video_feed/${card.name}?t=${Date.now()}`;
  show(card);
}

function close(card) {
  clearTimeout(card.retry);
  card.retry = 0;
  keep(card);
  // Closes the connection.
  card.stream.removeAttribute("src");
  show(card);
}

function openAgain(card) {
  if (!card.live || card.retry || document.hidden) return;
  close(card);
  card.retry = setTimeout(open, card.delay, card);
  card.delay = Math.min(card.delay * 1.5, RETRY_LAST);
}

// A stream that breaks off is no error to Chromium; only, its picture has no size any more.
function watch(card) {
  const { stream } = card;
  if (stream.naturalWidth) {
    if (now() - card.opened > 3000) card.delay = RETRY_FIRST;
    if (now() - card.kept > 1000) keep(card);
  } else if (stream.complete && stream.hasAttribute("src")) {
    openAgain(card);
  }
  show(card);
}

// Show this camera as a stream, and the one that was left alone for longest as stills in its place.
let uses = 0;
function use(card) {
  card.used = ++uses;
  if (card.live) return;
  const streams = cards.filter(other => other.live);
  if (streams.length >= STREAMS) {
    const oldest = streams.reduce((a, b) => (b.used <= a.used ? b : a));
    oldest.live = false;
    close(oldest);
  }
  card.live = true;
  card.delay = RETRY_FIRST;
  open(card);
}

async function takeStill(card) {
  card.asked = now();
  const reply = await fetch(`snapshot/${card.name}`, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!reply.ok) return;
  const picture = await createImageBitmap(await reply.blob());
  draw(card, picture, picture.width, picture.height);
  picture.close();
  show(card);
}

async function takeStills() {
  for (;;) {
    const begun = now();
    for (const card of cards) {
      const pause = card.camera?.state === "lost" ? LOST_STILLS_EVERY : 0;
      if (card.live || document.hidden || (card.asked && now() - card.asked < pause)) continue;
      await takeStill(card).catch(() => sleep(500));
    }
    await sleep(Math.max(100, STILLS_EVERY - (now() - begun)));
  }
}

// Elements go full screen everywhere but on telephones of one make.
function toggleFull(card) {
  use(card);
  if (document.fullscreenElement) document.exitFullscreen();
  else if (card.stage.requestFullscreen) card.stage.requestFullscreen().catch(() => {});
  else card.stage.classList.toggle("large");
}
