"""Sets up a camera: requests both URLs, with ten seconds for each, and checks the status and the snapshot.
Arguments: the URLs of the stream and the snapshot."""

import asyncio
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(10):
            stream = await session.get(sys.argv[1])
            stream.raise_for_status()
            # Closes the stream without reading it.
            stream.close()
        async with asyncio.timeout(10):
            still = await session.get(sys.argv[2])
            still.raise_for_status()
            body = await still.read()
            if body[:2] != b"\xff\xd8" or body[-2:] != b"\xff\xd9":
                sys.exit(f"{len(body)} bytes that are not a complete JPEG")


asyncio.run(main())
