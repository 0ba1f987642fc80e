"""Play the script's visitors against a gateway that dies now and then: retry until acknowledged, and keep a list.

Rules
1. A request goes out again, as it was, until it is answered with 200. What is on the list was acknowledged.
2. A visitor's requests follow each other; visitors are independent.
3. `allow` says how many events may have been sent: so the traffic lasts as long as the faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from scripts.bench_smtp import Mailbox
from scripts.chaos_script import Step, Visitor

CONNECTIONS = 16
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.2
MAIL_SECONDS_MAX = 90.0
"""A buyer whose e-mail may be lost (an uncertain send) buys without it."""


class Client:
    """Send everything; know what was acknowledged."""

    def __init__(self, url: str, write_key: str, box: Mailbox) -> None:
        self.acknowledged: set[str] = set()
        self.rejected: list[str] = []
        self.again = 0
        self._url = f"{url}/v1/batch"
        self._key = write_key
        self._box = box
        self._turn = asyncio.Semaphore(CONNECTIONS)
        self._last_sent_at = 0.0
        """Machine time at which the last acknowledged request had been sent."""
        self._news = asyncio.Event()
        self._is_done = False
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
        while self._last_sent_at <= moment and not self._is_done:
            self._news.clear()
            await self._news.wait()

    async def play(self, visitors: list[Visitor]) -> None:
        """Play all visitors to their end."""
        connector = TCPConnector(limit=CONNECTIONS)
        timeout = ClientTimeout(total=REQUEST_SECONDS)
        async with ClientSession(connector=connector, timeout=timeout) as self._session:
            await asyncio.gather(*(self._visitor(each) for each in visitors))
        self._is_done = True
        self._news.set()

    async def _visitor(self, visitor: Visitor) -> None:
        for step in visitor.steps:
            if step.after_mail:
                with contextlib.suppress(TimeoutError):  # the check names the visitor then
                    await self._box.wait_for(visitor.address, MAIL_SECONDS_MAX)
            await self._step(step)

    async def _step(self, step: Step) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._sent < self._allowed)
            self._sent += len(step.calls)
        body = {"batch": step.calls, "writeKey": self._key}
        async with self._turn:
            while not await self._taken(body):
                self.again += 1
                await asyncio.sleep(PAUSE_SECONDS)
        self.acknowledged.update(str(call["messageId"]) for call in step.calls)

    async def _taken(self, body: dict[str, Any]) -> bool:
        began = time.monotonic()
        try:
            async with self._session.post(self._url, json=body) as answer:
                if answer.status != 200:
                    return False
                told = await answer.json()
        except (ClientError, TimeoutError, OSError):
            return False
        if "rejected" in told:
            self.rejected.append(str(told["rejected"]))
        self._last_sent_at = max(self._last_sent_at, began)
        self._news.set()
        return True
