"""Fold recorded batches again and compare the result with what is stored.

Rules
1. Replay uses the same `Folding` as the live shard, with the recorded `now`, versions and order.
2. What a step wanted to have done is computed and thrown away: a replay sends nothing and writes nothing.
3. The states compared are the stored bytes, byte for byte.
4. Folding begins with the shard's checkpoint, where it has one: what stood before it was recorded by other code.
5. What was erased is not there: a visitor who was erased has neither steps nor a state, all others have all theirs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import msgspec

from agents.protocol.bot import Bot, View
from agents.runtime.batch import describe, maker_in, read_owner, wake_place
from agents.runtime.fold import Folded, Folding, Work
from agents.runtime.held import Codec, Held
from agents.runtime.limits import Limits
from messaging.ports import BatchRecord, Checkpoint, Journal, Store
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import PARTITIONS, partition_of
from messaging.vocabulary.letters import Letter, decode_letters
from messaging.vocabulary.messages import Arrived

READ_MAX = 5_000
"""Batches and records read at once."""

ViewAt = Callable[[int, dict[str, int], str], Awaitable[View]]
"""(rules version, snapshot versions, settings as recorded) -> the view of that moment."""


class RecordBrokenError(Exception):
    """Tell that a batch cannot be folded again, since what it took is not what stands there now."""


class Step(msgspec.Struct):
    """Show one replayed step."""

    at: datetime
    shard: str
    batch: int
    kind: str
    """Message type, or `Woke` with its key."""
    effects: list[str]


Marks = tuple[int, int, dict[str, int]]

Observer = Callable[[int, BatchRecord, list[Work], Folded], None]
"""(batch number, record, works, what the steps wanted): for whoever checks while states are folded."""


Resolved = Callable[[Record, str, list[str]], None]
"""(journaled event, whose it was found to be, who was merged by it)."""


async def _at_once() -> None:
    """Go on."""


class Replayer:
    """Replay one shard of one bot from its batch records."""

    def __init__(
        self, bot: Bot, shard: tuple[int, int], store: Store, journal: Journal, view_at: ViewAt
    ) -> None:
        self._bot = bot
        self._index, self._of = shard
        self._store = store
        self._journal = journal
        self._view_at = view_at
        self._codec = Codec(bot)
        self._views: dict[tuple[int, tuple[tuple[str, int], ...], str], View] = {}
        self._states: dict[str, Held] = {}
        self.batch = 0
        """Number of the last batch folded, or of the checkpoint's."""
        self.checkpoint: Checkpoint | None = None
        """Where folding began, once it has; None: with the first batch."""
        self._has_begun = False
        self.steps: list[Step] = []
        self.observe: Observer = lambda *_: None
        self.resolved: Resolved = lambda *_: None
        """Hears of every event that was anybody's, also of one that is passed on to another shard."""
        self.between: Callable[[], Awaitable[None]] = _at_once
        """Awaited after each batch: for whoever looks up what was observed."""

    @property
    def name(self) -> str:
        """Return the shard's name."""
        return f"{self._bot.name}-{self._index}"

    async def advance(self, *, visitor: str | None = None, upto: int | None = None) -> int:
        """Fold recorded batches on from where the last call stopped; return how many there were.

        With `visitor`, only that visitor's messages are folded, and `steps` tells each of them.
        """
        await self.begin(visitor)
        count = 0
        # Closed also where a step raises: a generator left open is closed at some later, unknown moment.
        async with aclosing(self.batches(upto)) as batches:
            async for number, record in batches:
                count += 1
                await self._fold(number, record, visitor)
                self.batch = number
                await self.between()
        return count

    async def begin(self, visitor: str | None = None) -> Checkpoint | None:
        """Take the states of the checkpoint, everybody's or one visitor's, unless that was done; return its head."""
        if self._has_begun:
            return self.checkpoint
        self._has_begun = True
        head = self.checkpoint = await self._store.checkpoint(self.name)
        if head is None:
            return None
        self.batch = head.batch
        after = ""
        while some := await self._kept(visitor, after):
            after = some[-1]
            bodies = await self._store.kept_states(self.name, some)
            self._states |= {each: self._codec.decode(body) for each, body in bodies.items()}
        return head

    async def _kept(self, visitor: str | None, after: str) -> list[str]:
        if visitor is None:
            return await self._store.kept_visitors(self.name, after, READ_MAX)
        return [visitor] if after != visitor else []

    async def _fold(self, number: int, record: BatchRecord, visitor: str | None) -> None:
        works = await self.works(record, None if visitor is None else (visitor,))
        view = await self._view(record)
        fold = Folding(self._bot, record.at, view, f"{self.name}:{number}", Limits().depth_max)
        self._wake(fold, number, record, visitor)
        skipped = {tuple(place) for place in record.skipped}
        for work in works:
            if skipped and (work.stream, work.position, work.index) in skipped:
                continue
            before = _marks(fold) if visitor is not None else None
            fold.take(self._held(work.message.visitor), work)
            self._note(fold, before, number, record, type(work.message).__name__)
        self.observe(number, record, works, fold.folded)

    def _wake(self, fold: Folding, number: int, record: BatchRecord, visitor: str | None) -> None:
        for who, key in record.wakes:
            if visitor is None or who == visitor:
                before = _marks(fold) if visitor is not None else None
                held = self._held(who)
                if key not in held.wakes:
                    raise RecordBrokenError(
                        f"{self.name}: batch {number} fired wake-up {key} of {who}, which nothing before it had set: "
                        "an earlier input is missing"
                    )
                fold.wake(held, who, key)
                self._note(fold, before, number, record, f"Woke {key}")
        for place in record.skipped:
            self._drop_wake(place[0])

    def _note(
        self,
        fold: Folding,
        before: Marks | None,
        number: int,
        record: BatchRecord,
        kind: str,
    ) -> None:
        if before is not None:
            self.steps.append(Step(record.at, self.name, number, kind, _since(fold, before)))

    def written(self) -> set[str]:
        """Return the visitors whose state must be stored: all but those whom nothing was ever known of."""
        return {
            visitor
            for visitor, held in self._states.items()
            if self._codec.encode(held) != self._codec.encode(self._codec.fresh(visitor))
        }

    def bodies(self) -> dict[str, bytes]:
        """Return visitor -> bytes of the folded state."""
        return {visitor: self._codec.encode(held) for visitor, held in self._states.items()}

    def figures(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Give (visitor, what they count as) of those who are folded so far."""
        for visitor in self._states:
            yield visitor, self.figures_of(visitor)

    def figures_of(self, visitor: str) -> dict[str, float]:
        """Return what a visitor counts as, by the folded state."""
        return self._codec.figures(self._states[visitor])

    def dues(self) -> dict[str, datetime]:
        """Return visitor -> when they are next due, by the folded states; who waits for nothing is left out."""
        found = ((visitor, held.due()) for visitor, held in self._states.items())
        return {visitor: due for visitor, due in found if due is not None}

    def held(self) -> Iterator[tuple[str, Any]]:
        """Give (visitor, state) of those who are folded so far, but for those who went elsewhere."""
        for visitor, held in self._states.items():
            if not held.moved:
                yield visitor, held.state

    def stored(self, body: bytes) -> bytes:
        """Return a stored state as the folded one must be: the very bytes, if nothing but this code wrote any.

        Other code may have written the same with fewer fields, also under the same number of its layout.
        """
        return body if self.checkpoint is None else self._codec.renewed(body)

    def _drop_wake(self, place: str) -> None:
        for who, held in self._states.items():
            for key in list(held.wakes):
                if wake_place(who, key)[0] == place:
                    del held.wakes[key]

    def _held(self, visitor: str) -> Held:
        held = self._states.get(visitor)
        if held is None:
            held = self._states[visitor] = self._codec.fresh(visitor)
        return held

    async def batches(self, upto: int | None) -> AsyncGenerator[tuple[int, BatchRecord], None]:
        """Give (number, record) of the batches behind the last one folded."""
        after = self.batch
        while True:
            some = await self._store.batches(self.name, after, READ_MAX)
            for number, record in some:
                if upto is not None and number > upto:
                    return
                yield number, record
            if not some:
                return
            after = some[-1][0]

    async def _view(self, record: BatchRecord) -> View:
        key = (record.rules_version, tuple(sorted(record.snapshots.items())), record.code)
        view = self._views.get(key)
        if view is None:
            view = await self._view_at(record.rules_version, record.snapshots, record.code)
            now = describe(self._bot.version, view, maker_in(record.code)[1])
            if now != record.code:
                raise RecordBrokenError(
                    f"{self.name}: what an older version of the product recorded cannot be folded by this one, "
                    f"and there is no checkpoint yet: start it once (recorded: {record.code}; now: {now})"
                )
            if len(self._views) > 64:
                self._views.clear()
            self._views[key] = view
        if not record.suppressed:
            return view
        return msgspec.structs.replace(view, suppressed=frozenset(record.suppressed))

    async def works(self, record: BatchRecord, only: Container[str] | None) -> list[Work]:
        """Read a batch's inputs again, in the order in which it took them: everybody's, or only of some visitors."""
        arrivals: list[Work] = []
        others: list[Work] = []
        seen = 0
        for stream, first, last in record.inputs:
            if stream.startswith("journal:"):
                works, seen = await self._arrivals(record, stream, first, last, seen, only)
                arrivals.extend(works)
            else:
                for chunk in await self._store.read_outbox(
                    stream, self.name, first - 1, last - first + 1
                ):
                    for index, letter in enumerate(decode_letters(chunk.body)):
                        if _is_asked_for(letter, only):
                            others.append(
                                Work(letter.message, letter.depth, stream, chunk.last, index)
                            )
        if seen < len(record.visitors):
            raise RecordBrokenError(self._miscounted(record, "fewer"))
        if record.local:
            for index, letter in enumerate(decode_letters(record.local)):
                if _is_asked_for(letter, only):
                    others.append(Work(letter.message, letter.depth, "local", 0, index))
        return arrivals + others

    async def _arrivals(
        self,
        record: BatchRecord,
        stream: str,
        first: int,
        last: int,
        seen: int,
        only: Container[str] | None,
    ) -> tuple[list[Work], int]:
        works = []
        number = int(stream.removeprefix("journal:"))
        after = first - 1
        while after < last:
            # No more than the batch took: the next batch reads on from there.
            limit = min(READ_MAX, last - after)
            found, reached = await self._journal.read(number, after, limit, (self._index, self._of))
            found = [r for r in found if r.position <= last]
            if seen + len(found) > len(record.visitors):
                raise RecordBrokenError(self._miscounted(record, "more"))
            for r in found:
                who, member, merging = read_owner(record.visitors[seen])
                seen += 1
                if who:
                    self.resolved(r, who, merging)
                mine = who and partition_of(who) * self._of // PARTITIONS == self._index
                if mine and (only is None or who in only):
                    arrived = Arrived(
                        visitor=who, at=record.at, record=r, member=member, merging=merging
                    )
                    works.append(Work(arrived, 0, stream, r.position, 0))
            if reached == after:
                break
            after = reached
        return works, seen

    def _miscounted(self, record: BatchRecord, than: str) -> str:
        spans = ", ".join(
            f"{stream} {first} to {last}"
            for stream, first, last in record.inputs
            if stream.startswith("journal:")
        )
        return f"{self.name}: {than} events stand in {spans} than the batch that took them counted"


def _is_asked_for(letter: Letter, only: Container[str] | None) -> bool:
    """Say whether to fold a letter: all of them, or some visitors'; never one that was erased."""
    to = letter.message.visitor
    return bool(to) and (only is None or to in only)


def _marks(fold: Folding) -> Marks:
    folded = fold.folded
    return len(folded.rows), len(folded.acts), {b: len(x) for b, x in folded.letters.items()}


def _since(fold: Folding, before: Marks) -> list[str]:
    rows, acts, letters = before
    folded = fold.folded
    said = [
        f"{row.table} {row.fields.get('kind') or row.fields.get('status') or row.id}"
        for row in folded.rows[rows:]
    ]
    said += [type(act).__name__ for _, act in folded.acts[acts:]]
    for bot, some in folded.letters.items():
        said += [f"{bot}: {type(x.message).__name__}" for x in some[letters.get(bot, 0) :]]
    return said
