"""Bad input on every page and form of the console, by somebody who is logged in: an answer each time, never a 5xx."""

from __future__ import annotations

import itertools
import re

import pytest

from messaging.gateway.route import SESSION
from messaging.gateway.routes import all_routes
from tests.console_builders import a_console, form_key, lived_in, log_in

ROUTES = [
    (route.method, route.path, route.query)
    for route in all_routes()
    if route.access == SESSION and not route.path.endswith("/logout")
]
FIELDS = ("to", "file", "text", "base", "version", "instead_of", "runs", "stage", "word", "id")
HOSTILE = (
    "",
    "\0",
    "/console/\0x",
    "/console/\r\nX: y",
    "//evil.example",
    "9999-12-31T23:59:59-23:59~a",
    "0001-01-01T00:00:00+23:00~a",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "x" * 5_000,
    "-1",
    "9" * 40,
    "../../etc/passwd",
    "<script>alert(1)</script>",
)
PIECES = ("%00", "a%0d%0aX:b", "%FF", "..%2F..%2Fx", "x" * 600, "invite-hello", "1", "resume")


@pytest.mark.parametrize(("method", "path", "query"), ROUTES)
async def test_whatever_is_asked_there_is_an_answer(
    method: str, path: str, query: tuple[str, ...]
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        key = await form_key(session)
        for number, value in enumerate(HOSTILE):
            pieces = itertools.cycle(PIECES[number % len(PIECES) :] + PIECES)
            where = re.sub(r"{\w+}", lambda _, some=pieces: next(some), path)
            form = {"form_key": key, **dict.fromkeys(FIELDS, value)}
            async with session.request(
                method,
                where,
                params=dict.fromkeys(query or (), value),
                data=form if method == "POST" else None,
                allow_redirects=False,
            ) as answer:
                assert answer.status < 500, (where, value)
                assert "evil" not in answer.headers.get("Location", "")
                assert "<script>alert" not in await answer.text()
