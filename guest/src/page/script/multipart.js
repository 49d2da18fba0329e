// An incremental parser for multipart bodies (RFC 2046) in which every part has a Content-Length.

const MAX_HEADERS_LENGTH = 16 << 10, MAX_BODY_LENGTH = 64 << 20;

// Yields the headers and the body of each part until the stream ends. Calls `onData` whenever bytes arrive.
async function* readParts(stream, onData) {
  const reader = stream.getReader();
  let buffer = new Uint8Array(0);
  // Reads until the buffer has at least `length` bytes. Returns false at the end of the stream.
  async function fill(length) {
    const chunks = [buffer];
    let total = buffer.length;
    while (total < length) {
      const { done, value } = await reader.read();
      if (done) return false;
      onData();
      chunks.push(value);
      total += value.length;
    }
    if (chunks.length > 1) {
      buffer = new Uint8Array(total);
      let offset = 0;
      for (const chunk of chunks) {
        buffer.set(chunk, offset);
        offset += chunk.length;
      }
    }
    return true;
  }
  for (;;) {
    let end;
    while ((end = endOfHeaders(buffer)) < 0) {
      if (buffer.length > MAX_HEADERS_LENGTH || !await fill(buffer.length + 1)) return;
    }
    const headers = new Map();
    // The boundary is a line without a colon.
    for (const line of new TextDecoder().decode(buffer.subarray(0, end)).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = Number(headers.get("content-length"));
    if (!(length > 0 && length <= MAX_BODY_LENGTH) || !await fill(end + length)) return;
    yield { headers, body: buffer.subarray(end, end + length) };
    buffer = buffer.subarray(end + length);
  }
}

// Returns the offset after the first empty line, or -1. The line break before a boundary is not an empty line, so the
// search starts after it.
function endOfHeaders(bytes) {
  for (let offset = 2; offset + 3 < bytes.length; offset++) {
    if (bytes[offset] === 13 && bytes[offset + 1] === 10 && bytes[offset + 2] === 13 && bytes[offset + 3] === 10) return offset + 4;
  }
  return -1;
}
