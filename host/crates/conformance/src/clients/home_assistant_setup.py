"""Setting up a camera: GET of both URLs with ten seconds each; only the status counts, but for what a picture is.
Arguments: the stream's URL, the snapshot's."""

import asyncio
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(10):
            stream = await session.get(sys.argv[1])
            stream.raise_for_status()
            # It looks at no byte of the body, and leaves.
            stream.close()
        async with asyncio.timeout(10):
            still = await session.get(sys.argv[2])
            still.raise_for_status()
            body = await still.read()
            if body[:2] != b"\xff\xd8" or body[-2:] != b"\xff\xd9":
                sys.exit(f"{len(body)} bytes that are no whole JPEG")


asyncio.run(main())
