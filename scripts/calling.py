"""Put the caller of paths' webhooks together from the settings."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from messaging.alerts.webhook import WebhookClient
from messaging.clock import GatedClock, RealClock
from messaging.ports import Store
from messaging.webhooks.caller import UNSIGNED, Caller, JournalFact
from scripts.compose import Wiring


class Calling:
    """Run the caller with its connections. Parameters: the settings, the store, the clock, the way into the journal."""

    def __init__(
        self, wiring: Wiring, store: Store, clock: RealClock, journal: JournalFact
    ) -> None:
        self._client: WebhookClient | None = None
        why_not = "" if wiring.webhook_secret else UNSIGNED
        if isinstance(clock, GatedClock) and not wiring.webhook_private:
            why_not = "this world is made up: nobody is called"
        if not why_not:
            self._client = WebhookClient(
                "", wiring.webhook_secret, allow_private=wiring.webhook_private
            )
        # Chance spreads tries: no decision hangs on it.
        self._caller = Caller(
            store,
            clock,
            self._client,
            journal,
            random.random,
            wall_now=lambda: datetime.now(UTC),
            why_not=why_not,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await self._caller.run()

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()
