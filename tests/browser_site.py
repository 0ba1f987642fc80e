"""Serve a site and the gateway's side of the protocol to a browser, and record what comes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from html import escape
from typing import Any

from aiohttp import web

from messaging.gateway.assets import sdk, serve

KEY = "a-key"
CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'"
)
PROBLEM = "application/problem+json"
TEXT = "<p>Some words.</p>" * 200


class FakeGateway:
    """Keep to the engagement protocol exactly; `refusals` are the next answers to batches."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: dict[str, dict[str, Any]] = {}
        self.batches: list[dict[str, Any]] = []
        self.refusals: list[int] = []
        self.streams_allowed = True
        self.offered: dict[str, dict[str, Any]] = {}
        self.withdrawn: list[str] = []
        self.shown_by: dict[str, str] = {}
        self.responses: dict[str, tuple[str, str, dict[str, Any]]] = {}
        self.polls = 0
        self.streams: set[asyncio.Queue[tuple[str, dict[str, Any]]]] = set()
        self.cursor = 0
        self.attributes = 'data-consent="assumed"'
        self.body = f"<h1>Hello</h1><a href='/other'>Other</a>{TEXT}"
        self.head = ""

    # what a test asks and does

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [call for call in self.calls.values() if call["type"] == kind]

    def tracked(self, event: str) -> list[dict[str, Any]]:
        return [call for call in self.of_type("track") if call["event"] == event]

    def offer(self, id_: str, type_: str, **more: Any) -> None:
        content = more.pop(
            "content", {"title": f"Title of {id_}", "text": "Words.", "dismiss": "No"}
        )
        self.offered[id_] = {
            "id": id_,
            "type": type_,
            "trigger": more.pop("trigger", "now"),
            "name": f"interaction-{id_}",
            "content": content,
            "expires_at": "2001-01-01T00:00:00Z",  # world time: no browser may judge it
        }
        self._tell("engagement", self.offered[id_])

    def withdraw(self, id_: str) -> None:
        self.offered.pop(id_)
        self.withdrawn.append(id_)
        self._tell("withdrawn", {"id": id_})

    def answered(self, id_: str, what: str) -> dict[str, Any] | None:
        found = [body for i, w, body in self.responses.values() if (i, w) == (id_, what)]
        return found[0] if found else None

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        self.cursor += 1
        for stream in self.streams:
            stream.put_nowait((name, data))

    # routes

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/sdk.js", serve(sdk())),
                web.post("/v1/batch", self.batch),
                web.get("/v1/engagements", self.engagements),
                web.post("/v1/engagements/{id}/{what}", self.respond),
                web.get("/{path:(?!favicon).*}", self.page),
            ]
        )
        return app

    async def page(self, _: web.Request) -> web.Response:
        html = (
            f'<!doctype html><html lang="en"><head><title>A page</title>{self.head}'
            f'<meta name="viewport" content="width=device-width">'
            f'<script async src="/sdk.js" data-write-key="{escape(KEY)}" {self.attributes}></script>'
            f"</head><body><main>{self.body}</main></body></html>"
        )
        return web.Response(
            text=html, content_type="text/html", headers={"Content-Security-Policy": CSP}
        )

    async def batch(self, request: web.Request) -> web.Response:
        assert request.content_type == "text/plain", "anything else needs a preflight"
        body = json.loads(await request.text())
        assert body["writeKey"] == KEY
        assert body["sentAt"]
        if self.refusals:
            status = self.refusals.pop(0)
            self.batches.append({"status": status, **body})
            return web.Response(status=status)
        self.batches.append({"status": 200, **body})
        for call in body["batch"]:
            self.calls.setdefault(call["messageId"], call)
        return web.json_response({"success": True})

    async def engagements(self, request: web.Request) -> web.StreamResponse:
        assert request.query["writeKey"] == KEY
        assert request.query["visitor"]
        if "text/event-stream" not in request.headers["Accept"]:
            self.polls += 1
            answer = {
                "engagements": list(self.offered.values()),
                "withdrawn": self.withdrawn,
                "cursor": str(self.cursor),
                "poll_seconds": 1,
            }
            return web.json_response(answer)
        if not self.streams_allowed:
            return web.Response(status=503)
        return await self._stream(request)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 3000\n\n: hello\n\n")
        queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        for each in self.offered.values():
            queue.put_nowait(("engagement", each))
        self.streams.add(queue)
        try:
            while True:
                name, data = await queue.get()
                text = f"id: {self.cursor}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
                await response.write(text.encode())
        finally:
            self.streams.discard(queue)

    async def respond(self, request: web.Request) -> web.Response:
        id_, what = request.match_info["id"], request.match_info["what"]
        body = json.loads(await request.text())
        assert body["writeKey"] == KEY
        assert body["visitor"]
        if id_ not in self.offered and id_ not in self.withdrawn:
            return web.json_response({"status": 404}, status=404, content_type=PROBLEM)
        if what == "shown":
            taken = self.shown_by.setdefault(id_, body["tab"]) != body["tab"]
            if taken or id_ in self.withdrawn:
                return web.json_response({"status": 409}, status=409, content_type=PROBLEM)
        self.responses.setdefault(body["messageId"], (id_, what, body))
        return web.json_response({"success": True})


@asynccontextmanager
async def a_fake_gateway():
    """Serve on a free port of loopback; streams end with it."""
    gateway = FakeGateway()
    runner = web.AppRunner(gateway.app(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        await runner.cleanup()


async def until(true, seconds: float = 20.0) -> Any:
    """Wait until something holds, and return it."""
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if found:
                return found
            await asyncio.sleep(0.02)


async def holds(page: Any, what: str, seconds: float = 20.0) -> None:
    """Wait until an expression is true at a frame, also in a page that forbids the `eval` of `wait_for_function`.

    At a frame the page has been told of what was scrolled before.
    """
    look = f"new Promise(done => requestAnimationFrame(() => done(!!({what}))))"
    async with asyncio.timeout(seconds):
        while not await page.evaluate(look):
            await asyncio.sleep(0.02)
