"""Do over HTTP what a member of the demo's audience does: what their browser or mail program would send.

Rules
1. Only public routes are used, as `sdk.js` and mail programs use them; there is no other way from here to the bots.
2. A busy gateway is asked again, a few times and with jitter; what is refused for good is counted, and life goes on.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from learning.audience.answering import Answer
from learning.audience.audience import BROWSER, SCANNER
from learning.audience.cast import Member
from learning.audience.crowd import Act, Click, Import, Leave, Open, Scan
from learning.audience.shopping import Fill, Look, Tell, View

CALL_SECONDS_MAX = 10.0
TRIES_MAX = 6
WAITS_SECONDS = 0.1
AGAIN = frozenset({0, 408, 429, 503})
"""Statuses (0: no answer) after which a browser asks again."""
PAGES_MAX = 1_000
"""Of so many members it is known which page they have open."""

log = structlog.get_logger()

Answers = Callable[[Act, list[dict[str, Any]]], Answer | None]
"""Says what a member does with what the site offers (`Crowd.answer`)."""


class Browser:
    """Act for every member.

    Parameters:
        session: makes the requests.
        local_url: where the gateway is reached from here.
        public_url: where the links of e-mails lead.
        write_key: the shop's.
        answers: what members do with offers.
        waits_seconds: before the second try; each further one waits twice as long.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        local_url: str,
        public_url: str,
        write_key: str,
        answers: Answers,
        waits_seconds: float = WAITS_SECONDS,
    ) -> None:
        self._session = session
        self._local = local_url
        self._public = public_url
        self._key = write_key
        self._answers = answers
        self._waits_seconds = waits_seconds
        self._pages: OrderedDict[int, str] = OrderedDict()
        self.done = 0
        self.refused = 0

    async def do(self, act: Act) -> None:
        """Do one act; what the gateway refuses is counted."""
        match act.do:
            case Import():
                await self._batch([self._identify(act)])
            case View(path):
                await self._view(act, self._public + path)
            case Tell(event, properties):
                await self._batch([self._track(act, event, properties)])
            case Fill(form):
                filled = self._track(act, "Form Submitted", {"form": form}, "f")
                await self._batch([self._fill(act, form), filled])
            case Look():
                await self._look(act)
            case Open(url, agent):
                await self._fetch("GET", url, agent)
            case Scan(url):
                await self._fetch("HEAD", url, BROWSER)
                await self._fetch("GET", url, SCANNER)
            case Click(url):
                to = await self._fetch("GET", url, BROWSER)
                if to:
                    await self._view(act, to)
            case Leave(url):
                await self._ask("POST", url, data={"List-Unsubscribe": "One-Click"})
        self.done += 1

    # What the shop's script would send

    async def _view(self, act: Act, url: str) -> None:
        call = self._call(act, "page", url=url)
        call |= {"properties": {}, "name": "Plain Things"}
        await self._batch([call])
        # As the script does it, only the page that a click led to carries the tag of the e-mail.
        self._pages[act.member.number] = url.partition("?")[0]
        self._pages.move_to_end(act.member.number)
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)

    def _track(
        self, act: Act, event: str, properties: dict[str, Any], more: str = ""
    ) -> dict[str, Any]:
        call = self._call(act, "track", more)
        return call | {"event": event, "properties": properties}

    def _fill(self, act: Act, form: str) -> dict[str, Any]:
        member = act.member
        traits = {"email": member.address}
        if form != "newsletter":
            traits["name"] = f"{member.first_name} {member.last_name}"
        call = self._call(act, "identify")
        call["context"]["consent"]["categoryPreferences"]["email"] = True
        return call | {"traits": traits}

    def _identify(self, act: Act) -> dict[str, Any]:
        """Return the call of the server that imports the list; no browser is known yet."""
        member = act.member
        return {
            "type": "identify",
            "messageId": act.id,
            "userId": f"prospect-{member.number}",
            "timestamp": _now(),
            "traits": {
                "email": member.address,
                "firstName": member.first_name,
                "lastName": member.last_name,
                "timezone": member.person.zone,
            },
            "context": {"consent": {"categoryPreferences": {"email": True}}},
        }

    def _call(self, act: Act, kind: str, more: str = "", *, url: str = "") -> dict[str, Any]:
        before = self._pages.get(act.member.number, "")
        here = url or before or self._public + "/"
        path = urlsplit(here).path or "/"
        return {
            "type": kind,
            "messageId": f"{act.id}{more}",
            "anonymousId": _browser_of(act.member),
            "timestamp": _now(),
            "context": {
                "library": {"name": "mdma.js", "version": "1"},
                "page": {"url": here, "path": path, "referrer": before if url else ""},
                "userAgent": BROWSER,
                "timezone": act.member.person.zone,
                "consent": {"categoryPreferences": {"site": True}},
            },
        }

    async def _batch(self, calls: list[dict[str, Any]]) -> None:
        body = {"writeKey": self._key, "sentAt": calls[0]["timestamp"], "batch": calls}
        await self._post("/v1/batch", body)

    async def _look(self, act: Act) -> None:
        """Ask what stands open, let the server give it to this tab, and answer it."""
        visitor = _browser_of(act.member)
        query = {"visitor": visitor, "writeKey": self._key}
        status, _, body = await self._ask("GET", "/v1/engagements", params=query)
        if status != 200:
            return
        answer = self._answers(act, msgspec.json.decode(body)["engagements"])
        if answer is None:
            return
        told: dict[str, Any] = {
            "visitor": visitor,
            "writeKey": self._key,
            "tab": f"tab of {visitor}",
        }
        path = f"/v1/engagements/{answer.offer}"
        status = await self._post(f"{path}/shown", told | {"messageId": f"{act.id} s"}, over={409})
        if status != 200 or not answer.response:
            return
        told |= {"messageId": f"{act.id} r"}
        if answer.answers:
            told |= {"answers": answer.answers}
        await self._post(f"{path}/{answer.response}", told, over={404, 409})

    # HTTP

    async def _post(
        self, path: str, body: dict[str, Any], over: frozenset[int] | set[int] = frozenset()
    ) -> int:
        """Post as `sdk.js` does, without a preflight; `over` are refusals of what has passed meanwhile."""
        status, _, _ = await self._ask(
            "POST",
            path,
            over,
            data=msgspec.json.encode(body),
            headers={"Content-Type": "text/plain"},
        )
        return status

    async def _fetch(self, method: str, url: str, agent: str) -> str:
        """Fetch an address that stands in an e-mail; return where it leads."""
        _, to, _ = await self._ask(method, url, headers={"User-Agent": agent})
        return to

    async def _ask(
        self, method: str, url: str, over: frozenset[int] | set[int] = frozenset(), **more: Any
    ) -> tuple[int, str, bytes]:
        """Return status, Location and body of the last try."""
        at = self._local + url.removeprefix(self._public)
        status, to, body = 0, "", b""
        for attempt in range(TRIES_MAX):
            try:
                async with self._session.request(
                    method, at, allow_redirects=False, **more
                ) as answer:
                    status, to = answer.status, answer.headers.get("Location", "")
                    body = await answer.read()
            except (aiohttp.ClientError, TimeoutError):
                status = 0
            if status not in AGAIN:
                break
            await asyncio.sleep(self._waits_seconds * 2**attempt * (0.5 + random.random()))  # noqa: S311 - jitter
        if status == 0 or (status >= 400 and status not in over):
            self.refused += 1
            log.warning(
                "demo.refused", method=method, route=_route(url, self._public), status=status
            )
        return status, to, body


def _browser_of(member: Member) -> str:
    """Return the anonymous id of somebody's browser."""
    return f"browser-{member.number}"


def _route(url: str, public: str) -> str:
    """Return what was asked for without what names somebody."""
    return "/".join(url.removeprefix(public).split("?")[0].split("/")[:3])[:16]


def _now() -> str:
    """Return the browser's own clock: only how far `timestamp` and `sentAt` are apart counts."""
    return datetime.now(UTC).isoformat()
