"""Put the notifier together from the settings: which channels there are, and what closes with it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parseaddr

from messaging.alerts.channels import Channel, MailChannel, WebhookChannel
from messaging.alerts.notifier import Notifier
from messaging.alerts.webhook import WebhookClient
from messaging.clock import RealClock
from messaging.mail.pool import SmtpPool
from messaging.mail.target import parse_smtp_url
from messaging.ports import Store
from scripts.compose import Wiring


class Alerting:
    """Run a notifier with its connections. Parameters: the settings, the store, the clock."""

    def __init__(self, wiring: Wiring, store: Store, clock: RealClock) -> None:
        self._pool: SmtpPool | None = None
        self._client: WebhookClient | None = None
        channels: list[Channel] = []
        if wiring.alert_email:
            to = parseaddr(wiring.alert_email)
            self._pool = SmtpPool(parse_smtp_url(wiring.smtp_url), sessions=1)
            # Without a sender of our own the reader is the one address that is known to exist.
            sender = parseaddr(wiring.sender) if wiring.sender else ("MDMA", to[1])
            channels.append(MailChannel(self._pool, sender, to))
        if wiring.alert_webhook:
            self._client = WebhookClient(
                wiring.alert_webhook,
                wiring.alert_webhook_secret,
                allow_private=wiring.alert_webhook_private,
            )
            channels.append(WebhookChannel(self._client, lambda: datetime.now(UTC)))
        # Chance spreads tries: no decision hangs on it.
        self._notifier = Notifier(store, clock, channels, wiring.public_url, random.random)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._notifier.run()

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()
        if self._client is not None:
            await self._client.close()
