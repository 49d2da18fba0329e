"""Proxies the stream to browsers with its Content-Type, until ten seconds pass without data.
Argument: the URL of the stream."""

import asyncio
import sys

import aiohttp
from aiohttp import web


async def main():
    problem = []

    async def proxy(request):
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(10):
                upstream = await session.get(sys.argv[1])
            answer = web.StreamResponse()
            if "Content-Type" not in upstream.headers:
                problem.append("the stream has no Content-Type")
                return web.Response(status=502)
            answer.content_type = upstream.headers["Content-Type"]
            await answer.prepare(request)
            try:
                while True:
                    async with asyncio.timeout(10):
                        piece = await upstream.content.read(102400)
                    if not piece:
                        problem.append("the stream ended")
                        break
                    await answer.write(piece)
            except TimeoutError:
                problem.append("ten seconds passed without data")
            except (ConnectionError, asyncio.CancelledError):
                # The browser left.
                pass
            return answer

    application = web.Application()
    application.router.add_get("/", proxy)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    frames = 0
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            kind = response.headers.get("Content-Type", "")
            if not kind.startswith("multipart/x-mixed-replace") or "boundary=" not in kind:
                problem.append(f"the Content-Type behind the proxy is {kind!r}")
            last = b""
            try:
                async with asyncio.timeout(14):
                    while frames < 5:
                        piece = await response.content.read(102400)
                        if not piece:
                            break
                        frames += (last[-1:] + piece).count(b"\xff\xd8")
                        last = piece
            except TimeoutError:
                pass
    if problem:
        sys.exit(problem[0])
    if frames < 5:
        sys.exit(f"the proxy received {frames} frames in 14 s, not 5")
    await runner.cleanup()


asyncio.run(main())
