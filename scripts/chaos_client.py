"""Play the script's visitors against a gateway that dies now and then: retry until acknowledged, and keep a list.

Rules
1. A request goes out again, as it was, until it is answered. What is on the list was acknowledged.
2. A visitor's requests follow each other; visitors are independent.
3. `allow` says how many events may have been sent: so the traffic lasts as long as the faults. Answers to
   e-mails are sent when their time has come.
4. An e-mail is read some minutes of world time after its Date: what comes within two seconds of the hand-over is
   a machine's, and the gate lets the world go on by five minutes while a mail is being handed over.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, TraceConfig

from scripts.chaos_mail import Mail, ReadMailbox
from scripts.chaos_script import CLICK, LEAVE, OPEN, Step, Taken, Visitor, browse, taken
from scripts.chaos_world import WorldTime

CONNECTIONS = 16
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.2
READS_AFTER = timedelta(minutes=20)
READER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ONE_CLICK = "List-Unsubscribe=One-Click"
FACTS = {OPEN: "mail_opened", CLICK: "mail_clicked", LEAVE: "unsubscribed"}
"""Act -> the name under which Behavior counts what the gateway makes of it."""


class Client:
    """Send everything; know what was acknowledged."""

    def __init__(self, url: str, write_key: str, box: ReadMailbox, world: WorldTime) -> None:
        self.acknowledged: dict[str, Taken] = {}
        """messageId -> what must be counted."""
        self.facts: Counter[Taken] = Counter()
        """Opens, clicks and unsubscribes that were answered."""
        self.asked: Counter[Taken] = Counter()
        """And how often their requests went out: one whose answer was lost may have been counted."""
        self.rejected: list[str] = []
        self.again = 0
        self.acting = 0
        """Visitors who have something to do at this moment."""
        self._url = url
        self._key = write_key
        self._box = box
        self._world = world
        self._turn = asyncio.Semaphore(CONNECTIONS)
        self._last_sent_at = 0.0
        """Machine time at which the last acknowledged request had been sent."""
        self._news = asyncio.Event()
        self._is_sent = asyncio.Event()
        self._to_send = 0
        self._sent = 0
        self._allowed = 0.0
        self._more = asyncio.Condition()
        self._session: ClientSession

    async def allow(self, events: float) -> None:
        """Let so many events be sent altogether; infinity: no limit."""
        async with self._more:
            self._allowed = events
            self._more.notify_all()

    async def taken_after(self, moment: float) -> None:
        """Wait until a request that was sent after a moment is acknowledged, or all were."""
        while self._last_sent_at <= moment and not self._is_sent.is_set():
            self._news.clear()
            await self._news.wait()

    async def everything_sent(self) -> None:
        """Wait until all events of the script are acknowledged, answers to e-mails not counted."""
        await self._is_sent.wait()

    async def play(self, visitors: list[Visitor]) -> None:
        """Play all visitors, until each has answered the last e-mail that they answer."""
        self._to_send = len(visitors)
        connector = TCPConnector(limit=CONNECTIONS)
        timeout = ClientTimeout(total=REQUEST_SECONDS)
        traces = TraceConfig()
        traces.on_request_headers_sent.append(self._went_out)
        async with ClientSession(
            connector=connector, timeout=timeout, trace_configs=[traces]
        ) as self._session:
            await asyncio.gather(*(self._visitor(each) for each in visitors))

    async def _visitor(self, visitor: Visitor) -> None:
        async with self._turn:
            for step in visitor.steps:
                await self._step(visitor, step)
        self._to_send -= 1
        if not self._to_send:
            self._is_sent.set()
            self._news.set()
        for number in range(1, max(visitor.row.answers, default=0) + 1):
            mail = await self._box.next(visitor.address)
            self.acting += 1
            try:
                await self._world.reached(mail.at + READS_AFTER)
                for act in visitor.row.answers.get(number, ()):
                    await self._act(visitor, mail, act)
            finally:
                self.acting -= 1

    async def _step(self, visitor: Visitor, step: Step) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._sent < self._allowed)
            self._sent += len(step.calls)
        await self._post(visitor, step.calls)

    async def _act(self, visitor: Visitor, mail: Mail, act: str) -> None:
        if act == OPEN:
            await self._follow(visitor, act, "GET", mail.pixel, 200)
        elif act == LEAVE:
            await self._follow(visitor, act, "POST", mail.unsubscribe, 200)
        elif act == CLICK:
            to = await self._follow(visitor, act, "GET", mail.link, 302)
            await self._post(visitor, [browse(visitor, act, to)])
        else:
            await self._post(visitor, [browse(visitor, act)])

    async def _follow(self, visitor: Visitor, act: str, method: str, path: str, status: int) -> str:
        """Ask for something of an e-mail until it is answered; return where it leads."""
        fact = Taken(visitor.name, FACTS[act])
        body = ONE_CLICK if act == LEAVE else None
        headers = {"User-Agent": READER}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        while True:
            found = await self._answer(
                method, path, data=body, headers=headers, trace_request_ctx=fact
            )
            if found is not None and not _is_to_try_again(found[0]):
                break
            await self._pause()
        if found[0] == status:
            self.facts[fact] += 1
        else:
            self.rejected.append(f"{method} {path[:3]} answered {found[0]}")
        return found[1]

    async def _post(self, visitor: Visitor, calls: list[dict[str, Any]]) -> None:
        """Send events until they are acknowledged."""
        body = {"batch": calls, "writeKey": self._key}
        while True:
            found = await self._answer("POST", "/v1/batch", json=body)
            if found is not None and not _is_to_try_again(found[0]):
                break
            await self._pause()
        if found[0] != 200 or "rejected" in found[2]:
            self.rejected.append(f"/v1/batch answered {found[0]}: {found[2][:200]}")
        if found[0] == 200:
            self.acknowledged |= taken(visitor, calls)

    async def _answer(self, method: str, path: str, **more: Any) -> tuple[int, str, str] | None:
        """Make one request; return status, where it leads, and the text, None where none came."""
        began = time.monotonic()
        request = self._session.request(method, f"{self._url}{path}", allow_redirects=False, **more)
        try:
            async with request as answer:
                text = await answer.text(errors="replace")
        except (ClientError, TimeoutError, OSError):
            return None
        if answer.status < 400:
            self._last_sent_at = max(self._last_sent_at, began)
            self._news.set()
        return answer.status, answer.headers.get("Location", ""), text

    async def _went_out(self, _session: Any, context: SimpleNamespace, _headers: Any) -> None:
        """Count a request that goes out: the library sends some again by itself."""
        if isinstance(context.trace_request_ctx, Taken):
            self.asked[context.trace_request_ctx] += 1

    async def _pause(self) -> None:
        self.again += 1
        await asyncio.sleep(PAUSE_SECONDS)


def _is_to_try_again(status: int) -> bool:
    return status >= 500 or status == 429
