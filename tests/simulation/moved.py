"""Check that each run under way became what was chosen for its group when another version was published.

Rules
1. It knows the choices, who stood where when they were made, and what stories and states say after that; nothing of how
   a publication is carried out.
2. Who went on, or came to an end, before the move came to them is held to what was chosen for where they stood then: of
   those it is asked only that they became nothing else.
3. Two who became one are left out: which of them stood where is no longer told by one story.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from agents.rules_manager.editing import EXIT, MIGRATE, STAY, group_of
from agents.rules_manager.state import ACTIVE, RulesState, Run
from messaging.store.memory import MemoryDatabase
from tests.simulation.witness import StoredRules, Witness

Key = tuple[str, str, str]
"""Visitor, path, run."""

Row = Mapping[str, Any]

TOLD = {"run.migrated": MIGRATE, "run.stopped": EXIT, "run.stayed": STAY}
"""Line of a story that names the version that was published -> what its run became."""

WENT_ON = ("run.", "stage.reached", "step.reached", "alert.settled")
"""How the lines begin that say that a run stands elsewhere, or otherwise, than before."""

_stored = msgspec.msgpack.Decoder(StoredRules)


class Choices(NamedTuple):
    """Hold what was chosen at a publication, and who stood where at that moment."""

    version: int
    runs: str
    groups: Mapping[str, str]
    stood: Mapping[Key, str]
    """Run by another version -> its group."""
    heard: Mapping[str, int]
    """Visitor -> `order` of the newest line of their story by then."""

    def tells(self, group: str) -> bool:
        """Say whether something was decided for a group: nothing is where all stay, and it is not named."""
        return group in self.groups or self.runs != STAY


def chosen(database: MemoryDatabase, version: int, runs: str, groups: Mapping[str, str]) -> Choices:
    """Return the choices of a publication, with everybody who is on a path by another version at this moment."""
    stood = {
        (visitor, run.path, run.run): group_of(run.path, run.version, run.stage)
        for visitor, state in _states(database)
        for run in state.runs.values()
        if run.broadcast is None and run.version != version and (run.active or run.alert_id)
    }
    heard: dict[str, int] = {}
    for row in _lines(database):
        heard[row["visitor"]] = max(heard.get(row["visitor"], 0), row["order"])
    return Choices(version, runs, groups, stood, heard)


def everybody_became_what_was_chosen(
    choices: Choices, database: MemoryDatabase, witness: Witness, completed_at: datetime
) -> None:
    """Look at every run that something became of, and at every one that stood there for it."""
    ones = {*witness.merged, *witness.merged.values()}
    told: dict[Key, Row] = {}
    first: dict[Key, Row] = {}
    for row in _lines(database):
        if row["visitor"] in ones or row["order"] <= choices.heard.get(row["visitor"], 0):
            continue
        if (
            row["kind"].startswith(WENT_ON) and "run" in row["detail"]
        ):  # who does not enter has none
            key = (row["visitor"], row["detail"]["path"], row["detail"]["run"])
            first.setdefault(key, row)
            if row["kind"] in TOLD and row["detail"].get("version") == choices.version:
                told[key] = row
    final = dict(_states(database))
    for key, row in told.items():
        _became(key, row, choices, database, witness)
        for run in final[key[0]].runs.values() if key[0] in final else ():
            if (run.path, run.run) == key[1:]:
                _stands(run, row, choices, witness)
    for key, group in choices.stood.items():
        stays = key not in first or first[key]["at"] > completed_at
        # Whoever was erased has neither a state nor a story any more.
        if stays and choices.tells(group) and key[0] in final and key[0] not in ones:
            witness.broken("nothing became of", f"{key} in {group}")


def _became(
    key: Key, row: Row, choices: Choices, database: MemoryDatabase, witness: Witness
) -> None:
    """Hold what a run became against what was chosen for the group in which it stood then."""
    detail = row["detail"]
    before = detail.get("before") or detail.get("stays") or choices.version - 1
    group = group_of(detail["path"], before, detail["stage"])
    choice, then = choices.groups.get(group, choices.runs), TOLD[row["kind"]]
    if then == choice and choices.tells(group):
        return
    called = {(each["visitor"], each["path"], each["run"]) for each in _rows(database, "alerts")}
    if (choice, then) == (EXIT, MIGRATE) and key in called:
        return  # whoever waits for a person does not leave
    witness.broken("became something else", f"{key} in {group}: {then} for {choice}")


def _stands(run: Run, row: Row, choices: Choices, witness: Witness) -> None:
    """Hold where a run stands in the end against what its story says it became."""
    then = TOLD[row["kind"]]
    is_over = then != EXIT or run.status not in ACTIVE
    if not is_over or (run.version == choices.version) != (then == MIGRATE):
        what = f"{row['visitor']} {run.path} {run.run}: {then}, {run.status} by {run.version}"
        witness.broken("stands elsewhere than its story says", what)


def _lines(database: MemoryDatabase) -> Iterator[Row]:
    """Give the lines of stories that the Rules Manager wrote, in the order in which it did for each visitor."""
    return (row for row in _rows(database, "story") if row["bot"] == "rules")


def _rows(database: MemoryDatabase, table: str) -> list[dict[str, Any]]:
    return list(database.tables.get(table, {}).values())


def _states(database: MemoryDatabase) -> Iterator[tuple[str, RulesState]]:
    """Give (visitor, state) of everybody who is not somebody else by now."""
    for visitor, body in database.states["rules"].bodies.items():
        stored = _stored.decode(body)
        if not stored.moved:
            yield visitor, stored.state
