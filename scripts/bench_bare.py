"""Serve the peer of single requests: a bare aiohttp handler that parses with orjson and answers, nothing else.

python -m scripts.bench_bare       prints its port, serves until its stdin ends
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import uvloop
from aiohttp import web

_ANSWER = b'{"success": true}'


async def handle(request: web.Request) -> web.Response:
    """Parse the body and answer."""
    orjson.loads(await request.read())
    return web.Response(body=_ANSWER, content_type="application/json")


async def _main() -> None:
    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@asynccontextmanager
async def bare_server() -> AsyncIterator[int]:
    """Run the server in a process of its own; give its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.bench_bare",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_main())
