"""Run all bots in one process on a clock that jumps: no store, no network, no commit, the same steps.

This is what `mdma simulate` and the benchmark stand on: thousands of visitors' months in seconds.

Rules
1. Events are taken in the order of their times; before each, every wake-up due until then is fired.
2. Letters are taken in the order in which they were written, depth first in causes, breadth first in effects.
3. What a hand-over or a training comes to is said by the caller (`answer`, `train`), at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from heapq import heappop, heappush

import msgspec

from agents.protocol.bot import Bot, View
from agents.runtime.fold import Folding, Work
from agents.runtime.held import Codec, Held
from agents.runtime.limits import Limits
from agents.runtime.registry import IDENTITY, WIRING
from messaging.ports import MailOutcomeCode, RowWrite
from messaging.vocabulary.effects import CancelLookUp, HandOver, LookUp, QueueSend, TrainModel
from messaging.vocabulary.events import Record
from messaging.vocabulary.letters import Letter
from messaging.vocabulary.messages import (
    Arrived,
    HandOverDue,
    LookedUp,
    MailOutcome,
    MergedInto,
    Message,
    ModelTrained,
)
from messaging.vocabulary.plans import Finding

Answer = Callable[[str, HandOver], MailOutcomeCode]
"""(visitor, hand-over) -> what SMTP said."""

Train = Callable[[TrainModel], ModelTrained]
"""Learn a probability now; called where a schedule was told to the learner (`tell`)."""

Recall = Callable[[LookUp], list[Finding]]
"""What each source said of an address in earnest; nothing: nobody answers."""

RESOLVED_AT_ONCE = 500
"""Events whose identities are resolved together."""


def handed_over(_visitor: str, _act: HandOver) -> MailOutcomeCode:
    """Say that every e-mail was handed over."""
    return MailOutcomeCode("handed over", 250, "")


class InProcess:
    """Hold the states of all bots and fold events into them."""

    def __init__(
        self,
        view: View,
        start: datetime,
        answer: Answer = handed_over,
        *,
        identity: Mapping[str, tuple[str, int]] | None = None,
        train: Train | None = None,
        recall: Recall | None = None,
    ) -> None:
        """`identity`: keys that have an owner before the first event. `recall`: says what was found of an address."""
        self._train = train
        self._recall = recall
        self.view = view
        self.now = start
        self.rows: list[RowWrite] = []
        self.taken = dict.fromkeys(WIRING, 0)
        """Bot -> messages it took, wake-ups included."""
        self._answer = answer
        self._bots: dict[str, Bot] = {name: wiring.make() for name, wiring in WIRING.items()}
        self._codecs = {name: Codec(bot) for name, bot in self._bots.items()}
        self._states: dict[str, dict[str, Held]] = {name: {} for name in self._bots}
        self._identity: dict[str, tuple[str, int]] = dict(identity or {})
        self._wakes: list[tuple[datetime, str, str]] = []
        self._dues: dict[tuple[str, str], datetime] = {}
        """What stands in the heap for a visitor, so that it is put there once."""
        self._letters: deque[tuple[str, Letter]] = deque()
        depth_max = Limits().depth_max
        self._foldings = {
            name: Folding(bot, start, view, f"{name}-0:0", depth_max)
            for name, bot in self._bots.items()
        }

    def tell(self, bot: str, message: Message) -> None:
        """Give a bot a message of its own hands."""
        self._letters.append((bot, Letter(0, message)))  # type: ignore[arg-type]
        self._settle()

    def feed(self, records: Iterable[Record]) -> None:
        """Take events, in the order of their `received_at`."""
        waiting: list[Record] = []
        for record in records:
            waiting.append(record)
            if len(waiting) >= RESOLVED_AT_ONCE:
                self._take(waiting)
                waiting = []
        if waiting:
            self._take(waiting)

    def advance(self, until: datetime) -> None:
        """Let world time pass, firing what comes due on the way."""
        while self._wakes and self._wakes[0][0] <= until:
            due, bot, visitor = heappop(self._wakes)
            held = self._states[bot][visitor]
            if self._dues.get((bot, visitor)) == due:
                del self._dues[bot, visitor]
            if held.due() != due:
                continue
            self.now = max(self.now, due)
            folding = self._foldings[bot]
            folding.now = self.now
            for _, key in held.wakes_due(self.now):
                if held.is_due(key, self.now):
                    folding.wake(held, visitor, key)
                    self.taken[bot] += 1
            self._after(bot, folding)
            self._settle()
        self.now = max(self.now, until)

    @property
    def messages(self) -> int:
        """Return how many messages all bots took."""
        return sum(self.taken.values())

    def due(self) -> datetime | None:
        """Return when a wake-up may be due next, None if none stands: `advance` fires it."""
        return self._wakes[0][0] if self._wakes else None

    def states(self, bot: str) -> Mapping[str, Held]:
        """Return visitor -> what one bot holds."""
        return self._states[bot]

    def held(self, bot: str, visitor: str) -> Held:
        """Return one visitor's state of one bot."""
        states = self._states[bot]
        held = states.get(visitor)
        if held is None:
            held = states[visitor] = self._codecs[bot].fresh(visitor)
        return held

    def everybody(self, bot: str) -> Iterable[tuple[str, Held]]:
        """Return (visitor, state) of everybody a bot knows."""
        return self._states[bot].items()

    def _take(self, records: list[Record]) -> None:
        events = [record.event for record in records]
        pairs = list(zip(records, events, strict=True))
        groups = [IDENTITY.keys_of(record, event) for record, event in pairs]
        known: dict[str, tuple[str, int]] = {}
        asked: set[str] = set()
        wanted = sorted({key for keys in groups for key in keys})
        while wanted:
            known.update({k: self._identity[k] for k in wanted if k in self._identity})
            asked.update(wanted)
            wanted = IDENTITY.further_keys(groups, known, asked)
        resolver = IDENTITY.resolver(known, {})
        for (record, event), keys in zip(pairs, groups, strict=True):
            resolution = resolver.resolve(record, event, keys)
            now = record.received_at
            if self._wakes and self._wakes[0][0] <= now:
                self.advance(now)
            self.now = now = max(self.now, now)
            merging = [younger for younger, _ in resolution.merges]
            arrived = Arrived(resolution.visitor, now, record, resolution.member, merging)
            self._letters.append(("behavior", Letter(0, arrived)))
            for younger, older in resolution.merges:
                merged = MergedInto(visitor=younger, at=now, into=older)
                self._letters.append(("behavior", Letter(1, merged)))
            self._settle()
        for write in resolver.writes():
            self._identity[write.key] = (write.visitor, write.born)

    def _settle(self) -> None:
        """Take letters until none is left."""
        letters, foldings, states, now = self._letters, self._foldings, self._states, self.now
        while letters:
            bot, letter = letters.popleft()
            folding = foldings[bot]
            folding.now = now
            message = letter.message
            held = states[bot].get(message.visitor) or self.held(bot, message.visitor)
            wanted = folding.take(held, Work(message, letter.depth, bot, 0, 0))
            self.taken[bot] += 1
            if wanted:
                self._after(bot, folding)

    def _after(self, bot: str, folding: Folding) -> None:
        """Pass on what one message caused."""
        folded = folding.folded
        if folded.woken:
            self._note_wakes(bot, folded.woken)
        if folded.letters:
            for peer, letters in folded.letters.items():
                for letter in letters:
                    self._letters.append((peer, letter))
        if folded.acts:
            for visitor, act in folded.acts:
                if isinstance(act, TrainModel):
                    assert self._train is not None, "nobody tells a schedule who cannot train"
                    self._letters.append(("learner", Letter(0, self._train(act))))
                elif isinstance(act, LookUp):
                    self._look_up(visitor, act)
                elif not isinstance(act, CancelLookUp):  # here answers come at once
                    self._letters.append(("email", Letter(0, self._act(visitor, act))))
        if folded.rows:
            self.rows += folded.rows
            folding.source = f"{bot}-0:{self.messages}"
        folded.clear()

    def _look_up(self, visitor: str, act: LookUp) -> None:
        """Let Social hear what was found in earnest; a dry run asks nobody."""
        found = self._recall(act) if self._recall is not None else []
        if found:
            dated = [msgspec.structs.replace(each, at=self.now) for each in found]
            answer = LookedUp(visitor, self.now, act.look_up_id, dated)
            self._letters.append(("social", Letter(0, answer)))

    def _note_wakes(self, bot: str, woken: dict[str, Held]) -> None:
        for visitor, held in woken.items():
            due = held.due()
            if due is not None and self._dues.get((bot, visitor)) != due:
                self._dues[bot, visitor] = due
                heappush(self._wakes, (due, bot, visitor))

    def _act(self, visitor: str, act: QueueSend | HandOver) -> HandOverDue | MailOutcome:
        if isinstance(act, QueueSend):
            return HandOverDue(visitor=visitor, at=self.now, send_id=act.send_id)
        result = self._answer(visitor, act)
        return MailOutcome(
            visitor=visitor,
            at=self.now,
            send_id=act.plan.send_id,
            outcome=result.outcome,
            code=result.code,
            reason=result.reason,
        )
