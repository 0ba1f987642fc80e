"""Take one batch from arrived chunks to one commit: resolve, load, fold, encode.

Rules
1. The order is fixed and recorded: wake-ups (visitor by visitor as they came due), then each stream's chunks,
   then what came from the shard's own hands. A replay repeats it.
2. A batch that meets a conflict, a suppression or a poisonous letter is built anew, knowing that.
3. What is about somebody who was erased since (`late`) is erased by the very commit that takes it. A newer event
   begins a new visitor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import msgspec

from agents.protocol.bot import View
from agents.runtime.fold import Folded, Folding, Poisoned, Work
from agents.runtime.held import Codec, Held, Memory, groups_of
from agents.runtime.late import VISITOR, asked_keys, is_late
from agents.runtime.quarantine import Place, unreadable_row
from agents.runtime.spec import Identity, Rows, ShardSpec, shard_of
from agents.runtime.tables import taken_row
from agents.runtime.views import held_text
from messaging.ports import BatchRecord, Chunk, Commit, OutboxWrite, RowWrite, StateWrite
from messaging.vocabulary.events import Event, Record, erased_record
from messaging.vocabulary.ids import ERASED_LATEST, erased_key
from messaging.vocabulary.letters import (
    Letter,
    decode_letters,
    decode_records,
    encode_letters,
)
from messaging.vocabulary.messages import Arrived, MergedInto
from messaging.vocabulary.quarantine import row_of_replay
from messaging.vocabulary.records import IdentityWrite

MEMBER = "+"
"""Follows a visitor in the batch record where the event's address is another visitor's mailbox."""

MERGING = "<"
"""Stands there before each younger visitor whom the event showed to be one with this visitor."""

NOBODY = "-"
"""Stands there instead of a visitor where the event was erased."""

STATE, BUILD = "state=", "build="
"""Stand at the beginning of what a batch record says of its making."""

PUBLICATION = "publication="
"""Stands before the publication's number in what a batch record says of the view."""


@dataclass
class Intake:
    """Hold what a batch takes."""

    now: datetime
    chunks: list[Chunk]
    local: list[Letter]
    wakes_due: list[tuple[str, datetime]]
    taken: dict[str, int]
    """Stream -> position before this batch."""

    def told_at(self) -> datetime:
        """Return when the oldest thing in it was told."""
        return min((chunk.at for chunk in self.chunks), default=self.now)


@dataclass
class Plan:
    """Hold a batch's works in order, and what identity resolution wants written and told."""

    works: list[Work] = field(default_factory=list)
    told: list[Letter] = field(default_factory=list)
    """Letters to this bot's own shards: forwarded events and merges."""
    identities: list[IdentityWrite] = field(default_factory=list)
    visitors: list[str] = field(default_factory=list)
    inputs: list[tuple[str, int, int]] = field(default_factory=list)
    rows: list[RowWrite] = field(default_factory=list)
    """For the quarantine: events that cannot be read, and replays that were taken."""
    rewritten: list[Record] = field(default_factory=list)
    """Journaled events of which less is kept than came."""


@dataclass
class Built:
    """Hold a batch ready to commit, and what follows from it."""

    commit: Commit
    folded: Folded
    letters: int


class Builder:
    """Build the batches of one shard."""

    def __init__(self, spec: ShardSpec, memory: Memory, codec: Codec) -> None:
        self._spec = spec
        self._memory = memory
        self._codec = codec
        self.skipped: dict[Place, str] = {}
        """Letters in quarantine within the batch under way, with the reason."""

    async def plan(self, intake: Intake, given: list[IdentityWrite]) -> Plan:
        """Decode a batch's chunks; for journaled events find out whose they are.

        `given`: identities that a commit under way gives, and that the store may not show yet.
        """
        plan = Plan()
        records: list[tuple[str, Record]] = []
        done = dict(intake.taken)
        for chunk in intake.chunks:
            taken = done.get(chunk.stream, 0)
            done[chunk.stream] = chunk.last
            plan.inputs.append((chunk.stream, max(chunk.first, taken + 1), chunk.last))
            if chunk.stream.startswith("journal:"):
                found = decode_records(chunk.body) if chunk.records is None else chunk.records
                fresh = [record for record in found if record.position > taken]
                records.extend((chunk.stream, record) for record in fresh)
            else:
                for index, letter in enumerate(decode_letters(chunk.body)):
                    if not letter.message.visitor:
                        continue  # it was erased
                    work = Work(letter.message, letter.depth, chunk.stream, chunk.last, index)
                    plan.works.append(work)
        if records:
            arrivals = await self._resolve(intake, records, plan, given)
            plan.works[:0] = arrivals
        for index, letter in enumerate(intake.local):
            plan.works.append(Work(letter.message, letter.depth, "local", 0, index))
        return plan

    async def _resolve(
        self,
        intake: Intake,
        records: list[tuple[str, Record]],
        plan: Plan,
        given: list[IdentityWrite],
    ) -> list[Work]:
        """Return the works of journaled events; what else follows from them goes into the plan."""
        identity = self._spec.identity
        assert identity is not None, "only a bot with identities reads the journal"
        read = [self._read(identity, *each, plan, intake.now) for each in records]
        known = await self._known(identity, [keys for _, keys in read], given)
        _, latest = known.pop(ERASED_LATEST, ("", 0))
        erased = await self._erased(records, read, known, latest) if latest else {}
        resolver = identity.resolver(known, erased)
        works = []
        for (stream, record), (event, keys) in zip(records, read, strict=True):
            place = (stream, record.position, 0)
            if record.is_erased:
                plan.visitors.append(NOBODY)
                continue
            if event is None or place in self.skipped:
                plan.visitors.append("")
                continue
            if erased and is_late(identity, record, event, keys, erased, resolver):
                plan.visitors.append(NOBODY)
                plan.rewritten.append(erased_record(record))
                continue
            if erased and record.tagged and VISITOR + record.tagged in erased:
                record = msgspec.structs.replace(record, tagged="")  # noqa: PLW2901 - as it is kept
                plan.rewritten.append(record)
            if row := row_of_replay(record):
                plan.rows.append(taken_row(row, intake.now))
            resolution = resolver.resolve(record, event, keys)
            member = resolution.member
            merging = [younger for younger, _ in resolution.merges]
            plan.visitors.append(owner_text(resolution.visitor, member=member, merging=merging))
            arrived = Arrived(
                visitor=resolution.visitor,
                at=intake.now,
                record=record,
                member=member,
                merging=merging,
            )
            if self._mine(resolution.visitor):
                works.append(Work(arrived, 0, stream, record.position, 0))
            else:
                plan.told.append(Letter(1, arrived))
            for younger, older in resolution.merges:
                plan.told.append(Letter(1, MergedInto(visitor=younger, at=intake.now, into=older)))
        plan.identities = resolver.writes()
        return works

    def _read(
        self, identity: Identity, stream: str, record: Record, plan: Plan, now: datetime
    ) -> tuple[Event | None, list[str]]:
        """Return (event, its identity keys); what cannot be read is None, and a row for the quarantine."""
        if record.is_erased:
            return None, []
        try:
            event = record.event
            return event, identity.keys_of(record, event)
        except (msgspec.DecodeError, ValueError) as error:
            place = (stream, record.position, 0)
            self.skipped.setdefault(place, f"unreadable: {error}")
            reason = self.skipped[place]
            plan.rows += unreadable_row(self._spec.name, record, place, reason, now)
            return None, []

    async def _known(
        self, identity: Identity, groups: list[list[str]], given: list[IdentityWrite]
    ) -> Rows:
        """Read the identity rows a batch needs: mostly one query, further ones where keys disagree."""
        known: Rows = {}
        newer = {write.key: (write.visitor, write.born) for write in given}
        asked: set[str] = set()
        wanted = sorted({ERASED_LATEST, *(key for keys in groups for key in keys)})
        while wanted:
            known.update(await self._spec.store.identities(wanted))
            known.update((key, newer[key]) for key in wanted if key in newer)
            asked.update(wanted)
            wanted = identity.further_keys(groups, known, asked)
        return known

    async def _erased(
        self,
        records: list[tuple[str, Record]],
        read: list[tuple[Event | None, list[str]]],
        known: Rows,
        latest: int,
    ) -> dict[str, int]:
        """Return key -> when its owner was erased, of all keys for which that can matter (`late.asked_keys`)."""
        identity, veil = self._spec.identity, self._spec.view.veil
        assert identity is not None, "only a bot with identities reads the journal"
        asked: dict[str, str] = {}
        for (_, record), (event, keys) in zip(records, read, strict=True):
            if event is not None:
                for key in asked_keys(identity, record, event, keys, known, latest):
                    asked[erased_key(veil(key))] = key
        if not asked:
            return {}
        rows = await self._spec.store.identities(sorted(asked))
        return {asked[key]: row[1] for key, row in rows.items()}

    def _mine(self, visitor: str) -> bool:
        spec = self._spec
        return spec.of == 1 or shard_of(spec.bot.name, visitor, spec.shards) == spec.name

    async def load(self, plan: Plan, intake: Intake) -> dict[str, Held]:
        """Return the states a batch needs: from memory, else in one query from the store."""
        wanted = {visitor for visitor, _ in intake.wakes_due}
        wanted.update(work.message.visitor for work in plan.works)
        states: dict[str, Held] = {}
        missing = []
        for visitor in sorted(wanted):  # what is let go of memory must not depend on a set's order
            held = self._memory.get(visitor)
            if held is None:
                missing.append(visitor)
            else:
                states[visitor] = held
        if missing:
            stored = await self._spec.store.load(self._spec.bot.name, missing)
            for visitor in missing:
                body = stored.get(visitor)
                held = self._codec.fresh(visitor) if body is None else self._codec.decode(body)
                self._memory.put(visitor, held)
                states[visitor] = held
        return states

    def fold(
        self, plan: Plan, intake: Intake, states: dict[str, Held], view: View, source: str
    ) -> tuple[Folding, list[tuple[str, str]]]:
        """Fold a batch's wake-ups and works. Raise `Poisoned` if a step raises."""
        spec = self._spec
        folding = Folding(spec.bot, intake.now, view, source, spec.limits.depth_max)
        fired: list[tuple[str, str]] = []
        for visitor, _ in intake.wakes_due:
            held = states[visitor]
            for _, key in held.wakes_due(intake.now):
                # A wake-up that fired just before may have taken this one back, or put it off.
                if key not in held.wakes or held.wakes[key][0] > intake.now:
                    continue
                if wake_place(visitor, key) in self.skipped:
                    del held.wakes[key]
                    folding.folded.touched[visitor] = held
                    continue
                fired.append((visitor, key))
                folding.wake(held, visitor, key)
        for work in plan.works:
            if self.skipped and (work.stream, work.position, work.index) in self.skipped:
                continue
            folding.take(states[work.message.visitor], work)
        if plan.told:
            folding.folded.letters.setdefault(spec.bot.name, []).extend(plan.told)
        return folding, fired

    def outbox(
        self, letters: dict[str, list[Letter]], sent: dict[str, int], now: datetime
    ) -> list[OutboxWrite]:
        """Sort letters by receiving shard, numbered on from `sent`: one document each, several if it would be large."""
        by_shard: dict[str, list[Letter]] = {}
        shards = self._spec.shards
        for bot, some in letters.items():
            if shards[bot] == 1:
                by_shard[f"{bot}-0"] = some
                continue
            for letter in some:
                to = shard_of(bot, letter.message.visitor, shards)
                by_shard.setdefault(to, []).append(letter)
        writes = []
        for to, some in by_shard.items():
            number = sent.get(to, 0)
            for body, count in in_pieces(some, self._spec.limits.outbox_bytes_max):
                number += 1
                writes.append(OutboxWrite(to, number, now, body, count))
        return writes

    def states(self, folded: Folded) -> tuple[list[StateWrite], dict[str, float]]:
        """Encode the states that changed, and note them as stored: a commit that fails makes them forgotten.

        Return the writes, and by how much the shard's figures change with them.
        """
        writes = []
        changes: dict[str, float] = {}
        for visitor, held in folded.touched.items():
            body = self._codec.encode(held)
            if body != held.stored:
                write = StateWrite(visitor, body, held.due())
                writes.append(write)
                held.stored = body
                figures = self._codec.figures(held)
                if figures != held.figures:
                    groups = groups_of(figures)
                    if groups != groups_of(held.figures):
                        write.groups = groups
                    for name in {**held.figures, **figures}:
                        change = figures.get(name, 0) - held.figures.get(name, 0)
                        changes[name] = changes.get(name, 0) + change
                    held.figures = figures
        return writes, changes

    def record(
        self, intake: Intake, plan: Plan, fired: list[tuple[str, str]], view: View
    ) -> BatchRecord:
        """Record what a batch took, for replay."""
        return BatchRecord(
            at=intake.now,
            code=describe(self._spec.bot.version, view, self._spec.build),
            rules_version=view.rules_version,
            snapshots={policy: s.version for policy, s in view.snapshots.items()},
            wakes=fired,
            inputs=plan.inputs,
            visitors=plan.visitors,
            local=encode_letters(intake.local) if intake.local else b"",
            suppressed=sorted(view.suppressed),
            skipped=sorted(self.skipped),
        )


def in_pieces(letters: list[Letter], bytes_max: int) -> list[tuple[bytes, int]]:
    """Return (bytes, number of letters) of each piece, in order; one letter alone may be larger than the bound."""
    body = encode_letters(letters)
    if len(body) <= bytes_max or len(letters) == 1:
        return [(body, len(letters))]
    half = len(letters) // 2
    return in_pieces(letters[:half], bytes_max) + in_pieces(letters[half:], bytes_max)


def newest(rows: list[RowWrite]) -> list[RowWrite]:
    """Return the rows to write: of those put again in their batch only the last, also where the first was an insert."""
    last = {(row.table, row.id): row for row in rows if row.mode == "put"}
    if len(last) == len(rows):
        return rows
    return [row for row in rows if row.mode == "set" or last.get((row.table, row.id), row) is row]


def owner_text(visitor: str, *, member: bool, merging: list[str]) -> str:
    """Return how a batch record keeps whose an event was.

    >>> read_owner(owner_text("aa", member=True, merging=["bb", "cc"]))
    ('aa', True, ['bb', 'cc'])
    """
    return visitor + (MEMBER if member else "") + "".join(MERGING + each for each in merging)


def read_owner(text: str) -> tuple[str, bool, list[str]]:
    """Return (visitor, member, merging) from a batch record's text; the visitor is empty where there is none."""
    if text == NOBODY:
        return "", False, []
    visitor, *merging = text.split(MERGING)
    return visitor.removesuffix(MEMBER), visitor.endswith(MEMBER), merging


def wake_place(visitor: str, key: str) -> Place:
    """Return the place of a wake-up, for the quarantine."""
    return (f"wake:{visitor}:{key}", 0, 0)


def describe(version: int, view: View, build: str = "") -> str:
    """Return who makes a batch, and the settings that a step can see besides rules and snapshots, for its record.

    Args:
        version: layout of the bot's states.
        view: what the steps see.
        build: which code it is (`agents.runtime.build`).

    >>> describe(1, View(None, 0, {}, {}), "0a1b")
    'state=1 build=0a1b consent=opt-in holdout=0.05 learning=1 social=0 publication=0'
    """
    settings = _described(view.consent, view.holdout, view.learning, view.social)
    held = held_text(view.paused, view.archived) if view.paused or view.archived else ""
    maker = f"{STATE}{version}" + (f" {BUILD}{build}" if build else "")
    return f"{maker} {settings} {PUBLICATION}{view.publication}" + (f" held={held}" if held else "")


def maker_in(code: str) -> tuple[int, str]:
    """Return (layout of the states, build) that a batch record names; older records name no build, or nothing.

    >>> maker_in(describe(2, View(None, 0, {}, {}), "0a1b")), maker_in("state=1 consent=opt-in")
    ((2, '0a1b'), (1, ''))
    >>> maker_in("")
    (0, '')
    """
    state, _, rest = code.partition(" ")
    word = rest.partition(" ")[0]
    return int(state.removeprefix(STATE) or 0), word.removeprefix(BUILD) if word.startswith(
        BUILD
    ) else ""


def publication_in(code: str) -> int:
    """Return the publication that a batch record names.

    >>> publication_in(describe(1, View(None, 0, {}, {}, publication=7, paused=frozenset({"a"}))))
    7
    """
    return int(code.rpartition(PUBLICATION)[2].partition(" ")[0])


def consent_in(code: str) -> str:
    """Return the consent setting that a batch record names; empty where it names none.

    >>> consent_in(describe(1, View(None, 0, {}, {}, consent="assumed")))
    'assumed'
    """
    return code.partition("consent=")[2].partition(" ")[0]


@lru_cache(maxsize=64)
def _described(consent: str, holdout: float, learning: bool, social: bool) -> str:
    flags = f"learning={int(learning)} social={int(social)}"
    return f"consent={consent} holdout={holdout:g} {flags}"


__all__ = ["Builder", "Built", "Intake", "Plan", "Poisoned", "describe"]
