"""Run an SMTP server that only counts: which Message-IDs came, how often, and when."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

SIZE_MAX = 1_000_000


class Mailbox:
    """Remember every e-mail by its Message-ID."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: Counter[str] = Counter()
        self.arrived: dict[str, float] = {}
        """Message-ID -> machine time of its first coming."""
        self.by_recipient: dict[str, float] = {}
        """Recipient -> machine time of the first e-mail to them."""
        self.recipients: dict[str, str] = {}
        self._news = asyncio.Event()

    async def handle_DATA(  # noqa: N802 - the library finds its hooks by these names
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        """Note a message, then acknowledge it."""
        del server, session
        now = time.monotonic()
        content = envelope.content
        body = content if isinstance(content, bytes) else (content or "").encode()
        head = BytesHeaderParser().parsebytes(body.partition(b"\r\n\r\n")[0], headersonly=True)
        message_id = str(head["Message-ID"]).strip().strip("<>")
        self.seen[message_id] += 1
        self.arrived.setdefault(message_id, now)
        for recipient in envelope.rcpt_tos:
            self.by_recipient.setdefault(recipient, now)
            self.recipients[message_id] = recipient
        self._news.set()
        return "250 2.0.0 OK"

    async def wait_for(self, recipient: str, seconds: float) -> float:
        """Return the machine time of the first e-mail to a recipient. Raise TimeoutError."""
        async with asyncio.timeout(seconds):
            while recipient not in self.by_recipient:
                self._news.clear()
                await self._news.wait()
        return self.by_recipient[recipient]


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Listen on a free port of this machine for a while."""
    box = Mailbox()
    async with listening(box):
        yield box


@asynccontextmanager
async def listening(box: Mailbox) -> AsyncIterator[None]:
    """Put what comes to a free port of this machine into a box, for a while."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, data_size_limit=SIZE_MAX, loop=loop, hostname="bench.invalid"),
        "127.0.0.1",
        0,
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
