"""Take the e-mails of a chaos run, and hand each visitor theirs in the order in which they came."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiosmtpd.smtp import Envelope

from scripts.bench_smtp import Mailbox

_PIXEL = re.compile(r'src="([^"]*/o/[^"]+\.gif)"')
_LINK = re.compile(r'href="([^"]*/c/[^"]+)"')


class Mail(msgspec.Struct):
    """Hold what a reader can do with an e-mail: when it was written, and where its links lead."""

    at: datetime
    """World time of its Date."""
    pixel: str
    link: str
    """The first tracked link."""
    unsubscribe: str


class ReadMailbox(Mailbox):
    """Remember every e-mail, and keep it for its reader."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: defaultdict[str, asyncio.Queue[bytes]] = defaultdict(asyncio.Queue)

    async def handle_DATA(  # noqa: N802 - the library finds its hooks by these names
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        """Note a message, put it into its readers' boxes, then acknowledge it."""
        before = len(self.seen)
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.seen) > before and isinstance(envelope.content, bytes):
            # Of one that comes twice, which is wrong, the reader takes no second notice.
            for recipient in envelope.rcpt_tos:
                self._waiting[recipient].put_nowait(envelope.content)
        return answer

    async def next(self, recipient: str) -> Mail:
        """Return a recipient's next e-mail, once it has come."""
        return read_mail(await self._waiting[recipient].get())


def read_mail(content: bytes) -> Mail:
    """Read an e-mail as its reader's program does. Raise ValueError where a link is missing."""
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage), "the policy makes these"
    part = message.get_body(("html",))
    html = part.get_content() if part is not None else ""
    found = [pattern.search(html) for pattern in (_PIXEL, _LINK)]
    unsubscribe = str(message["List-Unsubscribe"] or "").strip("<> ")
    if not all(found) or not unsubscribe:
        raise ValueError(f"e-mail {message['Message-ID']} has no pixel, link or way to leave")
    pixel, link = (unescape(each[1]) for each in found if each is not None)
    at = parsedate_to_datetime(str(message["Date"])).astimezone(UTC)
    return Mail(at, _path(pixel), _path(link), _path(unsubscribe))


def _path(url: str) -> str:
    """Return where on the gateway a link leads, whatever name it has to the world."""
    return urlsplit(url).path
