"""Deliver notices: what a shard queued with its commit is told after it, and repeated after a crash.

Rules
1. A try is committed before it is made, its outcome after: like every e-mail of ours, a notice that may have been
   handed over is never handed over again, but listed as uncertain. A webhook is repeated with its id.
2. Commits are fenced by an epoch, as a shard's are: an older notifier that has not noticed commits nothing more, and
   what it did not commit it does not send.
3. Tries are limited, with growing pauses and jitter; after the last the notice is listed as failed.
4. An alert that was settled before it could be told is told to nobody. Without the channel's setting nothing is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import structlog

from messaging.alerts.channels import AGAIN, DELIVERED, FAILED, UNCERTAIN, Channel, Outcome
from messaging.alerts.notice import CHANNELS, notice_id, notice_of
from messaging.ports import BatchRecord, Clock, Commit, RowWrite, Store
from messaging.vocabulary.errors import CommitUnknown, Conflict, Unavailable, WorldError

log = structlog.get_logger()

SHARD = "notifier-0"
NOTICES, DELIVERIES = "notices", "deliveries"
WAITING, TELLING, OFF, SETTLED = "waiting", "telling", "off", "settled"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the notifier's work. All seconds are machine time."""

    tries_max: int = 8
    pause_seconds_first: float = 5.0
    pause_seconds_max: float = 300.0
    """Eight tries reach over about ten minutes."""
    look_seconds: float = 5.0
    fetch_max: int = 200
    at_once_max: int = 4
    commit_tries_max: int = 20


class Notifier:
    """Tell every open alert by every channel that is set."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        channels: list[Channel],
        base_url: str,
        jitter: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._channels = {channel.name: channel for channel in channels}
        self._base_url = base_url
        self._jitter = jitter
        self._pace = pace or Pace()
        self._epoch = 0
        self._batch = 0
        self._turn = asyncio.Lock()
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Work until cancelled; while the store is away, or belongs to another, begin anew again and again."""
        while True:
            try:
                await self._work()
            except* WorldError as group:
                kinds = sorted({type(error).__name__ for error in _errors_of(group)})
                log.warning("notifier.interrupted", errors=kinds)
            await self._clock.sleep(self._pace.look_seconds)

    async def _work(self) -> None:
        await self.start()
        while True:
            if not await self.look():
                await self._clock.sleep(self._pace.look_seconds)

    async def start(self) -> None:
        """Become the only notifier, and settle what an earlier one left in the middle of a try."""
        owner = await self._store.acquire(SHARD)
        self._epoch, self._batch = owner.epoch, owner.batch
        left = await self._store.rows(
            DELIVERIES, {"status": TELLING}, limit=self._pace.fetch_max, newest=False
        )
        for row in left:
            channel = self._channels.get(row["channel"])
            may_repeat = channel.may_repeat if channel is not None else False
            outcome = Outcome(AGAIN if may_repeat else UNCERTAIN, "cut off in the middle")
            await self._settle(row, outcome)

    async def look(self) -> int:
        """Try all notices that are due, a few at once; return how many were."""
        due: list[dict[str, Any]] = []
        for channel in CHANNELS:
            found = await self._store.rows(
                NOTICES,
                {"channel": channel, "status": WAITING},
                limit=self._pace.fetch_max,
                newest=False,
            )
            due += [row for row in found if self._is_due(row["id"])]
        room = asyncio.Semaphore(self._pace.at_once_max)

        async def one(row: dict[str, Any]) -> None:
            async with room:
                await self._notify(row)

        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(one(row))
        return len(due)

    def _is_due(self, notice: str) -> bool:
        return self._clock.machine() >= self._not_before.get(notice, 0.0)

    async def _notify(self, queued: dict[str, Any]) -> None:
        delivery = await self._store.get_document(DELIVERIES, queued["id"]) or {
            "id": queued["id"],
            "visitor": queued["visitor"],
            "alert": queued["alert"],
            "channel": queued["channel"],
            "at": queued["at"],
            "status": WAITING,
            "tries": 0,
            "reason": "",
        }
        if delivery["status"] != WAITING:  # the alert was written again: it is told already
            await self._write(delivery)
            return
        channel = self._channels.get(queued["channel"])
        alert = await self._store.get_document("alerts", queued["alert"])
        if channel is None or alert is None or alert["status"] != "open":
            await self._write(delivery | {"status": OFF if channel is None else SETTLED})
            return
        trying = delivery | {"status": TELLING, "tries": delivery["tries"] + 1}
        await self._write(trying)
        now = self._clock.now()
        outcome = await channel.tell(notice_of(alert, channel.name, self._base_url), now)
        await self._settle(trying, outcome)

    async def _settle(self, delivery: dict[str, Any], outcome: Outcome) -> None:
        """Write what a try came to, and when the next one is due."""
        tries = delivery["tries"]
        status = outcome.status
        if status == AGAIN:
            status = WAITING if tries < self._pace.tries_max else FAILED
        if status == WAITING:
            pause = min(
                self._pace.pause_seconds_first * 2 ** (tries - 1), self._pace.pause_seconds_max
            )
            self._not_before[delivery["id"]] = self._clock.machine() + pause * (
                0.5 + self._jitter()
            )
        else:
            self._not_before.pop(delivery["id"], None)
        if status not in (WAITING, DELIVERED):
            log.warning(
                "notice.undelivered", channel=delivery["channel"], status=status, tries=tries
            )
        await self._write(delivery | {"status": status, "reason": outcome.reason})

    async def _write(self, delivery: dict[str, Any]) -> None:
        """Commit a delivery, and take its notice out of the queue where it is final."""
        fields = {name: value for name, value in delivery.items() if name != "id"}
        rows = [RowWrite(DELIVERIES, delivery["id"], fields | {"told_at": self._clock.now()})]
        if delivery["status"] not in (WAITING, TELLING):
            rows.append(queued_row(delivery, delivery["status"]))
        async with self._turn:
            await self._commit(rows, self._clock.now())

    async def _commit(self, rows: list[RowWrite], now: datetime) -> None:
        commit = Commit(
            shard=SHARD,
            bot="notifier",
            epoch=self._epoch,
            batch=self._batch + 1,
            positions={},
            sent={},
            record=BatchRecord(now, "", 0, {}, [], [], [], b"", [], []),
            states=[],
            outbox=[],
            rows=rows,
            identities=[],
            guards=[],
        )
        for tries in range(1, self._pace.commit_tries_max + 1):
            try:
                await self._store.commit(commit)
            except (Unavailable, CommitUnknown, Conflict):
                if tries == self._pace.commit_tries_max:
                    raise
                await self._clock.sleep(0.1 * tries * (0.5 + self._jitter()))
            else:
                self._batch += 1
                return


def _errors_of(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """Return the errors in a group, those of groups within it too."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _errors_of(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def queued_row(delivery: dict[str, Any], status: str) -> RowWrite:
    """Return the queue's row of a notice."""
    kept = ("visitor", "at", "alert", "channel")
    return RowWrite(
        NOTICES,
        notice_id(delivery["alert"], delivery["channel"]),
        {name: delivery[name] for name in kept} | {"status": status},
    )
