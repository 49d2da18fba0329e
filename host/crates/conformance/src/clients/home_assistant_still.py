"""A still picture out of the stream: pieces are put together until FF D9 is there, and all from FF D8 to it is the
picture. Argument: the stream's URL."""

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
    sys.exit("the stream ended before a picture did")


picture = asyncio.run(still())
if picture[:2] != b"\xff\xd8" or picture[-2:] != b"\xff\xd9" or len(picture) < 100:
    sys.exit(f"{len(picture)} bytes that are no whole JPEG")
must_decode(picture, "picture")
