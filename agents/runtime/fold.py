"""Fold letters into states: the pure middle of a batch, shared by the live shard and by replay.

Rules
1. The same works, states, `now` and view give the same result. Nothing here awaits, reads a clock or a store.
2. A message for a visitor who moved follows the tombstone, unless the bot ends it (`ends_at_tombstone`). Many may lie
   on its way: each is a part of a cause, so a chain of dozens is passed and a circle comes to an end.
3. A step that raises leaves the batch as `Poisoned`: the shell throws the changed states away and repeats.
4. A chain of cause and effect has a maximum depth.
5. A replay from the quarantine is stepped as what it holds, at the depth of its first try.
6. A visitor who is erased is forgotten at once, unless the bot still waits for an outcome (`forget`); what comes
   after that ends at the tombstone.
7. What is about nobody is passed on (`passes_on`), and no state is kept under its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from agents.protocol.bot import ERASED, Bot, View
from agents.protocol.draw import Draw
from agents.runtime.held import Held
from agents.runtime.tables import notices_for, row_for, taken_row
from messaging.ports import RowWrite
from messaging.vocabulary.effects import (
    UNLESS_BOUNCED,
    Act,
    CancelLookUp,
    CancelWake,
    Effect,
    Forget,
    HandOver,
    LookUp,
    Moved,
    PutAlert,
    QueueSend,
    Suppress,
    Tell,
    TrainModel,
    WakeAt,
)
from messaging.vocabulary.letters import Letter, letter_in
from messaging.vocabulary.messages import (
    Erased,
    Message,
    Replayed,
    Woke,
)

_ACTS = (QueueSend, CancelLookUp, TrainModel)
"""Not written `QueueSend | TrainModel` where it is asked: that makes a new type for each row of a batch."""

CAUSE, HOP = 3, 1
"""What a letter's depth grows by: with each cause, and with each tombstone that its message only follows."""


class Work(msgspec.Struct, array_like=True):
    """Name one message to step, and where it came from."""

    message: Message
    depth: int
    stream: str
    position: int
    index: int


class Poisoned(Exception):  # noqa: N818
    """Say which work made `step` raise, and how."""

    def __init__(self, work: Work, cause: Exception) -> None:
        super().__init__(f"{type(work.message).__name__}: {type(cause).__name__}: {cause}")
        self.work = work
        self.cause = cause


class TooDeep(Exception):  # noqa: N818
    """Say that a chain of cause and effect is longer than any honest one."""


class Folded:
    """Collect what a batch's steps want: letters by bot, rows, what is carried out after the commit, guards."""

    __slots__ = (
        "acts",
        "forgotten",
        "guards",
        "letters",
        "rows",
        "rows_of",
        "suppress",
        "touched",
        "woken",
    )

    def __init__(self) -> None:
        self.letters: dict[str, list[Letter]] = {}
        self.rows: list[RowWrite] = []
        self.rows_of: dict[str, int] = {}
        """Visitor -> rows of theirs."""
        self.acts: list[tuple[str, Act]] = []
        self.guards: list[str] = []
        self.suppress: list[Suppress] = []
        self.forgotten: list[str] = []
        """Visitors of whom nothing was kept."""
        self.touched: dict[str, Held] = {}
        self.woken: dict[str, Held] = {}
        """Of the touched, those whose wake-ups were set, cancelled or fired."""

    def clear(self) -> None:
        """Forget all that was collected."""
        self.touched.clear()
        if self.letters:
            self.letters.clear()
        if self.woken:
            self.woken.clear()
        if self.rows:
            self.rows.clear()
            self.rows_of.clear()
        if self.forgotten:
            self.forgotten.clear()
        if self.acts:
            self.acts.clear()
            self.guards.clear()
        if self.suppress:
            self.suppress.clear()


class Folding:
    """Fold one batch. `source` (shard and batch number) makes the ids of rows that have none of their own."""

    __slots__ = (
        "_bot",
        "_depth_max",
        "_ends",
        "_forget",
        "_passes_on",
        "_step",
        "_view",
        "folded",
        "now",
        "source",
    )

    def __init__(self, bot: Bot, now: datetime, view: View, source: str, depth_max: int) -> None:
        self.folded = Folded()
        self._bot = bot
        self._step = bot.step
        self.now = now
        self._view = view
        self.source = source
        self._depth_max = depth_max
        self._ends = getattr(bot, "ends_at_tombstone", None)
        self._forget = getattr(bot, "forget", None)
        self._passes_on = getattr(bot, "passes_on", None)

    def take(self, held: Held, work: Work) -> bool:
        """Step one work on its visitor's state; return whether it wanted anything. Raise `Poisoned` if it raises."""
        message, depth = work.message, work.depth
        visitor = message.visitor
        was_moved = bool(held.moved)
        try:
            if self._passes_on is not None:
                passed = self._passes_on(message, self.now, self._view)
                if passed is not None:
                    self._apply(held, visitor, depth, passed, CAUSE)
                    return True
            self.folded.touched[visitor] = held
            if isinstance(message, Replayed):
                effects = self._again(held, message)
                depth = max(depth, letter_in(message).depth)
            else:
                effects = self._wanted(held, message)
            if not effects:
                return False
            cost = HOP if was_moved and self._only_follows(message, effects) else CAUSE
            self._apply(held, visitor, depth, effects, cost)
        except Exception as error:  # the supervisor of steps: whatever a core raises is quarantined
            raise Poisoned(work, error) from error
        return True

    def wake(self, held: Held, visitor: str, key: str) -> None:
        """Fire one wake-up."""
        due, note = held.wakes.pop(key)
        self.folded.woken[visitor] = held
        message = Woke(visitor=visitor, at=self.now, key=key, due=due, note=note)
        try:
            self.take(held, Work(message, 0, "wake", 0, 0))
        except Poisoned as poisoned:
            poisoned.work.stream = f"wake:{visitor}:{key}"
            raise

    def _wanted(self, held: Held, message: Message) -> list[Effect]:
        if held.moved:
            return self._follow(held.moved, message)
        if isinstance(message, Erased):
            return self._forgetting(held, message)
        return self._step(held.state, message, self.now, self._view, Draw)

    def _again(self, held: Held, replayed: Replayed) -> list[Effect]:
        """Step what a letter from the quarantine holds, and say so in its row, unless it goes on to somebody else."""
        letter = letter_in(replayed)
        message = msgspec.structs.replace(letter.message, visitor=replayed.visitor)
        effects = self._wanted(held, message)
        if held.moved and held.moved != ERASED:
            to = {"visitor": held.moved}
            if effects == [Tell(self._bot.name, msgspec.structs.replace(message, **to))]:
                return [Tell(self._bot.name, msgspec.structs.replace(replayed, **to))]
        self.folded.rows.append(taken_row(replayed.row, self.now))
        return effects

    def _follow(self, into: str, message: Message) -> list[Effect]:
        ended = self._ends(message, into, self.now, self._view) if self._ends is not None else None
        if ended is not None:
            return list(ended)
        if isinstance(message, Woke) or into == ERASED:
            return []
        return [Tell(self._bot.name, msgspec.structs.replace(message, visitor=into))]

    def _only_follows(self, message: Message, effects: list[Effect]) -> bool:
        [first, *more] = effects
        return (
            not more
            and isinstance(first, Tell)
            and first.bot == self._bot.name
            and type(first.message) is type(message)
        )

    def _forgetting(self, held: Held, message: Erased) -> list[Effect]:
        if self._forget is None:
            return [Forget()]
        return list(self._forget(held.state, message, self.now, self._view))

    def _apply(
        self, held: Held, visitor: str, depth: int, effects: Iterable[Effect], cost: int
    ) -> None:
        # Not by `match`, which costs three times as much: tens of thousands a second pass here.
        folded = self.folded
        for effect in effects:
            if isinstance(effect, Tell):
                if depth >= self._depth_max * CAUSE:
                    before = depth // CAUSE
                    raise TooDeep(f"{before} causes stand before {type(effect.message).__name__}")
                letter = Letter(depth + cost, effect.message)  # type: ignore[arg-type]
                folded.letters.setdefault(effect.bot, []).append(letter)
            elif isinstance(effect, WakeAt):
                held.wakes[effect.key] = (effect.at, effect.note)
                folded.woken[visitor] = held
            elif isinstance(effect, CancelWake):
                held.wakes.pop(effect.key, None)
                folded.woken[visitor] = held
            elif isinstance(effect, Moved):
                held.moved = effect.into
                held.wakes.clear()
                folded.woken[visitor] = held
            elif isinstance(effect, Forget):
                held.state = self._bot.fresh(visitor)
                held.moved = ERASED
                held.wakes.clear()
                folded.woken[visitor] = held
                folded.forgotten.append(visitor)
            elif isinstance(effect, _ACTS):
                folded.acts.append((visitor, effect))
            elif isinstance(effect, HandOver):
                folded.acts.append((visitor, effect))
                thanks = UNLESS_BOUNCED if effect.plan.success else ""
                folded.guards.append(f"{thanks}{effect.mailbox}")
            elif isinstance(effect, Suppress):
                folded.suppress.append(effect)
            elif isinstance(effect, LookUp):
                folded.acts.append((visitor, effect))
                folded.guards.append(effect.mailbox)
            else:
                # Counted for each visitor: what another one did, or is not kept of them, changes no id.
                number = folded.rows_of[visitor] = folded.rows_of.get(visitor, 0) + 1
                place = f"{self.source}:{visitor}:{number}"
                folded.rows.append(row_for(effect, visitor, place, self.now))
                if isinstance(effect, PutAlert):
                    folded.rows += notices_for(effect, visitor)
