"""The most that our HTTP figures could be: aiohttp's low-level server with a fixed answer and no guest.

``python -m bench.bare PORT``
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


async def _answer(_request: web.BaseRequest) -> web.Response:
    return web.Response(body=b"Hello from C\n", content_type="text/plain")


async def _serve(port: int) -> None:
    server = web.Server(_answer, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    async with listener:
        await listener.serve_forever()


def main() -> None:
    """Serve on the port that the argument names, until the process is ended."""
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
