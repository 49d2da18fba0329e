"""Extracts a still image: reads the stream up to the first FF D9 and takes everything from FF D8 on.
Argument: the URL of the stream."""

import asyncio
import sys

import aiohttp


async def still():
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        async with session.get(sys.argv[1]) as response:
            response.raise_for_status()
            held = b""
            async for piece in response.content.iter_chunked(102400):
                held += piece
                end = held.find(b"\xff\xd9")
                start = held.find(b"\xff\xd8")
                if end >= 0 and start >= 0:
                    return held[start : end + 2]
    sys.exit("the stream ended within an image")


image = asyncio.run(still())
if image[:2] != b"\xff\xd8" or image[-2:] != b"\xff\xd9" or len(image) < 100:
    sys.exit(f"{len(image)} bytes that are not a complete JPEG")
must_decode(image, "image")
