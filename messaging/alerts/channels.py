"""Tell a notice by a channel: what a try comes to, whichever channel it was.

Rules
1. An e-mail is handed over once: a try that may have arrived is `uncertain`, and final.
2. A webhook may arrive twice with one id: a try that may have arrived is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import aiohttp
import msgspec

from messaging.alerts.mail import mail_of
from messaging.alerts.notice import Notice, body_of
from messaging.alerts.webhook import GONE, WebhookClient
from messaging.outside import Refused
from messaging.ports import MailTransport
from messaging.vocabulary.addresses import AddressRefused

DELIVERED, AGAIN, FAILED, UNCERTAIN = "delivered", "again", "failed", "uncertain"


class Outcome(msgspec.Struct, frozen=True):
    """Say what one try came to."""

    status: str
    """`delivered`, `again` (later), `failed` or `uncertain`."""
    reason: str = ""


class Channel(Protocol):
    """Tell notices."""

    name: str
    may_repeat: bool
    """Whether a try that was cut off by a crash is made again."""

    async def tell(self, notice: Notice, now: datetime) -> Outcome:
        """Make one try within a time-out; nothing is raised for what the world does."""
        ...


class MailChannel:
    """Tell by e-mail, through the transport that all e-mails take."""

    name = "email"
    may_repeat = False

    def __init__(
        self, transport: MailTransport, sender: tuple[str, str], to: tuple[str, str]
    ) -> None:
        self._transport = transport
        self._sender = sender
        self._to = to

    async def tell(self, notice: Notice, now: datetime) -> Outcome:
        """Hand one e-mail over."""
        try:
            message = mail_of(notice, sender=self._sender, to=self._to, now=now)
        except AddressRefused:
            return Outcome(FAILED, "the address cannot be written to")
        found = await self._transport.send(self._sender[1], self._to[1], message)
        statuses = {"handed over": DELIVERED, "deferred": AGAIN, "uncertain": UNCERTAIN}
        reason = "" if found.outcome == "handed over" else f"{found.code} {found.reason}".strip()
        return Outcome(statuses.get(found.outcome, FAILED), reason)


class WebhookChannel:
    """Tell by a signed webhook. `wall_now` is the real time: the receiver compares it with its own."""

    name = "webhook"
    may_repeat = True

    def __init__(self, client: WebhookClient, wall_now: Callable[[], datetime]) -> None:
        self._client = client
        self._wall_now = wall_now

    async def tell(self, notice: Notice, now: datetime) -> Outcome:
        """Post once."""
        del now
        seconds = int(self._wall_now().timestamp())
        try:
            status = await self._client.post(f"msg_{notice.id}", seconds, body_of(notice))
        except Refused as error:
            return Outcome(FAILED, str(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Outcome(AGAIN, type(error).__name__)  # its words may hold the address
        except ValueError:  # of a host that no client can ask for
            return Outcome(FAILED, "the address cannot be called")
        if 200 <= status < 300:
            return Outcome(DELIVERED)
        return Outcome(FAILED if status == GONE else AGAIN, f"status {status}")
