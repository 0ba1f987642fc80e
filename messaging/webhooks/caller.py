"""Call the webhooks that paths queued with their batches, and journal what they came to.

Rules
1. A try is noted before it is made. After a crash it is made again under the same id, by which receivers know a repeat
   (Standard Webhooks); of two answers to one call the journal takes the first: its message id is derived from the call.
2. What came of a call is journaled before its row says so: a row that says it is never without its fact.
3. Tries are limited, with growing pauses and jitter. Only what may be better later is tried again.
4. A row that is gone (its visitor was erased) is not written again.
5. What a row has told of its visitor goes once nothing more comes of the call; what remains says that there was one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import aiohttp
import msgspec
import structlog

from messaging.outside import Refused
from messaging.ports import Clock, Store
from messaging.vocabulary.errors import WorldError
from messaging.vocabulary.events import Fact, WebhookAnswered
from messaging.vocabulary.ids import own_id
from messaging.webhooks.answers import traits_of

log = structlog.get_logger()

WEBHOOKS = "webhooks"
WAITING, CALLING, ANSWERED, FAILED = "waiting", "calling", "answered", "failed"

ANSWER_BYTES_MAX = 64 * 1024
AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 after which the same call may succeed later."""

UNSIGNED = "no secret is set (MDMA_WEBHOOK_SECRET)"
PAUSE = ("control", "pause")
"""`messaging.gateway.acts.PAUSE`: what is held."""

JournalFact = Callable[[Fact, str], Awaitable[bool]]
"""(fact, message id) -> whether it is new."""


class Asks(Protocol):
    """Post a signed body (`messaging.alerts.webhook.WebhookClient`)."""

    async def ask(
        self, address: str, id_: str, seconds: int, body: bytes, *, bytes_max: int
    ) -> tuple[int, bytes]:
        """Return status and body. Raise Refused, or what the world does."""
        ...


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the caller's work. All seconds are machine time."""

    tries_max: int = 6
    pause_seconds_first: float = 5.0
    pause_seconds_max: float = 300.0
    look_seconds: float = 2.0
    fetch_max: int = 200
    pages_max: int = 50
    """Pages of `fetch_max` that are looked through for what is due."""
    at_once_max: int = 8


class Caller:
    """Call what waits.

    Parameters:
        store: where the calls are queued.
        clock: tells world time, and sleeps.
        client: posts; None: every call fails at once, `why_not` says of what.
        journal: writes what came of a call into the journal.
        jitter: gives a number in [0, 1) that spreads tries.
        wall_now: tells the machine's own time: receivers hold a call's against theirs.
        pace: bounds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        client: Asks | None,
        journal: JournalFact,
        jitter: Callable[[], float],
        *,
        wall_now: Callable[[], datetime],
        pace: Pace | None = None,
        why_not: str = UNSIGNED,
    ) -> None:
        self._why_not = why_not
        self._store = store
        self._clock = clock
        self._client = client
        self._journal = journal
        self._jitter = jitter
        self._wall_now = wall_now
        self._pace = pace or Pace()
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Work until cancelled; what the store or the journal refuse now is done later."""
        is_started = False
        while True:
            try:
                if not is_started:
                    await self.start()
                    is_started = True
                await self.look()
            except* WorldError as group:
                # What was cut off in the middle waits again: the first failure ends the tries beside it.
                is_started = False
                log.warning("webhooks.interrupted", errors=len(group.exceptions))
            await self._clock.sleep(self._pace.look_seconds)

    async def start(self) -> None:
        """Let what was cut off in the middle of a try wait again."""
        for row in await self._rows(CALLING):
            await self._swap(row, status=WAITING)

    async def look(self) -> int:
        """Try everything that is due, a few at once; return how much was."""
        due = await self._due()
        room = asyncio.Semaphore(self._pace.at_once_max)

        async def one(row: dict[str, Any]) -> None:
            async with room:
                await self._try(row)

        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(one(row))
        return len(due)

    async def _due(self) -> list[dict[str, Any]]:
        """Return what is to be tried now, the oldest first: what is held, or in its pause, stands before nobody."""
        rows = await self._rows(WAITING)
        if not rows:
            return []
        paused = (await self._store.get_document(*PAUSE) or {}).get("paths", [])
        now, due = self._clock.machine(), []
        for _ in range(self._pace.pages_max):
            due += [
                row
                for row in rows
                if now >= self._not_before.get(row["id"], 0.0)
                and paused != "all"
                and row["path"] not in paused
            ]
            if len(rows) < self._pace.fetch_max or len(due) >= self._pace.fetch_max:
                break
            rows = await self._rows(WAITING, (rows[-1]["at"], rows[-1]["id"]))
        return due

    async def _rows(
        self, status: str, after: tuple[datetime, str] | None = None
    ) -> list[dict[str, Any]]:
        limit = self._pace.fetch_max
        return await self._store.rows(
            WEBHOOKS, {"status": status}, limit=limit, newest=False, after=after
        )

    async def _try(self, row: dict[str, Any]) -> None:
        is_over = row["tries"] >= self._pace.tries_max  # and what came of the last was never noted
        if not await self._swap(row, status=CALLING, tries=row["tries"] + 1):
            return  # it is gone, or somebody else's
        status, traits, reason = (FAILED, {}, "given up") if is_over else await self._called(row)
        if status == WAITING and row["tries"] >= self._pace.tries_max:
            status = FAILED
        if status == WAITING:
            pause = self._pace.pause_seconds_first * 2 ** (row["tries"] - 1)
            pause = min(pause, self._pace.pause_seconds_max) * (0.5 + self._jitter())
            self._not_before[row["id"]] = self._clock.machine() + pause
        else:
            self._not_before.pop(row["id"], None)
            if await self._store.get_document(WEBHOOKS, row["id"]) is None:
                return  # erased meanwhile: nothing is told of them any more
            await self._tell(row, status, reason, traits)
        over: dict[str, Any] = {} if status == WAITING else {"data": {}}
        await self._swap(row, status=status, reason=reason, **over)

    async def _called(self, row: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        """Return (status, traits of the answer, reason) of one try."""
        if self._client is None:
            return FAILED, {}, self._why_not
        told = {"type": "path.step", "timestamp": row["at"], "data": row["data"]}
        seconds = int(self._wall_now().timestamp())
        body = msgspec.json.encode(told)
        try:
            status, answer = await self._client.ask(
                row["url"], row["id"], seconds, body, bytes_max=ANSWER_BYTES_MAX + 1
            )
        except Refused as error:
            return FAILED, {}, str(error)
        except ValueError:  # of an address that no client can read
            return FAILED, {}, "this is no address"
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            return WAITING, {}, type(error).__name__
        if status in AGAIN or status >= 500:
            return WAITING, {}, f"status {status}"
        if not 200 <= status < 300:
            return FAILED, {}, f"status {status}"
        if len(answer) > ANSWER_BYTES_MAX:
            return ANSWERED, {}, "the answer is too long: it is not read"
        return ANSWERED, *traits_of(answer)

    async def _tell(
        self, row: dict[str, Any], outcome: str, reason: str, traits: dict[str, Any]
    ) -> None:
        fact = WebhookAnswered(
            visitor=row["visitor"],
            call_id=row["id"],
            path=row["path"],
            run=row["run"],
            step=row["step"],
            outcome=outcome,
            reason=reason,
            traits=traits,
        )
        await self._journal(fact, own_id("webhook answered", row["id"]))

    async def _swap(self, row: dict[str, Any], **changes: Any) -> bool:
        """Write a row where it stands as it was read; return whether it did."""
        fields = {name: value for name, value in (row | changes).items() if name != "id"}
        expected = {"status": row["status"]}
        if not await self._store.swap_document(WEBHOOKS, row["id"], fields, expected):
            return False
        row.update(changes)
        return True
