// A guest for Hotshoe. It responds to three paths:
//
// - `/`: a page with the stream of each camera.
// - `/snapshot/NAME`: a frame of a camera.
// - `/stream/NAME`: all frames of a camera, in one response without an end.

import { Feed, listCameras } from 'hotshoe:camera/cameras@0.2.0';
import { join } from 'hotshoe:server/channels@0.2.0';
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12';

/** How long to wait for a frame, in nanoseconds. A camera may have to be opened first. */
const FRAME_TIMEOUT = 4_000_000_000n;

/** How often the publisher looks for a placeholder if there are no frames, in nanoseconds. */
const REPEAT_INTERVAL = 1_000_000_000n;

const bytes = (text) => new TextEncoder().encode(text);

/** Responds to requests. The host calls it in a new instance for each request. */
export const incomingHandler = {
  handle(request, out) {
    const path = (request.pathWithQuery() ?? '').split('?')[0];
    const [, action, camera] = path.match(/^\/(snapshot|stream)\/(.+)$/) ?? [];
    if (path === '/') {
      send(out, 200, 'text/html; charset=utf-8', page());
    } else if (action && !listCameras().some(({ name }) => name === camera)) {
      send(out, 404, 'text/plain', 'there is no such camera\n');
    } else if (action === 'snapshot') {
      snapshot(out, camera);
    } else if (action === 'stream') {
      stream(out, camera);
    } else {
      send(out, 404, 'text/plain', 'there is no such page\n');
    }
  },
};

function page() {
  const card = ({ name }) => `<p><a href="/snapshot/${name}"><img src="/stream/${name}" alt="${name}"></a>`;
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{guest-name}</title>
<style>
  body { font-family: system-ui, sans-serif; margin: 1rem; }
  img { width: 100%; max-width: 60rem; }
</style>
<h1>{guest-name}</h1>
${listCameras().map(card).join('\n')}
</html>
`;
}

function snapshot(out, camera) {
  const frame = Feed.open(camera).blockingNext(FRAME_TIMEOUT);
  if (!frame) {
    return send(out, 503, 'text/plain', 'there is no picture at the moment\n');
  }
  const { length } = frame.image.info();
  const body = respond(out, 200, { 'content-type': 'image/jpeg', 'content-length': `${length}` });
  const output = body.write();
  // The host sends the image; it is not copied to the memory of this guest.
  const image = frame.image.readViaStream();
  for (let sent = 0n; sent < length; ) {
    sent += output.blockingSplice(image, length - sent);
  }
  finish(body, output);
}

/** Passes the response to the channel of the camera, which has its name. The host writes the body from now on. */
function stream(out, camera) {
  const response = makeResponse(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' });
  const options = { opening: bytes('--frame\r\n'), closing: bytes('--frame--\r\n'), maxRate: undefined, label: '' };
  try {
    join(response.body(), camera, options);
  } catch ({ payload }) {
    return send(out, 503, 'text/plain', `cannot join the stream: ${payload.tag}\n`);
  }
  ResponseOutparam.set(out, { tag: 'ok', val: response });
}

/** Builds the stream of a camera once for all viewers. The host calls it for each channel that has viewers. */
export const publisher = {
  publish(channel) {
    const feed = Feed.open(channel.name());
    const [start, end] = ['Content-Type: image/jpeg\r\nContent-Length: ', '\r\n\r\n'];
    const head = [{ tag: 'bytes', val: bytes(start) }, { tag: 'length' }, { tag: 'bytes', val: bytes(end) }];
    // The delimiter follows the image at once, because browsers show an image only when they have read it.
    const tail = bytes('\r\n--frame\r\n');
    for (;;) {
      // The host makes a part of each frame, until there is none.
      const last = channel.pushFrames(feed, head, tail, REPEAT_INTERVAL);
      last?.image[Symbol.dispose]();
      // While the camera is lost, its placeholder says why.
      const image = feed.placeholder();
      if (image) {
        channel.push(bytes(`${start}${image.info().length}${end}`), image, tail);
        image[Symbol.dispose]();
      }
    }
  },
};

function send(out, status, type, text) {
  const content = bytes(text);
  const body = respond(out, status, { 'content-type': type, 'content-length': `${content.length}` });
  const output = body.write();
  for (let start = 0; start < content.length; start += 4096) {
    output.blockingWriteAndFlush(content.subarray(start, start + 4096));
  }
  finish(body, output);
}

/** Starts a response, and returns its body. */
function respond(out, status, headers) {
  const response = makeResponse(status, headers);
  const body = response.body();
  ResponseOutparam.set(out, { tag: 'ok', val: response });
  return body;
}

function makeResponse(status, headers) {
  const fields = Object.entries({ ...headers, 'cache-control': 'no-store' });
  const response = new OutgoingResponse(Fields.fromList(fields.map(([name, value]) => [name, bytes(value)])));
  response.setStatusCode(status);
  return response;
}

function finish(body, output) {
  output[Symbol.dispose]();
  OutgoingBody.finish(body, undefined);
}
