"""Carry look-ups out: ask others about an address, and report what they said.

Rules
1. Nobody is asked about anybody before that is committed. A look-up is held until its answer is committed, so that the
   world clock waits for it.
2. The line is bounded. Who finds it full is told `busy`, and Social asks again later.
3. What is not wanted any more is taken out of the line, and asked about right before each host is. What was asked by
   then is reported all the same: who was asked of whom is recorded.
4. Nothing is taken up after a restart: Social's own wake-up says again what was cut off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

from messaging.ports import Clock, LookUps
from messaging.vocabulary.effects import Act, CancelLookUp, LookUp
from messaging.vocabulary.letters import Letter
from messaging.vocabulary.messages import LookedUp, Message
from messaging.vocabulary.plans import Finding

AT_ONCE_MAX = 8
WAITING_MAX = 100
"""At eight at once and twenty seconds at most for each, the last in the line is done within five minutes."""


class Scout:
    """Look addresses up for one Social shard."""

    def __init__(self, look_ups: LookUps, clock: Clock) -> None:
        self._look_ups = look_ups
        self._clock = clock
        self._waiting: deque[tuple[str, LookUp]] = deque()
        self._held: dict[str, datetime] = {}
        """Look-up -> world time since when it is under way."""
        self._tasks: dict[asyncio.Task[None], str] = {}
        """Look-up under way -> its visitor."""
        self._cancelled: set[str] = set()
        """Look-ups under way that are not wanted any more."""
        self._tell: Callable[[Message], None] = lambda _: None
        self.looked_up_total = 0

    def start(self, tell: Callable[[Message], None]) -> None:
        """Begin; `tell` puts a message into the shard's own batch."""
        self._tell = tell

    def stop(self) -> None:
        """Let go of what is under way: it is asked again."""
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()

    def committed(self, acts: Iterable[tuple[str, Act]], local: list[Letter]) -> None:
        """Take what a batch committed: answers are over, new look-ups begin or wait."""
        for letter in local:
            if isinstance(letter.message, LookedUp):
                self._held.pop(letter.message.look_up_id, None)
                self._cancelled.discard(letter.message.look_up_id)
        for visitor, act in acts:
            if isinstance(act, LookUp) and act.look_up_id not in self._held:
                self._held[act.look_up_id] = self._clock.now()
                self._line_up(visitor, act)
            elif isinstance(act, CancelLookUp):
                self._cancel(act.look_up_id)

    def forget(self, visitors: Iterable[str]) -> None:
        """End the look-ups of visitors who were erased: an answer that came later would name them again."""
        gone = set(visitors)
        for task, visitor in self._tasks.items():
            if visitor in gone:
                task.cancel()
        for each in [each for each in self._waiting if each[0] in gone]:
            self._waiting.remove(each)
            self._held.pop(each[1].look_up_id, None)

    def _cancel(self, look_up_id: str) -> None:
        for each in [each for each in self._waiting if each[1].look_up_id == look_up_id]:
            self._waiting.remove(each)
            del self._held[look_up_id]
        if look_up_id in self._held:
            self._cancelled.add(look_up_id)

    def _line_up(self, visitor: str, act: LookUp) -> None:
        if len(self._waiting) >= WAITING_MAX:
            self._answer(visitor, act, [self._said(source, "busy") for source in act.sources])
            return
        self._waiting.append((visitor, act))
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._tasks) < AT_ONCE_MAX:
            visitor, act = self._waiting.popleft()
            task = asyncio.ensure_future(self._look_up(visitor, act))
            self._tasks[task] = visitor
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._begin()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # ours: the port never raises for what the world does

    async def _look_up(self, visitor: str, act: LookUp) -> None:
        try:
            findings = await self._look_ups.look_up(
                act.address, act.sources, lambda: act.look_up_id not in self._cancelled
            )
        except BaseException:
            del self._held[act.look_up_id]  # it is said again
            self._cancelled.discard(act.look_up_id)
            raise
        self.looked_up_total += 1
        self._answer(visitor, act, findings)

    def _answer(self, visitor: str, act: LookUp, findings: list[Finding]) -> None:
        self._tell(LookedUp(visitor, self._clock.now(), act.look_up_id, findings))

    def _said(self, source: str, outcome: str) -> Finding:
        return Finding(source, [], self._clock.now(), outcome, "our own line is full")

    def oldest(self) -> datetime | None:
        """Return the world time since which the oldest look-up is under way."""
        return min(self._held.values(), default=None)

    def waiting(self) -> int:
        """Return how many look-ups wait for their turn."""
        return len(self._waiting)

    def under_way(self) -> int:
        """Return how many look-ups are between their commit and their answer's."""
        return len(self._held)
