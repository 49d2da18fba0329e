// Reads five frames by their Content-Length and decodes them.
const done = arguments[0];
(async () => {
    const response = await fetch("STREAM");
    if (!response.ok || !response.body) return `status ${response.status}`;
    const reader = response.body.getReader();
    let held = new Uint8Array(0);
    for (let frames = 0; frames < 5; ) {
        const { done, value } = await reader.read();
        if (done) return `the stream ended after ${frames} frames`;
        const joined = new Uint8Array(held.length + value.length);
        joined.set(held);
        joined.set(value, held.length);
        held = joined;
        const start = held.findIndex((byte, at) => byte == 0xff && held[at + 1] == 0xd8);
        if (start < 0) continue;
        const length = /content-length: *(\d+)/i.exec(String.fromCharCode(...held.slice(0, start)));
        if (!length) return "no Content-Length before FF D8";
        // Mainsail shows a frame when the byte after it arrives.
        const end = start + Number(length[1]);
        if (held.length <= end) continue;
        const bitmap = await createImageBitmap(new Blob([held.slice(start, end)], { type: "image/jpeg" }));
        if (bitmap.width == 0) return "a frame is empty";
        held = held.slice(end + 1);
        frames += 1;
    }
    reader.cancel();
    return "ok";
})().then(done, error => done(String(error)));
