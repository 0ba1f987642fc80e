"""Audit a simulated month, as it is and after somebody tampered with it: what is not true must be found."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pytest
import structlog

from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.audit import Auditor, Report
from tests.simulation import loop
from tests.simulation.chaos import Chaos
from tests.simulation.story import Story
from tests.simulation.world import World, plan_for, veil

SEED = 11

Tamper = Callable[[MemoryDatabase], None]


@pytest.fixture(scope="module")
def lived() -> Iterator[World]:
    """Let one seed's month happen, with its faults and merges."""

    async def live() -> World:
        chaos = Chaos(SEED)
        world = World(plan_for(SEED, chaos), chaos)
        try:
            await Story(world).run()
        finally:
            structlog.reset_defaults()
        return world

    world: World = loop.run(live())
    yield world
    world.forget()


def audited(world: World, database: MemoryDatabase, visitor: str | None = None) -> Report:
    store, journal = MemoryStore(database), MemoryJournal(database)
    auditor = Auditor(store, journal, world.plan.shards, world.view_at, veil)

    async def audit() -> Report:
        world.publish()
        return await auditor.run(visitor=visitor, say=lambda _: None)

    report: Report = loop.run(audit())
    return report


def some_send(database: MemoryDatabase, *, success: bool) -> str:
    """Return a mail that was handed over."""
    return next(
        name
        for name, row in sorted(database.tables["sends"].items())
        if row["success"] is success and row["status"] == "handed over"
    )


def an_event_is_lost(database: MemoryDatabase) -> None:
    del database.streams[0][3]


def an_event_comes_late(database: MemoryDatabase) -> None:
    """Put a record where a batch has read past: as a write that becomes visible too late would."""
    stream = database.streams[0]
    known = {each.position for each in stream}
    free = next(each for each in range(min(known), max(known)) if each not in known)
    late = msgspec.structs.replace(stream[-1], position=free, message_id="late")
    stream.append(late)
    stream.sort(key=lambda each: each.position)


ROWS = ("sends", "decisions", "rewards", "alerts", "orders", "engagements", "moments", "story")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_month_with_faults_has_no_findings(lived: World) -> None:
    report = audited(lived, lived.database)
    assert not report.findings, report.findings[:5]
    assert report.looked_at["rows"] > 100
    assert report.looked_at["offers"] > 100
    assert report.looked_at["identity keys"] > 100
    assert report.looked_at["mailboxes"] > 20
    visitor = lived.database.tables["sends"][some_send(lived.database, success=True)]["visitor"]
    report = audited(lived, lived.database, visitor)
    assert not report.findings, report.findings[:5]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_was_tampered_with_is_found(lived: World) -> None:
    database = copy.deepcopy(lived.database)
    tables = database.tables
    wrong = some_send(database, success=False)
    tables["sends"][wrong] |= {"status": "refused"}
    lost = {table: min(rows) for table, rows in tables.items() if table in ROWS}
    thanks = some_send(database, success=True)
    for name in ("another", "again"):
        tables["sends"][name] = dict(tables["sends"][thanks])
    lost["sends"] = thanks
    for table, name in lost.items():
        del tables[table][name]
    gone = {bot: min(database.states[bot].bodies) for bot in ("behavior", "email")}
    for bot, visitor in gone.items():
        del database.states[bot].bodies[visitor]
    bodies = database.states["rules"].bodies
    altered, other = sorted(bodies)[:2]
    bodies[altered] = bodies[other]
    key = max(each for each in database.identity if each.startswith("a:"))
    keyless, _ = database.identity.pop(key)
    left = min(database.suppressed)
    del database.suppressed[left]
    said = [each.what for each in audited(lived, database).findings]

    def is_said(*words: str) -> bool:
        return any(all(word in what for word in words) for what in said)

    assert lost.keys() == set(ROWS)
    for table, name in lost.items():
        assert is_said(f"{table} row {name} is missing"), table
    assert is_said(f"sends row {wrong} differs")
    assert is_said("sends row another is not in the record")
    assert is_said("mailbox", f"2 of {tables['sends']['another']['path']} for order")
    for bot, visitor in gone.items():
        assert is_said(bot, f"the state of {visitor} is missing")
    assert is_said("rules", f"{altered} differs from its record")
    assert is_said(f"a key of {keyless} (browser) leads to nobody")
    assert is_said(f"mailbox {left} left, and is not suppressed")


def test_a_mail_that_is_older_than_its_decision_is_found(lived: World) -> None:
    database = copy.deepcopy(lived.database)
    row = database.tables["sends"][some_send(database, success=False)]
    decision = database.tables["decisions"][row["decision_id"]]
    decision["at"] = row["handed_over_at"] + timedelta(minutes=25)
    assert "order" in {each.rule for each in audited(lived, database).findings}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_offer_over_the_cap_of_its_session_and_one_without_a_decision_are_found(
    lived: World,
) -> None:
    """A forger who writes both rows of one more offer is caught by the caps; who writes one, by its missing other."""
    database = copy.deepcopy(lived.database)
    offers, decisions = database.tables["engagements"], database.tables["decisions"]
    shown = next(each for each in sorted(offers) if offers[each]["shown_at"] is not None)
    decided = offers[shown]["decision_id"]
    decisions["forged"] = decisions[decided] | {"attempt": decisions[decided]["attempt"] + 1}
    offers["one more"] = offers[shown] | {"decision_id": "forged"}
    offers["without"] = offers[shown] | {"decision_id": "nobody's"}
    del offers[next(each for each in sorted(offers) if offers[each]["status"] == "expired")]
    found = audited(lived, database).findings
    caps = [each.what for each in found if each.rule == "caps"]
    assert [each for each in caps if each.startswith("engagement one more: 1 ")], caps
    ledger = [each.what for each in found if each.rule == "ledger"]
    assert "1 engagements for decision nobody's" in ledger
    assert any("has no row in the ledger (engagements)" in each for each in ledger)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("tamper", [an_event_is_lost, an_event_comes_late])
def test_an_event_more_or_less_is_found(lived: World, tamper: Tamper) -> None:
    database = copy.deepcopy(lived.database)
    tamper(database)
    found = audited(lived, database).findings
    assert "once" in {each.rule for each in found}
