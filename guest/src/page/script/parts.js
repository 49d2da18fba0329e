// Reading a multipart body (RFC 2046) whose parts all tell their length, piece by piece as it comes.

const HEAD_LIMIT = 16 << 10, BODY_LIMIT = 64 << 20;

// Yields the headers and the bytes of each part until the stream ends. Calls `heard` whenever bytes have come.
async function* readParts(stream, heard) {
  const reader = stream.getReader();
  let held = new Uint8Array(0);
  // Read until that many bytes are held. Returns false at the end of the stream.
  async function hold(length) {
    const pieces = [held];
    let total = held.length;
    while (total < length) {
      const { done, value } = await reader.read();
      if (done) return false;
      heard();
      pieces.push(value);
      total += value.length;
    }
    if (pieces.length > 1) {
      held = new Uint8Array(total);
      let at = 0;
      for (const piece of pieces) {
        held.set(piece, at);
        at += piece.length;
      }
    }
    return true;
  }
  for (;;) {
    let end;
    while ((end = endOfHead(held)) < 0) {
      if (held.length > HEAD_LIMIT || !await hold(held.length + 1)) return;
    }
    const headers = new Map();
    // The boundary is a line without a colon.
    for (const line of new TextDecoder().decode(held.subarray(0, end)).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = Number(headers.get("content-length"));
    if (!(length > 0 && length <= BODY_LIMIT) || !await hold(end + length)) return;
    yield { headers, body: held.subarray(end, end + length) };
    held = held.subarray(end + length);
  }
}

// Where the first empty line ends, or -1. A boundary begins with a line break of its own, which is none.
function endOfHead(bytes) {
  for (let at = 2; at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return -1;
}
