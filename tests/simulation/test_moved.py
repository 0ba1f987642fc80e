"""The checker of publications is held against made-up stories: it finds each way to become something else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agents.rules_manager.editing import EXIT, MIGRATE, STAY
from agents.rules_manager.state import RulesState, Run
from messaging.store.memory import MemoryDatabase
from tests.simulation.moved import chosen, everybody_became_what_was_chosen
from tests.simulation.witness import StoredRules, Witness

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DONE_AT = NOON + timedelta(hours=1)


class NoClock:
    """Tell one moment."""

    def now(self) -> datetime:
        return NOON


def a_database(version: int = 1, status: str = "planned", alert_id: str = "") -> MemoryDatabase:
    """Return a store in which Kim stands at the cart by a version."""
    run = Run("club", version, "1", NOON, "cart", status, holdout=False, alert_id=alert_id)
    database = MemoryDatabase()
    state = RulesState("kim", runs={"club": run})
    raw = msgspec.Raw(msgspec.msgpack.encode({}))
    body = msgspec.msgpack.encode(StoredRules(1, raw, "", state))
    database.states["rules"] = SimpleNamespace(bodies={"kim": body})  # type: ignore[assignment]
    return database


def says(database: MemoryDatabase, kind: str, **detail: Any) -> None:
    """Write a line of Kim's story, ten minutes later."""
    lines = database.tables.setdefault("story", {})
    told = {"path": "club", "run": "1", "stage": "cart", **detail}
    row = {"visitor": "kim", "bot": "rules", "order": len(lines) + 1, "kind": kind, "detail": told}
    lines[str(len(lines))] = row | {"at": NOON + timedelta(minutes=10)}


MIGRATED = ("run.migrated", {"before": 1, "version": 2})
STAYED = ("run.stayed", {"stays": 1, "version": 2})
STOPPED = ("run.stopped", {"version": 2})
WENT_ON = ("stage.reached", {"stage": "talk"})


@pytest.mark.parametrize(
    ("runs", "group", "line", "ends", "found"),
    [
        (STAY, MIGRATE, MIGRATED, (2, "planned"), ""),
        (EXIT, STAY, STAYED, (1, "planned"), ""),
        (STAY, EXIT, STOPPED, (1, "stopped"), ""),
        (STAY, "", None, (1, "planned"), ""),
        (EXIT, MIGRATE, WENT_ON, (1, "planned"), ""),
        (STAY, EXIT, MIGRATED, (2, "planned"), "became something else"),
        (MIGRATE, STAY, MIGRATED, (2, "planned"), "became something else"),
        (STAY, "", STAYED, (1, "planned"), "became something else"),
        (EXIT, MIGRATE, None, (1, "planned"), "nothing became of"),
        (MIGRATE, STAY, None, (1, "planned"), "nothing became of"),
        (STAY, MIGRATE, MIGRATED, (1, "planned"), "stands elsewhere"),
        (STAY, EXIT, STOPPED, (1, "planned"), "stands elsewhere"),
    ],
)
def test_what_a_run_became_is_held_against_what_was_chosen(
    runs: str,
    group: str,
    line: tuple[str, dict[str, Any]] | None,
    ends: tuple[int, str],
    found: str,
) -> None:
    groups = {"club/1/cart": group} if group else {}
    choices = chosen(a_database(), 2, runs, groups)
    database = a_database(*ends)
    if line is not None:
        says(database, line[0], **line[1])
    witness = Witness(database, NoClock(), {})
    everybody_became_what_was_chosen(choices, database, witness, DONE_AT)
    broken = [each.partition(":")[0] for each in witness.violations]
    assert [each.startswith(found) for each in broken] == [True] * bool(found), broken


def test_whoever_waits_for_a_person_goes_over_where_the_others_leave() -> None:
    before = a_database(status="alerted", alert_id="a1")
    choices = chosen(before, 2, EXIT, {})
    assert choices.stood == {("kim", "club", "1"): "club/1/cart"}
    after = a_database(2, "alerted", "a1")
    says(after, *MIGRATED[:1], **MIGRATED[1])
    for is_called in (False, True):
        if is_called:
            alert = {"visitor": "kim", "path": "club", "run": "1"}
            after.tables["alerts"] = {"a1": alert}
        witness = Witness(after, NoClock(), {})
        everybody_became_what_was_chosen(choices, after, witness, DONE_AT)
        assert bool(witness.violations) is not is_called


def test_what_was_said_before_the_publication_says_nothing_of_it() -> None:
    database = a_database()
    says(database, "stage.reached")
    choices = chosen(database, 2, MIGRATE, {})
    witness = Witness(database, NoClock(), {})
    everybody_became_what_was_chosen(choices, database, witness, DONE_AT)
    [found] = witness.violations
    assert found.startswith("nothing became of")
