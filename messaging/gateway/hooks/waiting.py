"""Let a refund that names nobody wait for its order: by itself it begins no visitor.

Rules
1. A webhook's refund that carries no address is somebody's only by the key that it shares with its order. Where that
   leads to nobody it waits here: its order may be on its way (sources try again for days), or it was told by another
   way or is of somebody who was erased, and then no visitor is to come of it.
2. What waits is durable before it is acknowledged, and goes into the journal once its key leads to somebody. That is
   looked for all the time, so that it does not matter which of the two was taken first.
3. What is known to be of somebody who was erased does not wait: Behavior knows it again, and lets nothing of it stay.
4. After `WAIT_FOR` it is forgotten and counted. No source tries so long to tell of an order.
5. Any gateway may look: the journal knows what it has by its message id, and removing twice is removing once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from messaging.gateway.hooks.sale import ORDERED, Sale, hook_id
from messaging.gateway.problems import ProblemError
from messaging.gateway.supervise import end, supervise
from messaging.mail.tokens import key_hash
from messaging.ports import Clock, Store
from messaging.vocabulary.errors import WorldError
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import anonymous_key, erased_key, order_key

log = structlog.get_logger()

WAITING = "refunds_waiting"
WAIT_FOR = timedelta(days=4)
"""Stripe tries for three days what was not taken, Shopify for two."""

PAGE = 500
"""Looked at in one go."""

Take = Callable[[list[Record]], Awaitable[list[bool]]]


class WaitingRefunds:
    """Keep refunds until they are somebody's.

    Parameters:
        store: where they wait, and where keys lead to visitors.
        take: makes records durable in the journal.
        secret: keys are made of it.
        clock: world time says when they waited long enough.
        look_seconds: pause between two looks.
    """

    def __init__(
        self, store: Store, take: Take, secret: bytes, clock: Clock, look_seconds: float
    ) -> None:
        self._store = store
        self._take = take
        self._secret = secret
        self._clock = clock
        self._look_seconds = look_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = supervise("refunds", self._look_on)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            await end(self._task)

    async def sort(self, sales: list[Sale], records: list[Record]) -> list[Record]:
        """Return the records that may be taken now; the others wait, and are durable."""
        due = []
        for sale, record in zip(sales, records, strict=True):
            if sale.event == ORDERED or sale.address or await self._is_somebodys(sale):
                due.append(record)
                continue
            fields = {
                "at": record.received_at,
                "key": self._key(sale),
                "record": msgspec.msgpack.encode(record),
            }
            # Told again it waits since it was told first.
            await self._store.swap_document(WAITING, record.message_id, fields, None)
        return due

    def _key(self, sale: Sale) -> str:
        return anonymous_key(hook_id(sale, self._secret))

    async def _is_somebodys(self, sale: Sale) -> bool:
        """Say whether its key leads to somebody, or it is known to be of somebody who was erased."""
        key = self._key(sale)
        theirs = [key, *(order_key(each) for each in (sale.order_id, sale.payment_id) if each)]
        noted = [erased_key(key_hash(self._secret, each)) for each in theirs]
        return bool(await self._store.identities([key, *noted]))

    async def look(self) -> int:
        """Take what is somebody's by now, forget what waited too long; return how many were taken."""
        taken = 0
        after: tuple[datetime, str] | None = None
        while rows := await self._store.rows(WAITING, {}, limit=PAGE, newest=False, after=after):
            after = (rows[-1]["at"], rows[-1]["id"])
            known = await self._store.identities(sorted({row["key"] for row in rows}))
            now = self._clock.now()
            for row in rows:
                if row["key"] in known:
                    record = msgspec.msgpack.decode(row["record"], type=Record)
                    await self._take([msgspec.structs.replace(record, received_at=now)])
                    taken += 1
                elif now - row["at"] < WAIT_FOR:
                    continue
                else:
                    log.info("refund.forgotten", waited_days=WAIT_FOR.days)
                await self._store.remove_document(WAITING, row["id"])
        return taken

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except (WorldError, ProblemError) as error:
                log.warning("refunds.unavailable", error=type(error).__name__)
            await self._clock.sleep(self._look_seconds)
