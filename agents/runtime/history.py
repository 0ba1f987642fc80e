"""Live through what some visitors did before a publication, under its rules: for what was not kept of them.

Rules
1. History ends with the batch before the first that a shard built under the publication: what came later is in the
   visitors' states already.
2. It is folded by Behavior's own step, from the batch records, as a replay does; only the cohorts are left out.
3. A younger visitor who had been merged when the older one's shard saw the publication is part of the older one's
   history, to the very end: nobody awaits theirs.
4. Held are the states of the visitors asked for and nobody else's: who asks, asks for so many at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

import msgspec

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.filling import add, history_of, without_kept
from agents.behavior_bot.merge import pack, unpack
from agents.behavior_bot.responses import ANSWERS_WAKE
from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.rules.compiled import ANY_TRACK, NOTHING, CompiledRules
from agents.runtime.batch import publication_in, read_owner
from agents.runtime.fold import Folding, Poisoned
from agents.runtime.held import Codec, Held
from agents.runtime.limits import Limits
from agents.runtime.replay import Replayer
from agents.runtime.spec import Log
from messaging.ports import BatchRecord, Journal, Store
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.errors import raised_at
from messaging.vocabulary.events import RulesFilled
from messaging.vocabulary.letters import Letter, decode_letters
from messaging.vocabulary.messages import Message, StateMerged


class RelivingBot(BehaviorBot):
    """Step Behavior through history: what a younger visitor brings of it is told for itself."""

    def step(
        self, state: object, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        if isinstance(message, StateMerged):
            young = without_kept(unpack(message.state))
            message = msgspec.structs.replace(message, state=pack(young))
        return super().step(state, message, now, view, draw)  # type: ignore[arg-type]


def without_cohorts(rules: CompiledRules) -> CompiledRules:
    """Return rules that keep the same of events and ask nothing."""
    return replace(
        rules,
        cohorts={},
        touched={ANY_TRACK: []},
        asked={ANY_TRACK: NOTHING},
        order={},
        bounds={},
        interactions={},
        probabilities=(),
        on_session=frozenset(),
        visits_end=False,
    )


async def first_under(store: Store, shard: str, publication: int) -> int | None:
    """Return the number of a shard's first batch under a publication (or a later one); None: there is none yet."""
    owner = await store.owner(shard)
    low, high = 1, owner.batch if owner is not None else 0
    if not high or await _publication(store, shard, high) < publication:
        return None
    while low < high:
        middle = (low + high) // 2
        if await _publication(store, shard, middle) < publication:
            low = middle + 1
        else:
            high = middle
    return low


async def _publication(store: Store, shard: str, number: int) -> int:
    [(_, record)] = await store.batches(shard, number - 1, 1)
    return publication_in(record.code)


async def kept_since(store: Store, shards: Iterable[str]) -> datetime | None:
    """Return from when on the record is whole, None if it is from its beginning."""
    cut: list[datetime] = []
    for shard in shards:
        for number, record in await store.batches(shard, 0, 1):
            if number > 1:
                cut.append(record.at)
    return max(cut, default=None)


class History:
    """Tell what visitors did before a publication.

    Parameters:
        store, journal: where the record is.
        cuts: shard of Behavior -> its first batch under the publication.
        view: the view under which history is lived through; its publication is the one that asks.
        log: hears of messages that cannot be folded.
    """

    def __init__(
        self, store: Store, journal: Journal, cuts: dict[str, int], view: View, log: Log
    ) -> None:
        self._store = store
        self._journal = journal
        self._cuts = cuts
        self._publication = view.publication
        self._rules: CompiledRules = view.rules
        bare = without_cohorts(view.rules)
        self._view = msgspec.structs.replace(
            view, rules=bare, pinned={view.rules_version: bare}, publication=0
        )
        self._log = log
        self._merged: dict[str, list[str]] | None = None
        """Older -> younger visitors who had been merged into them when the older one's shard saw the publication."""

    async def of(self, awaited: dict[str, AbstractSet[str]]) -> list[RulesFilled]:
        """Return the histories that visitors await: visitor -> whose."""
        wanted = frozenset[str]().union(*awaited.values())
        if self._merged is None:
            self._merged = await self._read_merges()
        younger = {each: self._younger(each) for each in wanted}
        late = frozenset(each for some in younger.values() for each in some)
        states: dict[str, Held] = {}
        for index, shard in enumerate(self._cuts):
            states |= await self._lived(index, shard, wanted, late)
        parts = frozenset(self._rules.keeps)
        fresh = Codec(RelivingBot()).fresh
        found = []
        for visitor, others in sorted(awaited.items()):
            for of in sorted(others):
                state = states.get(of, fresh(of)).state
                for each in younger[of]:
                    if each in states:
                        theirs = history_of(states[each].state, of, of, 0)
                        add(state, theirs, self._rules, parts)
                found.append(history_of(state, visitor, of, self._publication))
        return found

    def _younger(self, visitor: str) -> list[str]:
        """Return everybody who was merged into a visitor, also by way of another."""
        assert self._merged is not None
        found: list[str] = []
        waiting = [visitor]
        while waiting:
            for each in self._merged.get(waiting.pop(), ()):
                if each not in found and each != visitor:
                    found.append(each)
                    waiting.append(each)
        return found

    async def _read_merges(self) -> dict[str, list[str]]:
        merged: dict[str, list[str]] = {}
        for index, (shard, cut) in enumerate(self._cuts.items()):
            # Closed also where a read fails: a generator left open is closed at some later, unknown moment.
            async with aclosing(self._replayer(index).batches(cut - 1)) as batches:
                async for _, record in batches:
                    for letter in await self._letters(shard, record):
                        if isinstance(letter.message, StateMerged):
                            younger = letter.message.younger
                            merged.setdefault(letter.message.visitor, []).append(younger)
        return merged

    async def _letters(self, shard: str, record: BatchRecord) -> list[Letter]:
        """Return what a batch took from shards of Behavior."""
        letters: list[Letter] = []
        for stream, first, last in record.inputs:
            if stream in self._cuts:
                count = last - first + 1
                for chunk in await self._store.read_outbox(stream, shard, first - 1, count):
                    letters += decode_letters(chunk.body)
        return letters

    def _replayer(self, index: int) -> Replayer:
        async def view_at(*_: object) -> View:
            return self._view

        shard = (index, len(self._cuts))
        return Replayer(RelivingBot(), shard, self._store, self._journal, view_at)

    async def _lived(
        self, index: int, shard: str, wanted: AbstractSet[str], late: AbstractSet[str]
    ) -> dict[str, Held]:
        """Return the states of a shard's visitors at the end of their history."""
        replayer = self._replayer(index)
        owner = await self._store.owner(shard)
        end = owner.batch if owner is not None and late else self._cuts[shard] - 1
        states: dict[str, Held] = {}
        async with aclosing(replayer.batches(end)) as batches:
            async for number, record in batches:
                only = wanted | late if number < self._cuts[shard] else late
                if self._concerns(record, only):
                    await self._fold(replayer, number, record, only, states)
        return states

    def _concerns(self, record: BatchRecord, only: AbstractSet[str]) -> bool:
        """Say whether a batch can hold anything of these visitors."""
        if any(not stream.startswith("journal:") for stream, _, _ in record.inputs):
            return True
        wakes = any(who in only and key == ANSWERS_WAKE for who, key in record.wakes)
        return wakes or any(read_owner(text)[0] in only for text in record.visitors)

    async def _fold(
        self,
        replayer: Replayer,
        number: int,
        record: BatchRecord,
        only: AbstractSet[str],
        states: dict[str, Held],
    ) -> None:
        works = await replayer.works(record, only)
        source = f"{replayer.name}:{number}"
        folding = Folding(RelivingBot(), record.at, self._view, source, Limits().depth_max)
        codec = Codec(RelivingBot())
        for who, key in record.wakes:
            held = states.get(who)
            if key == ANSWERS_WAKE and held is not None and key in held.wakes:
                folding.wake(held, who, key)
        skipped = {tuple(place) for place in record.skipped}
        for work in works:
            visitor = work.message.visitor
            if (work.stream, work.position, work.index) in skipped:
                continue
            if visitor not in states:
                states[visitor] = codec.fresh(visitor)
            try:
                folding.take(states[visitor], work)
            except Poisoned as poisoned:
                error, at = type(poisoned.cause).__name__, raised_at(poisoned.cause)
                self._log.error("history.unreadable", batch=source, error=error, at=at)
