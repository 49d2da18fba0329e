// Loads an image ten times, with a different query each time, and returns how many loaded.
const done = arguments[0];
(async () => {
    let loaded = 0;
    for (let number = 0; number < 10; number += 1) {
        const image = new Image();
        const url = new URL("SNAPSHOT");
        url.searchParams.set("cacheBust", number);
        image.src = url;
        await image.decode();
        if (image.naturalWidth > 0) loaded += 1;
    }
    return loaded;
})().then(done, error => done(String(error)));
