"""Prove from the record that nothing was lost, doubled or sent against a refusal: `mdma audit`.

Each shard is cut at its last commit and read as it stood then; traffic may go on. What is found beside an erasure,
which takes things away between two reads, is looked for again. Where the product was upgraded, steps are repeated
from the checkpoint of that moment on (`agents.runtime.checkpoint`). What is proved, and by what:
1. *Counted once*: the batches of a shard took each input stream without a gap or an overlap, and every
   journaled event in their ranges has a visitor, stands in quarantine, or was erased; what was set aside counts once
   its replay was taken, and never is both (`scripts.audit_aside`). Each stands in its own place, and is known if it
   comes again (`scripts.audit_journal`).
2. *State*: the fold of all recorded inputs equals the stored states, byte for byte, and nobody's is missing; everybody
   is found when they are next due and in the lists, and all are counted as they are (`scripts.audit_states`).
   Whoever came under a key is found by it (`scripts.audit_identity`).
3. *Rows*: sends, decisions, rewards, alerts, orders, engagements, moments and the story are those that the fold
   wants, no more, no fewer, none altered (`scripts.audit_rows`).
4. *Sends*: each template decision has one ledger row and the reverse, dated no earlier than the decision;
   attempts and caps hold, and a mailbox is thanked once for an order (`scripts.audit_ledger`). Each send was handed
   over once, and each visitor thanked once for an order (`scripts.audit_handovers`). The same of what was decided to
   be offered on the site, and of its caps (`scripts.audit_site`).
5. *No hand-over after a refusal*: in the order in which Email took them, no marketing e-mail was handed over
   after that visitor's unsubscribe, erasure, goal, or loss of consent, nor against the consent setting in force,
   nor to an address that had bounced, nor in quiet hours. Who left is suppressed (`scripts.audit_mailboxes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from agents.runtime.batch import NOBODY, consent_in
from agents.runtime.eraser import DONE, ERASURES
from agents.runtime.fold import Folded, Work
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING, shard_names
from agents.runtime.replay import RecordBrokenError, Replayer, ViewAt
from messaging.ports import BatchRecord, Journal, Ownership, Store
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import PARTITIONS, partition_of
from scripts.audit_aside import Aside
from scripts.audit_handovers import HandOvers
from scripts.audit_identity import Identities
from scripts.audit_journal import misfiled
from scripts.audit_ledger import Ledger
from scripts.audit_mailboxes import Mailboxes
from scripts.audit_refusals import Refusals
from scripts.audit_rows import Rows, SharedRows
from scripts.audit_states import States
from scripts.counting import counted
from scripts.erasing import nobody

ROWS_MAX = 5_000_000
TRIES_MAX = 3
"""Audits beside erasures: one that finds nothing is believed."""

LOOKED_UP_MIN = 5_000
"""So many keys, or mailboxes, are looked up at once."""

Progress = Callable[[str], None]


class Finding(msgspec.Struct):
    """Name one thing that should not be."""

    rule: str
    what: str


class Report(msgspec.Struct):
    """Hold what an audit looked at and what it found."""

    looked_at: dict[str, int]
    findings: list[Finding]
    since: datetime | None = None
    """Since when steps are repeated: the product was upgraded then; None: since the first."""

    @property
    def clean(self) -> bool:
        """Return whether nothing was found."""
        return not self.findings


@dataclass
class Watch:
    """Hold who looks on while all shards are folded."""

    only: str | None
    aside: Aside
    handovers: HandOvers
    shared: SharedRows
    identities: Identities
    mailboxes: Mailboxes

    def resolved(self, record: Record, whose: str, merging: list[str]) -> None:
        """Take a journaled event, and whose it was found to be."""
        self.mailboxes.take(record, whose)
        if self.only in (None, whose):
            self.identities.observe(record, whose, merging)

    def cut(self, bot: str, shard: str, rows: Rows, batch: int, last_at: datetime | None) -> None:
        """Take up to which batch a shard was folded, and when that one was."""
        self.shared.take(shard, rows, batch, last_at)
        if WIRING[bot].reads_journal:
            self.identities.cut(shard, batch)

    def broken(self) -> None:
        """Take that a shard could not be folded to its cut: what it wanted is not known."""
        self.identities.knows_all = self.shared.knows_all = False

    async def look(self, store: Store, *, at_least: int = 1) -> None:
        """Look up what was taken, once there is so much of it."""
        await self.identities.look(store, at_least=at_least)
        await self.mailboxes.look(store, at_least=at_least)


class Auditor:
    """Audit one system through its store and journal."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        shards: dict[str, int],
        view_at: ViewAt,
        veil: Callable[[str], str] = lambda key: key,
    ) -> None:
        self._store = store
        self._journal = journal
        self._shards = shards
        self._view_at = view_at
        self._veil = veil
        self._findings: list[Finding] = []
        self._looked: Counter[str] = Counter()

    async def run(
        self, *, visitor: str | None = None, since: datetime | None = None, say: Progress = print
    ) -> Report:
        """Audit everything, or one visitor; `since` leaves older sends out of the ledger's checks.

        Raise Refused where nobody is known by the visitor's id.
        """
        only = None
        if visitor is not None:
            only = await StoreReader(self._store).find(visitor)
            if only is None:
                raise await nobody(self._store, visitor, self._veil)
        under_way = 0
        for _ in range(TRIES_MAX):
            before = await self._erased()
            self._findings, self._looked = [], Counter()
            report = await self._once(only, since, say)
            rows = await self._store.rows(ERASURES, {}, limit=ROWS_MAX)
            under_way = sum(row["id"] not in before for row in rows)
            if report.clean or not under_way:
                return report
            say("somebody was erased meanwhile: auditing again")
        report.looked_at["erasures under way"] = under_way
        return report

    async def _erased(self) -> set[str]:
        """Return the receipts of those whose erasure is done."""
        rows = await self._store.rows(ERASURES, {"status": DONE}, limit=ROWS_MAX)
        return {row["id"] for row in rows}

    async def _once(self, only: str | None, since: datetime | None, say: Progress) -> Report:
        """Audit as things stand. What an erasure takes away between two reads is found to be missing."""
        upgraded = await self._upgraded()
        if only is None:
            await self._filed(say)
        watch = self._watch(only, upgraded)
        await watch.aside.begin(self._store, upgraded)
        for bot in WIRING:
            for index in range(self._shards.get(bot, 0)):
                say(f"folding {bot}-{index}")
                await self._shard(bot, index, only, watch)
        await self._rest(watch)
        say("comparing decisions with the ledger")
        ledger = Ledger(
            self._store, self._view_at, self._found, self._looked, only=only, since=since
        )
        self._looked["hand-overs"] = watch.handovers.seen
        await watch.handovers.end(ledger.goals)
        await ledger.sent()
        await ledger.on_site()
        return Report(dict(self._looked), self._findings, upgraded)

    def _watch(self, only: str | None, upgraded: datetime | None) -> Watch:
        found, knows_all = self._found, only is None and upgraded is None
        return Watch(
            only,
            Aside(found, only),
            HandOvers(found),
            SharedRows(upgraded),
            Identities(found, self._veil, knows_all=knows_all),
            Mailboxes(found, self._veil, only),
        )

    async def _rest(self, watch: Watch) -> None:
        """Say what only shows once every shard was folded."""
        for what in await watch.shared.compare(self._store, watch.only):
            self._found("rows", what)
        await watch.identities.end(self._store)
        await watch.mailboxes.end(self._store)
        self._looked["identity keys"] = watch.identities.seen
        self._looked["mailboxes"] = watch.mailboxes.seen
        self._looked["events"] -= watch.aside.arrivals
        self._looked["messages set aside"] = await watch.aside.end(self._store)

    async def _upgraded(self) -> datetime | None:
        """Return when the last checkpoint of all was written: before it, other code recorded."""
        names = [f"{bot}-{index}" for bot, count in self._shards.items() for index in range(count)]
        heads = [await self._store.checkpoint(name) for name in names]
        return max((head.at for head in heads if head is not None), default=None)

    async def _filed(self, say: Progress) -> None:
        say("reading the journal")
        found, looked = await misfiled(self._journal)
        self._looked.update(looked)
        for what in found:
            self._found("journal", what)

    def _found(self, rule: str, what: str) -> None:
        self._findings.append(Finding(rule, what))

    # Counted once, and the same state

    async def _shard(self, bot: str, index: int, only: str | None, watch: Watch) -> None:
        """Fold one shard, and compare what it keeps with what comes of that."""
        shard = (index, self._shards[bot])
        replayer = Replayer(WIRING[bot].make(), shard, self._store, self._journal, self._view_at)
        head = await replayer.begin(only)
        taken = dict(head.positions) if head is not None else {}
        last_at = head.at if head is not None else None
        rows = Rows(bot, only, lambda visitor: _is_of(visitor, shard), last_at)
        peers = shard_names(self._shards)
        states = States(replayer, bot, shard, only, peers=peers, head=head)
        mail = await self._mail(replayer, shard, only, watch) if bot == "email" else None

        def observe(number: int, record: BatchRecord, works: list[Work], folded: Folded) -> None:
            nonlocal last_at
            last_at = record.at
            self._looked["batches"] += 1
            self._looked["messages"] += len(works) + len(record.wakes)
            self._contiguous(replayer.name, number, record, taken)
            rows.note(folded.rows)
            watch.mailboxes.observe(record, folded)
            taken_works = watch.aside.observe(record, works)
            if mail is not None:
                mail.observe(taken_works, folded, consent_in(record.code))
                watch.handovers.observe(record.at, taken_works, folded)

        replayer.observe, replayer.resolved = observe, watch.resolved
        try:
            owner, differing = await self._advance(replayer, watch, states, rows)
        except RecordBrokenError as broken:
            self._found("once", str(broken))
            watch.broken()
            return
        watch.cut(bot, replayer.name, rows, owner.batch if owner is not None else 0, last_at)
        replayer.steps.clear()
        self._looked["states"] += states.seen
        self._looked["rows"] += rows.seen
        for rule, what in differing:
            self._found(rule, f"{replayer.name}: {what}")
        if owner is not None and owner.positions != taken:
            self._found("positions", f"{replayer.name}: {owner.positions} but took {taken}")

    async def _advance(
        self, replayer: Replayer, watch: Watch, states: States, rows: Rows
    ) -> tuple[Ownership | None, list[tuple[str, str]]]:
        """Fold a shard up to a cut; return its owner document of then, and (rule, what differs)."""
        only = watch.only
        replayer.between = lambda: watch.look(self._store, at_least=LOOKED_UP_MIN)
        await replayer.advance(visitor=only)  # the long part, while the world goes on
        async with self._store.standing_still() as store:
            replayer.between = lambda: watch.look(store, at_least=LOOKED_UP_MIN)
            owner = await store.owner(replayer.name)
            await replayer.advance(visitor=only, upto=owner.batch if owner is not None else 0)
            await watch.look(store)
            differing = await states.compare(store, owner)
            differing += [("rows", what) for what in await rows.compare(store)]
        return owner, differing

    async def _mail(
        self, replayer: Replayer, shard: tuple[int, int], only: str | None, watch: Watch
    ) -> Refusals:
        """Return who watches one of Email's shards, knowing what was refused and sent before its checkpoint."""
        refusals = Refusals(self._found)
        if replayer.checkpoint is not None:
            refusals.begin(replayer.held())
            sends = [row for row in await self._sends(only) if _is_of(row["visitor"], shard)]
            watch.handovers.begin(sends, replayer.held(), replayer.checkpoint.at)
        return refusals

    async def _sends(self, only: str | None) -> list[dict[str, Any]]:
        """Return the ledger's rows, but for what is left of those who were erased."""
        match = {"visitor": only} if only else {}
        found = await self._store.rows("sends", match, limit=ROWS_MAX, newest=False)
        return [row for row in found if row["visitor"]]

    def _contiguous(
        self, name: str, number: int, record: BatchRecord, taken: dict[str, int]
    ) -> None:
        for stream, first, last in record.inputs:
            before = taken.get(stream, 0)
            if first != before + 1 and not (before == 0 and stream.startswith("journal:")):
                self._found("once", f"{name}:{number} took {stream} from {first} after {before}")
            taken[stream] = max(last, before)
        skipped = {(stream, position) for stream, position, _ in record.skipped}
        lost = sum(1 for visitor in record.visitors if not visitor)
        erased = record.visitors.count(NOBODY)
        self._looked["events"] += len(record.visitors) - erased - lost
        if erased:
            self._looked["erased events"] += erased
        if lost > len(skipped):
            without = counted(lost - len(skipped), "events")
            self._found("once", f"{name}:{number}: {without} without a visitor")


def _is_of(visitor: str, shard: tuple[int, int]) -> bool:
    index, of = shard
    return partition_of(visitor) * of // PARTITIONS == index
