"""Prove from the record that nothing was lost, doubled or sent against a refusal: `mdma audit`.

Each shard is cut at its last commit and read as it stood then; traffic may go on. Where the product was upgraded,
steps are repeated from the checkpoint of that moment on (`agents.runtime.checkpoint`). What is proved, and by what:
1. *Counted once*: the batches of a shard took each input stream without a gap or an overlap, and every
   journaled event in their ranges has a visitor, stands in quarantine, or was erased; what was set aside counts once
   its replay was taken, and never is both (`scripts.audit_aside`). Each stands in its own place, and is known if it
   comes again (`scripts.audit_journal`).
2. *State*: the fold of all recorded inputs equals the stored states, byte for byte, and nobody's is missing; everybody
   is found when they are next due and in the lists, and all are counted as they are (`scripts.audit_states`).
3. *Rows*: sends, decisions, rewards, alerts, orders, engagements, moments and the story are those that the fold
   wants, no more, no fewer, none altered (`scripts.audit_rows`).
4. *Sends*: each template decision has one ledger row and the reverse, dated no earlier than the decision;
   attempts and caps hold, and a mailbox is thanked once for an order. Each send was handed over once, and each
   visitor thanked once for an order (`scripts.audit_handovers`). The same of what was decided to be offered on
   the site, and of its caps (`scripts.audit_site`).
5. *No hand-over after a refusal*: in the order in which Email took them, no marketing e-mail was handed over
   after that visitor's unsubscribe, erasure, goal, or loss of consent, nor against the consent setting in force,
   nor to an address that had bounced, nor in quiet hours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import InteractionRule
from agents.runtime.batch import NOBODY, consent_in
from agents.runtime.fold import Folded, Work
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING, shard_names
from agents.runtime.replay import RecordBrokenError, Replayer, ViewAt
from messaging.ports import BatchRecord, Journal, Store
from messaging.vocabulary.ids import PARTITIONS, partition_of
from scripts.audit_aside import Aside
from scripts.audit_handovers import HandOvers
from scripts.audit_journal import misfiled
from scripts.audit_refusals import Refusals
from scripts.audit_rows import Rows, SharedRows
from scripts.audit_site import offer_of, over_caps
from scripts.audit_states import States
from scripts.counting import counted
from scripts.erasing import nobody

ROWS_MAX = 5_000_000
SETTLE_SECONDS = 15.0
"""How long a decision may wait for its ledger row: the time a letter is under way."""

CLOCKS_APART = timedelta(seconds=2)
"""What the clocks of two machines may differ by."""

COUNTED = ("handed over", "uncertain", "delivered", "complained")
"""Send statuses that count as an attempt."""

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
        upgraded = await self._upgraded()
        if only is None:
            await self._filed(say)
        aside = Aside(self._found, only)
        await aside.begin(self._store, upgraded)
        handovers, shared = HandOvers(self._found), SharedRows(upgraded)
        for bot in WIRING:
            for index in range(self._shards.get(bot, 0)):
                say(f"folding {bot}-{index}")
                await self._shard(bot, index, only, (aside, handovers, shared))
        for what in await shared.compare(self._store, only):
            self._found("rows", what)
        self._looked["events"] -= aside.arrivals
        self._looked["messages set aside"] = await aside.end(self._store)
        say("comparing decisions with the ledger")
        views: dict[int, View] = {}
        self._looked["hand-overs"] = handovers.seen
        await handovers.end(lambda version, path: self._goals(version, path, views))
        await self._ledger(only, since, views)
        await self._on_site(only, since, views)
        return Report(dict(self._looked), self._findings, upgraded)

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

    async def _shard(
        self, bot: str, index: int, only: str | None, watching: tuple[Aside, HandOvers, SharedRows]
    ) -> None:
        aside, handovers, shared = watching
        replayer = Replayer(
            WIRING[bot].make(),
            (index, self._shards[bot]),
            self._store,
            self._journal,
            self._view_at,
        )
        head = await replayer.begin(only)
        taken = dict(head.positions) if head is not None else {}
        last_at = head.at if head is not None else None
        refusals = Refusals(self._found)
        of = self._shards[bot]
        since = head.at if head is not None else None

        def is_mine(visitor: str) -> bool:
            return partition_of(visitor) * of // PARTITIONS == index

        if bot == "email" and since is not None:
            refusals.begin(replayer.held())
            sends = [row for row in await self._sends(only) if is_mine(row["visitor"])]
            handovers.begin(sends, replayer.held(), since)
        rows = Rows(bot, only, is_mine, since)
        peers = shard_names(self._shards)
        states = States(replayer, bot, (index, of), only, peers=peers, head=head)

        def observe(number: int, record: BatchRecord, works: list[Work], folded: Folded) -> None:
            nonlocal last_at
            last_at = record.at
            self._looked["batches"] += 1
            self._looked["messages"] += len(works) + len(record.wakes)
            self._contiguous(replayer.name, number, record, taken)
            rows.note(folded.rows)
            taken_works = aside.observe(record, works)
            if bot == "email":
                refusals.observe(taken_works, folded, consent_in(record.code))
                handovers.observe(record.at, taken_works, folded)

        replayer.observe = observe
        try:
            await replayer.advance(visitor=only)  # the long part, while the world goes on
            async with self._store.standing_still() as store:
                owner = await store.owner(replayer.name)
                await replayer.advance(visitor=only, upto=owner.batch if owner is not None else 0)
                differing = await states.compare(store, owner)
                differing += [("rows", what) for what in await rows.compare(store)]
        except RecordBrokenError as broken:
            self._found("once", str(broken))
            return
        shared.take(replayer.name, rows, owner.batch if owner is not None else 0, last_at)
        replayer.steps.clear()
        self._looked["states"] += states.seen
        self._looked["rows"] += rows.seen
        for rule, what in differing:
            self._found(rule, f"{replayer.name}: {what}")
        if owner is not None and owner.positions != taken:
            self._found("positions", f"{replayer.name}: {owner.positions} but took {taken}")

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

    # The ledger

    async def _ledger(
        self, only: str | None, since: datetime | None, views: dict[int, View]
    ) -> None:
        marketing = {"success": False, "confirms": False}
        decisions, sends = await self._joined("template", "sends", only, marketing)
        self._looked["decisions"] += len(decisions)
        self._looked["sends"] += len(sends)
        for row in sends:
            at, decided_at = row.get("handed_over_at"), _at(decisions.get(row["decision_id"]))
            if at is not None and decided_at is not None and at < decided_at - CLOCKS_APART:
                self._found(
                    "order", f"{row['id']} was handed over {decided_at - at} before its decision"
                )
        await self._thanks(only, since)
        if since is not None:
            sends = [row for row in sends if row["at"] >= since]
        await self._attempts([row for row in sends if row["status"] in COUNTED], views)

    async def _thanks(self, only: str | None, since: datetime | None) -> None:
        """Check that no mailbox was thanked twice for one order."""
        match = {"success": True} | ({"visitor": only} if only else {})
        rows = await self._store.rows("sends", match, limit=ROWS_MAX, newest=False)
        thanked = Counter(
            (row["mailbox"], row["path"], row["run"])
            for row in rows
            if row["mailbox"] and row["status"] in COUNTED and (since is None or row["at"] >= since)
        )
        self._looked["thanks"] += len(rows)
        for (mailbox, path, order), count in thanked.items():
            if count > 1:
                self._found("success", f"mailbox {mailbox}: {count} of {path} for order {order}")

    async def _on_site(
        self, only: str | None, since: datetime | None, views: dict[int, View]
    ) -> None:
        decisions, rows = await self._joined("interaction", "engagements", only, {})
        self._looked["offers"] += len(rows)
        made = [(row, decisions.get(row["decision_id"])) for row in rows]
        offers = [offer_of(row, decision) for row, decision in made if decision is not None]
        if since is not None:
            offers = [offer for offer in offers if offer.decided_at >= since]
        for version in {offer.rules_version for offer in offers}:
            await self._rules(version, views)
        for what in over_caps(offers, lambda number, name: _interaction(views[number], name)):
            self._found("caps", what)

    async def _joined(
        self, kind: str, table: str, only: str | None, asked: dict[str, Any]
    ) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Return the decisions of a kind and the rows that they ask for, after finding that each has the other."""
        match = {"visitor": only} if only else {}
        found = await self._store.rows(
            "decisions", {**match, "kind": kind}, limit=ROWS_MAX, newest=False
        )
        rows = await self._store.rows(table, {**match, **asked}, limit=ROWS_MAX, newest=False)
        by_decision = Counter(row["decision_id"] for row in rows)
        # What is left of a decision about somebody who was erased has no row any more.
        missing = {row["id"] for row in found if row["visitor"]} - set(by_decision)
        for _ in range(int(SETTLE_SECONDS)):
            missing -= await self._with_row(table, missing, asked, one_by_one=bool(only))
            if not missing:
                break
            await asyncio.sleep(1.0)
        for decision in sorted(missing):
            self._found("ledger", f"decision {decision} has no row in the ledger ({table})")
        decisions = {row["id"]: row for row in found}
        for decision, count in by_decision.items():
            known = decisions.get(decision) or await self._decided(decision, kind)
            if count > 1 or known is None:
                self._found("ledger", f"{count} {table} for decision {decision or '(none)'}")
            if known is not None:
                decisions[decision] = known
        return decisions, rows

    async def _with_row(
        self, table: str, decisions: set[str], asked: dict[str, Any], *, one_by_one: bool
    ) -> set[str]:
        """Return which of these decisions have a row by now, also with whoever their visitor was merged into."""
        if not decisions:
            return set()
        if one_by_one:
            return {d for d in decisions if await self._store.count(table, {"decision_id": d})}
        found = await self._store.rows(
            table, asked, limit=ROWS_MAX, newest=False, only=("decision_id",)
        )
        return {row["decision_id"] for row in found}

    async def _decided(self, decision: str, kind: str) -> dict[str, Any] | None:
        """Return a decision that was made meanwhile, or for a visitor who was merged into the one looked at."""
        found = await self._store.get_document("decisions", decision) if decision else None
        return found if found is not None and found["kind"] == kind else None

    async def _attempts(self, rows: list[dict[str, Any]], views: dict[int, View]) -> None:
        """Check the budget of each run and the caps of each mailbox."""
        runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        boxes: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows:
            runs.setdefault((row["visitor"], row["path"], row["run"]), []).append(row)
            boxes.setdefault((row["mailbox"], row["path"]), []).append(row)
        for (visitor, path, run), some in runs.items():
            rule = await self._path(some[-1]["rules_version"], path, views)
            if rule is not None and len(some) > rule.attempts_total:
                self._found("attempts", f"{visitor} {path} run {run}: {len(some)} attempts")
        for (mailbox, path), some in boxes.items():
            rule = await self._path(some[-1]["rules_version"], path, views)
            times = sorted(row.get("handed_over_at") or row["at"] for row in some)
            for cap in rule.caps if rule is not None else ():
                for first, last in zip(times, times[cap.count :], strict=False):
                    # The store keeps milliseconds.
                    if last - first < timedelta(hours=cap.hours) - timedelta(milliseconds=2):
                        self._found("caps", f"mailbox {mailbox}: {cap.count + 1} in {last - first}")

    async def _path(self, version: int, path: str, views: dict[int, View]) -> Any:
        rules = await self._rules(version, views)
        return rules.paths.get(path) if rules is not None else None

    async def _goals(self, version: int, path: str, views: dict[int, View]) -> frozenset[str]:
        rule = await self._path(version, path, views)
        return rule.goal_events if rule is not None else frozenset()

    async def _rules(self, version: int, views: dict[int, View]) -> Any:
        if version not in views:
            views[version] = await self._view_at(version, {}, "")
        return views[version].rules


def _at(decision: dict[str, Any] | None) -> datetime | None:
    return decision["at"] if decision is not None else None


def _interaction(view: View, name: str) -> InteractionRule | None:
    rules = view.rules
    return rules.interactions.get(name) if rules is not None else None
