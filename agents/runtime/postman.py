"""Carry mail effects out: give free SMTP sessions to waiting sends, and report what became of each.

Rules
1. A send takes a session before its hand-over is committed and gives it back when the outcome is committed.
   So at most `sessions` sends are ever between the two, and a kill leaves at most that many uncertain.
2. Nothing is sent that is not committed as `handing over`.
3. While paused no session is given out. What is being handed over already goes through.
4. After a restart, sends that stand as `handing over` are `uncertain`: their final dot may have been sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from messaging.ports import Clock, MailTransport, Store
from messaging.vocabulary.effects import Act, HandOver, QueueSend
from messaging.vocabulary.ids import partition_of
from messaging.vocabulary.messages import HandOverDue, MailOutcome, Message

UNSETTLED_MAX = 100_000
"""Rows read at once after a restart; what waits beyond them is read when the line has run short."""

SHORT = 1_000
"""A line of fewer sends than this has run short."""


class Letterpress(msgspec.Struct):
    """Hold a composed e-mail: envelope and bytes."""

    sender: str
    recipient: str
    message: bytes


Compose = Callable[[str, HandOver], Letterpress]
"""(visitor, hand-over) -> the e-mail. Raises `ValueError` where the template cannot be filled."""


class Postman:
    """Hand e-mails over for one Email shard."""

    def __init__(self, transport: MailTransport, compose: Compose, clock: Clock) -> None:
        self._transport = transport
        self._compose = compose
        self._clock = clock
        self._waiting: deque[tuple[str, str, str, datetime]] = deque()
        self._queued: set[str] = set()
        self._held: dict[str, datetime] = {}
        self._paused: frozenset[str] | None = frozenset()
        self._beyond: tuple[datetime, str] | None = None
        """The last row that was read of those that an earlier owner left waiting; None: all were."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._tell: Callable[[Message], None] = lambda _: None
        self.handed_over_total = 0

    def start(self, tell: Callable[[Message], None]) -> None:
        """Begin; `tell` puts a message into the shard's own batch."""
        self._tell = tell

    async def recover(self, store: Store, shard: tuple[int, int]) -> None:
        """Take up what an earlier owner left: waiting sends wait again, handing over becomes uncertain."""
        rows, after = await self._page(store, "handing over", None)
        self._take_up_all(rows, "handing over", shard)
        while after is not None:
            rows, after = await self._page(store, "handing over", after)
            self._take_up_all(rows, "handing over", shard)
        rows, self._beyond = await self._page(store, "waiting", None)
        self._take_up_all(rows, "waiting", shard)

    def runs_short(self) -> bool:
        """Say whether `read_on` would find more."""
        return self._beyond is not None and len(self._waiting) < SHORT

    async def read_on(self, store: Store, shard: tuple[int, int]) -> None:
        """Let more of what an earlier owner left wait in the line."""
        rows, self._beyond = await self._page(store, "waiting", self._beyond)
        self._take_up_all(rows, "waiting", shard)

    async def _page(
        self, store: Store, status: str, after: tuple[datetime, str] | None
    ) -> tuple[list[dict[str, Any]], tuple[datetime, str] | None]:
        """Return sends of a status, the oldest first, and after which one the next page begins (None: with none)."""
        match = {"status": status}
        rows = await store.rows("sends", match, limit=UNSETTLED_MAX, newest=False, after=after)
        return rows, (rows[-1]["at"], rows[-1]["id"]) if len(rows) == UNSETTLED_MAX else None

    def _take_up_all(self, rows: list[dict[str, Any]], status: str, shard: tuple[int, int]) -> None:
        index, of = shard
        for row in rows:
            if partition_of(row["visitor"]) * of // 256 == index:
                self._take_up(row, status)

    def _take_up(self, row: dict[str, Any], status: str) -> None:
        visitor, send = row["visitor"], row["id"]
        if status == "waiting":
            self.queue(visitor, QueueSend(send, row["at"], str(row.get("path", ""))))
            return
        self._held[send] = self._clock.now()
        self._tell(
            MailOutcome(
                visitor=visitor,
                at=self._clock.now(),
                send_id=send,
                outcome="uncertain",
                code=0,
                reason="the process ended while this send was being handed over",
            )
        )

    def queue(self, visitor: str, effect: QueueSend) -> None:
        """Put a send in the line, once."""
        if effect.send_id in self._queued or effect.send_id in self._held:
            return
        self._queued.add(effect.send_id)
        self._waiting.append((visitor, effect.send_id, effect.path, effect.at))

    def forget(self, visitors: list[str]) -> None:
        """Take the sends of visitors who were erased out of the line."""
        gone = set(visitors)
        for place in [each for each in self._waiting if each[0] in gone]:
            self._waiting.remove(place)
            self._queued.discard(place[1])

    def set_paused(self, paths: frozenset[str] | None) -> None:
        """Pause these paths' hand-overs; None pauses everything, the empty set nothing."""
        self._paused = paths

    def give_sessions(self) -> None:
        """Give free sessions to the first in the line that may go."""
        for due in self.next_due(0):
            self._tell(due)

    def next_due(self, settled: int) -> list[HandOverDue]:
        """Take sessions for the first in the line that may go, and return who they are for.

        `settled` sessions count as free: the batch that takes these messages commits their outcomes, too.
        """
        found: list[HandOverDue] = []
        if self._paused is None:
            return found
        for _ in range(len(self._waiting)):
            if len(self._held) - settled >= self._transport.sessions:
                break
            visitor, send, path, queued_at = self._waiting.popleft()
            if path and path in self._paused:
                self._waiting.append((visitor, send, path, queued_at))
                continue
            self._queued.discard(send)
            now = self._clock.now()
            self._held[send] = now
            found.append(HandOverDue(visitor=visitor, at=now, send_id=send))
        return found

    def claim(self, visitor: str, effect: QueueSend, settled: int) -> HandOverDue | None:
        """Give a send that was queued just now a free session at once, unless others wait for one.

        The batch that queues it can then commit its hand-over too: one commit less on the way of an e-mail. A
        batch that is built anew keeps the claim; one that commits no hand-over gives the session back.
        `settled` as for `next_due`.
        """
        send = effect.send_id
        is_held = self._paused is None or effect.path in self._paused
        if is_held or self._waiting or send in self._held:
            return None
        if len(self._held) - settled >= self._transport.sessions:
            return None
        self._held[send] = self._clock.now()
        return HandOverDue(visitor=visitor, at=self._held[send], send_id=send)

    def committed(self, acts: list[tuple[str, Act]], settled: set[str], asked: set[str]) -> None:
        """Take what a batch committed: outcomes free their sessions, hand-overs start, queued sends wait.

        `settled`: sends whose outcome is committed. `asked`: sends whose `HandOverDue` was taken; those
        without a hand-over were refused or cancelled, so that their session is free.
        """
        for send in settled:
            self._held.pop(send, None)
        started = set()
        for visitor, act in acts:
            if isinstance(act, HandOver):
                started.add(act.plan.send_id)
                task = asyncio.ensure_future(self._hand_over(visitor, act))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        for send in asked - started:
            self._held.pop(send, None)
        for visitor, act in acts:
            if isinstance(act, QueueSend) and act.send_id not in asked:
                self.queue(visitor, act)

    async def _hand_over(self, visitor: str, act: HandOver) -> None:
        send = act.plan.send_id
        try:
            mail = self._compose(visitor, act)
        except (ValueError, MemoryError) as error:
            outcome, code, reason = "refused", 0, f"template: {str(error) or type(error).__name__}"
        else:
            result = await self._transport.send(mail.sender, mail.recipient, mail.message)
            outcome, code, reason = result.outcome, result.code, result.reason
        self.handed_over_total += outcome == "handed over"
        self._tell(
            MailOutcome(
                visitor=visitor,
                at=self._clock.now(),
                send_id=send,
                outcome=outcome,
                code=code,
                reason=reason,
            )
        )

    def oldest(self) -> datetime | None:
        """Return the world time since which the oldest send is under way, waiting ones included."""
        first = min(self._held.values(), default=None)
        if self._waiting and (first is None or self._waiting[0][3] < first):
            return self._waiting[0][3]
        return first

    def waiting(self) -> int:
        """Return how many sends wait for a session."""
        return len(self._waiting)

    def under_way(self) -> int:
        """Return how many sends are between their commit and their outcome's."""
        return len(self._held)

    def busy(self) -> bool:
        """Return whether any send is between its commit and its outcome's."""
        return bool(self._held)
