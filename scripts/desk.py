"""Tell the console what it shows: facts of the store and the parts' numbers in, plain words out.

Rules
1. What a page costs does not grow with the number of visitors: lists are read a page at a time, by an index.
2. Whoever is logged in may see who somebody is: that is asked of no other page for people.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.rules.compiled import CompiledRules
from agents.rules.flow import is_hidden
from agents.runtime.eraser import DONE, ERASURES, asked
from agents.runtime.figures import bounds_in, people_by_version
from agents.runtime.policies import choosing
from agents.runtime.readers import StoreReader
from agents.runtime.views import PUBLISHED, VERSIONS, Versions
from config.load import compile_files
from messaging.gateway.broadcasts import RECIPIENTS
from messaging.gateway.console.delivered import DeliveredNow, Suppressed
from messaging.gateway.console.desk import (
    AsideLine,
    NotExportedError,
    Page,
    PartLine,
    People,
    PersonLine,
    Receipt,
    RecipientLine,
    SystemNow,
)
from messaging.gateway.console.learned import Evaluation, LearningNow
from messaging.gateway.console.routine import OlderLine, Routine, Routines
from messaging.gateway.late import late_said
from messaging.gateway.paging import After
from messaging.ports import Clock, Store
from messaging.vocabulary.quarantine import OPEN, QUARANTINE, told_aside
from scripts.alert_cards import card_of
from scripts.cli_erase import RECEIPT_BYTES, said
from scripts.deliverability import Deliverability
from scripts.doing import state_of
from scripts.erasing import open_erasure
from scripts.evaluating import evaluate
from scripts.known import NOT_THEIRS, bounded
from scripts.learned import learning_now
from scripts.older import older_lines
from scripts.reasons import why, why_capped
from scripts.routine import routine_line, routine_of
from scripts.sent import SentCounts
from scripts.story import set_aside
from scripts.trial_process import TrialFailed
from scripts.trials import Runner
from scripts.visible import plain, shown
from scripts.wording import did, moment

Numbers = dict[str, dict[str, float]]

LOOKS_MAX = 20
"""Reads for one page of everybody."""
DID_MAX = 3
COHORTS_MAX = 6
ASIDE_MAX = 50
"""Rows of the quarantine on a page; `mdma quarantine` lists all."""

COLUMNS = {
    "Events a second": ("rate", 1),
    "Lag, s": ("lag_seconds", 1),
    "Chunks waiting": ("inbox_chunks", 0),
    "Events a batch": ("batch_size", 0),
    "Commit, ms": ("commit_ms", 1),
    "In memory": ("visitors_in_memory", 0),
    "Restarts": ("restarts", 0),
}
"""Title -> the number it shows, and with how many decimals."""

SENT = "handed over"
"""What became of a broadcast's e-mail, where there is nothing more to say."""

NO_PARTS = ("clock-1", "demo-1")


class ConsoleDesk:
    """Implement `messaging.gateway.console.desk.Desk`.

    Parameters:
        store: where everything is.
        parts: gives how each part fares.
        clock: tells world time.
        run_file: where `up` says how the system is reached, None where nobody says it.
        exporter: writes out a person's data, in a process of its own; None: nobody does.
    """

    def __init__(
        self,
        store: Store,
        parts: Callable[[], Numbers],
        clock: Clock,
        run_file: Path | None = None,
        exporter: Runner | None = None,
    ) -> None:
        self._store = store
        self._reader = StoreReader(store)
        self._parts = parts
        self._clock = clock
        self._run_file = run_file
        self._exporter = exporter
        self._is_exporting = False
        self._versions = Versions(compile_files)
        self._sent = SentCounts(store, clock)
        self._deliverability = Deliverability(store, clock)

    async def world(self) -> str:
        """Return world time in words."""
        return moment(self._clock.now())

    async def alerts(self, status: str, after: After | None, limit: int) -> Page:
        """Return alerts of a status, the newest first."""
        rows = await self._store.rows("alerts", {"status": status}, limit=limit + 1, after=after)
        shown_rows = rows[:limit]
        addresses = await self._reader.addresses(
            sorted({row["visitor"] for row in shown_rows if row["visitor"]})
        )
        stages = await self._stages(shown_rows) if status == "open" else {}
        lines = [card_of(plain(row), addresses, stages) for row in shown_rows]
        last = shown_rows[-1] if len(rows) > limit else None
        return Page(lines=lines, after=(last["at"], last["id"]) if last else None)

    async def cohorts(self) -> list[str]:
        """Return the names of the published cohorts."""
        rules = await self.published()
        return [each for each in rules.cohorts if not is_hidden(each)] if rules is not None else []

    async def people(
        self, after: str, limit: int, *, cohort: str = "", place: tuple[str, str] | None = None
    ) -> People:
        """Return visitors by visitor id: everybody, a cohort's, or who stand at a place of a path."""
        reader = self._reader
        if place is not None:
            rows = await reader.at_stage(*place, after, limit + 1)
            count = await reader.counted(path=place[0], stage=place[1])
        elif cohort:
            rows = await reader.of_cohort(cohort, after, limit + 1)
            count = await reader.counted(cohort=cohort)
        else:
            rows = await self._everybody(after, limit + 1)
            count = int((await self._store.figures("behavior")).get("people", 0))
        lines = [_person(plain(row)) for row in rows[:limit]]
        return People(lines=lines, count=count, after=lines[-1].visitor if rows[limit:] else "")

    async def _everybody(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return so many visitors: among a thousand are some who were merged and are none any more."""
        rows: list[dict[str, Any]] = []
        for _ in range(LOOKS_MAX):
            ids = await self._store.visitors("behavior", after, limit)
            rows += await self._reader.summaries(ids)
            if len(rows) >= limit or len(ids) < limit:
                break
            after = ids[-1]
        return rows[:limit]

    async def recipients(
        self, broadcast: str, status: str, after: After | None, limit: int
    ) -> Page:
        """Return for whom what became of a broadcast, the newest first."""
        match = {"broadcast": broadcast, **({"status": status} if status else {})}
        rows = await self._store.rows(RECIPIENTS, match, limit=limit + 1, after=after)
        shown_rows = rows[:limit]
        addresses = await self._reader.addresses(sorted({row["visitor"] for row in shown_rows}))
        now = self._clock.now()
        lines = [_recipient(row, addresses, now) for row in shown_rows]
        last = shown_rows[-1] if len(rows) > limit else None
        return Page(lines=lines, after=(last["at"], last["id"]) if last else None)

    async def names(self, visitors: list[str]) -> dict[str, str]:
        """Return visitor -> what a page calls them."""
        known = await self._reader.addresses(visitors)
        return {each: _called(each, known) for each in visitors}

    def why(self, reason: str) -> str:
        """Return in words why somebody does not get an e-mail."""
        return shown(why(reason))

    async def erase(self, visitor: str, at: datetime) -> str:
        """Ask for an erasure of a visitor; where one is asked for already, return its receipt."""
        if (receipt := await open_erasure(self._store, visitor)) is not None:
            return receipt
        # Drawn, not derived: nothing may lead from a receipt to the person.
        receipt = secrets.token_hex(RECEIPT_BYTES)
        await self._store.put_document(ERASURES, receipt, asked([visitor], at))
        return receipt

    async def export(self, visitor: str) -> str:
        """Return all of one person's data as JSON. Raise NotExportedError where it comes to nothing."""
        if self._exporter is None or self._is_exporting:
            return ""
        self._is_exporting = True
        try:
            found = await self._exporter.run("export", {"visitor": visitor}, lambda *_: None)
        except TrialFailed as failed:
            raise NotExportedError(str(failed)) from None
        finally:
            self._is_exporting = False
        return str(found["document"])

    async def receipt(self, id_: str) -> Receipt | None:
        """Return how an erasure stands."""
        found = await self._store.get_document(ERASURES, id_)
        if found is None:
            return None
        is_done = found["status"] == DONE
        return Receipt(is_done=is_done, said=said(found) if is_done else [])

    async def paths(self) -> list[str]:
        """Return the names of the published paths."""
        rules = await self.published()
        return list(rules.paths) if rules is not None else []

    async def older(self) -> list[OlderLine]:
        """Return who goes by other versions than the published one."""
        rules = await self.published()
        places = {name: path.places for name, path in rules.paths.items()} if rules else {}
        standing = people_by_version(await self._store.figures("rules"))
        return older_lines(standing, rules.version if rules is not None else 0, places)

    async def routine(self, path: str, version: int = 0) -> Routine | None:
        """Return a path with its people, as a version has it."""
        published = await self.published()
        wanted = version or await self._version_to_draw(path, published)
        rules = await self._rules_of(wanted)
        if rules is None:
            return None
        return await routine_of(self._store, rules, path, await self._sent.now(), published)

    async def routines(self) -> Routines:
        """Return all paths with the people at each stage: the published ones, then those of older versions alone."""
        published, figures = await self.published(), await self._store.figures("rules")
        names = [*await self.paths(), *(each.path for each in await self.older())]
        lines = []
        for name in dict.fromkeys(names):
            rules = await self._rules_of(await self._version_to_draw(name, published))
            if rules is not None and name in rules.paths:
                lines.append(routine_line(figures, rules, name, published))
        return Routines(version=published.version if published is not None else 0, lines=lines)

    async def _version_to_draw(self, path: str, published: CompiledRules | None) -> int:
        """Return the published version if it has a path, else the newest that somebody goes it by, or that has it."""
        if published is not None and path in published.paths:
            return published.version
        on = [each.version for each in await self.older() if each.path == path]
        return max(on or await self._reader.versions_with(path), default=0)

    async def deliverability(self) -> DeliveredNow:
        """Return how e-mails are taken."""
        return await self._deliverability.now()

    async def suppressions(self, after: After | None, limit: int) -> Page:
        """Return mailboxes that are never written to again, the newest first."""
        rows = await self._store.suppressions(limit + 1, after)
        lines = [
            Suppressed(mailbox=row["id"], at=moment(row["at"]), why=why(row["reason"]))
            for row in rows[:limit]
        ]
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(lines=lines, after=(last["at"], last["id"]) if last else None)

    async def learning(self) -> LearningNow:
        """Return what all policies believe."""
        return await learning_now(self._store, await self.published())

    async def evaluation(self, policy: str, against: str | dict[str, float]) -> Evaluation | None:
        """Return what the decision log says of a policy beside another; None: nothing is published of it."""
        known = {each.policy: each for each in await choosing(self._store)}
        if policy not in known:
            return None
        return await evaluate(self._store, await self.published(), known[policy], against)

    async def system(self, own: list[tuple[str, str]]) -> SystemNow:
        """Return how the parts fare."""
        parts = self._parts()
        lines = [_part(name, parts[name]) for name in sorted(parts) if name not in NO_PARTS]
        waits = {"status": OPEN}
        aside = await self._store.rows(QUARANTINE, waits, limit=ASIDE_MAX)
        count = await self._store.count(QUARANTINE, waits)
        return SystemNow(
            columns=list(COLUMNS),
            parts=lines,
            waiting=[*own, ("Events set aside (quarantine)", f"{count:,}")],
            dashboard=await asyncio.to_thread(_dashboard, self._run_file),
            aside=[_aside(plain(row)) for row in aside],
            aside_count=count,
            bounds=_bounds(bounds_in(await self._store.figures("behavior"))),
            mail_waits=await late_said(self._store),
        )

    async def published(self) -> CompiledRules | None:
        """Return the published rules, None where nothing is published; compiled once for each version."""
        found = await self._store.get_document(*PUBLISHED)
        return await self._rules_of(int(found["version"])) if found is not None else None

    async def _rules_of(self, version: int) -> CompiledRules | None:
        """Return a version, None if there is none of this number; compiled once."""
        if version not in self._versions:
            row = await self._store.get_document(VERSIONS, str(version))
            if row is None:
                return None
            self._versions.hold(version, row["files"], row.get("html"))
        rules: CompiledRules = await asyncio.to_thread(self._versions.__getitem__, version)
        return rules

    async def _stages(self, rows: list[dict[str, Any]]) -> dict[str, list[str]]:
        """Return alert -> the stages at which a new run may begin: those of its own version too."""
        found = {}
        for row in rows:
            places = await self._reader.stages(row.get("rules_version", 0))
            found[row["id"]] = places.get(row["path"], [])
        return found


def _bounds(found: dict[str, dict[str, int]]) -> list[tuple[str, str]]:
    """Return what the bounds of visitors' states kept from rules, in words."""
    let_go, over = found["let_go"], found["over_minute"]
    many = let_go["visitors"], over["visitors"]
    return list(bounded(let_go["events"], over["events"], many))


def _aside(row: dict[str, Any]) -> AsideLine:
    return AsideLine(
        id=row["id"],
        at=moment(row["at"]),
        visitor=row["visitor"],
        said=set_aside(told_aside(row)),
        reason=shown(row["reason"]),
        is_under_way=bool(row["by"]),
    )


def _recipient(row: dict[str, Any], addresses: dict[str, str], now: datetime) -> RecipientLine:
    """Return what became of a broadcast for one visitor; why it waited says nothing once that is over."""
    until = row.get("until")  # older versions wrote none
    waits = until is not None and until > now
    is_over = row["reason"] in ("", SENT) or (until is not None and not waits)
    return RecipientLine(
        visitor=row["visitor"],
        who=_called(row["visitor"], addresses),
        status=row["status"],
        why="" if is_over else shown(why_capped(row["reason"], row.get("cap"))),
        at=moment(row["at"]),
        until=moment(until) if waits else "",
    )


def _called(visitor: str, addresses: dict[str, str]) -> str:
    return shown(addresses.get(visitor) or f"visitor {visitor[:6]}")


def _person(row: dict[str, Any]) -> PersonLine:
    cohorts = row["cohorts"]
    more = f" and {len(cohorts) - COHORTS_MAX} more" if len(cohorts) > COHORTS_MAX else ""
    theirs = [each for each in row["counters"].items() if each[0] not in NOT_THEIRS]
    most = sorted(theirs, key=lambda each: (-each[1], each[0]))[:DID_MAX]
    return PersonLine(
        visitor=row["visitor_id"],
        name=row["email"] or f"visitor {row['visitor_id'][:6]}",
        cohorts=", ".join(cohorts[:COHORTS_MAX]) + more,
        did=", ".join(f"{did(shown(what))} ({count:,}\u00a0x)" for what, count in most),
    )


def _part(name: str, numbers: dict[str, float]) -> PartLine:
    cells = [_cell(numbers.get(key), places) for key, places in COLUMNS.values()]
    return PartLine(name=name, state=state_of(numbers), cells=cells)


def _cell(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:,.{places}f}"


def _dashboard(run_file: Path | None) -> str:
    """Return the address of Ray's dashboard, as `up` wrote it; empty where it did not."""
    try:
        run = json.loads(run_file.read_text()) if run_file is not None else {}
    except (OSError, ValueError):
        return ""
    return str(run.get("dashboard", ""))
