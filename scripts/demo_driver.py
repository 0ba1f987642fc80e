"""Drive the demo's audience: let each act happen when the world clock reaches it, and let the clock wait for it.

Rules
1. The driver is a part of the world: it tells the world clock's gate what is due and not done, so that nobody in the
   audience is ever late because the machine is slow.
2. Acts of one member happen one after the other; of many, side by side up to a bound.
3. An act that fails is counted and left out: a demo goes on.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path

import structlog

from agents.runtime.gate import GateReport
from learning.audience.crowd import Act, Crowd, MailSeen
from messaging.clock import RealClock
from scripts.demo_browser import Browser

AT_ONCE_MAX = 16
REST_SECONDS = 0.02
"""Longest rest: an e-mail may bring an act that is due sooner than the next one known."""

_LINK = re.compile(r'href="([^"]*/c/[^"]+)"')
_PIXEL = re.compile(r'src="([^"]*/o/[^"]+\.gif)"')

log = structlog.get_logger()


class Driver:
    """Let a crowd act.

    Parameters:
        crowd: says who does what, and when.
        browser: does it.
        clock: the world's.
    """

    def __init__(self, crowd: Crowd, browser: Browser, clock: RealClock) -> None:
        self._crowd = crowd
        self._browser = browser
        self._clock = clock
        self._under_way: dict[asyncio.Task[None], datetime] = {}
        self._last: dict[int, asyncio.Task[None]] = {}
        self._oldest: datetime | None = None
        self._ended = False

    def report(self) -> GateReport:
        """Return what the world clock must wait for: what was under way since the last report, and what comes next."""
        if self._ended:
            return GateReport(None, None)
        held = self._oldest
        self._oldest = min(self._under_way.values(), default=None)
        return GateReport(held, self._crowd.due())

    def deliver(self, path: Path) -> None:
        """Take an e-mail that lies in the sink."""
        self._crowd.deliver(read_mail(path.read_bytes()))

    async def run(self) -> None:
        """Let everybody act until cancelled."""
        try:
            while True:
                seconds = self._clock.seconds_until(self._crowd.due())
                if seconds != 0.0 or len(self._under_way) >= AT_ONCE_MAX:
                    await asyncio.sleep(min(seconds or REST_SECONDS, REST_SECONDS))
                    continue
                act = self._crowd.next()
                if act is not None:
                    self._begin(act)
        finally:
            for task in list(self._under_way):
                task.cancel()

    def end(self) -> None:
        """Hold the clock no more."""
        self._ended = True

    def _begin(self, act: Act) -> None:
        number = act.member.number
        task = asyncio.create_task(self._do(act, self._last.get(number)))
        self._last[number] = task
        self._under_way[task] = act.at
        self._oldest = act.at if self._oldest is None else min(self._oldest, act.at)
        task.add_done_callback(lambda done: self._done(number, done))

    async def _do(self, act: Act, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._browser.do(act)

    def _done(self, number: int, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if self._last.get(number) is task:
            del self._last[number]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("demo.act_failed", error=type(error).__name__, reason=str(error)[:200])


def read_mail(raw: bytes) -> MailSeen:
    """Return what a reader has of an e-mail, from its bytes."""
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("html",))
    html = part.get_content() if part is not None else ""
    pixel = _PIXEL.search(html)
    return MailSeen(
        address=str(message["To"]),
        at=parsedate_to_datetime(str(message["Date"])).astimezone(UTC),
        subject=str(message["Subject"]),
        pixel=unescape(pixel[1]) if pixel is not None else "",
        links=tuple(dict.fromkeys(unescape(link) for link in _LINK.findall(html))),
        leave=str(message["List-Unsubscribe"] or "").strip("<> "),
    )
