"""What becomes of runs under way when another version is published."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules_manager.bot import RulesBot
from agents.rules_manager.editing import group_of
from messaging.vocabulary.effects import LogStory
from messaging.vocabulary.events import RulesPublished
from messaging.vocabulary.messages import AlertAnswered, RunsMoved
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view, some_rules

DAY = 24.0


def published(lead: OneVisitor, version: int = 2, *, without: str = "") -> CompiledRules:
    """Let the visitor's shard see another version, and return it."""
    rules = some_rules(version)
    path = rules.paths[PATH]
    stages = [each for each in path.stages if each.name != without]
    rules.paths[PATH] = msgspec.structs.replace(path, stages=stages)
    pinned = {**lead.view.pinned, version: rules}
    lead.view = View(rules, version, pinned, {}, holdout=0.0)
    return rules


def moved(lead: OneVisitor, action: str, version: int = 2, **choices: str) -> None:
    groups = {group_of(PATH, 1, stage): choice for stage, choice in choices.items()}
    lead.take(RunsMoved(VISITOR, lead.now, version, action, "eve", groups))


def test_a_run_goes_over_and_goes_on_with_what_it_had() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(2 * DAY)
    attempts, wakes = lead.run.attempts, dict(lead.wakes)
    assert attempts == 1
    published(lead)
    moved(lead, "migrate")
    assert (lead.run.version, lead.run.attempts, lead.wakes) == (2, attempts, wakes)
    assert "run.migrated" in lead.stories()
    lead.pass_time(20 * DAY)
    assert len(lead.plans) == 4, "the budget is the run's, not the version's"
    assert {plan.rules_version for plan in lead.plans[1:]} == {2}
    assert len(lead.alerts) == 1


def test_what_was_planned_keeps_its_time_and_the_new_quiet_hours_hold() -> None:
    lead = OneVisitor().enter()
    planned = lead.run.planned_at
    published(lead)
    moved(lead, "migrate")
    assert lead.run.planned_at == planned, "a publication puts nobody off"
    lead = OneVisitor().enter()
    rules = published(lead)
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], quiet_from=0, quiet_to=23)
    moved(lead, "migrate")
    lead.pass_time(2 * DAY)
    assert {at.hour for at in lead.sent_at} == {23}


def test_a_run_whose_stage_is_gone_stays_on_its_version() -> None:
    lead = OneVisitor().enter()
    published(lead, without="invited")
    moved(lead, "migrate")
    assert lead.run.version == 1
    lead.pass_time(20 * DAY)
    assert len(lead.plans) == 4


def test_the_story_says_that_it_was_decided_at_publishing_and_by_whom() -> None:
    lead = OneVisitor().enter()
    published(lead)
    before = len(lead.effects)
    moved(lead, "stay", invited="exit")
    [line] = [each for each in lead.effects[before:] if getattr(each, "kind", "") == "run.stopped"]
    assert (line.detail["version"], line.detail["by"]) == (2, "eve")


def stayed(lead: OneVisitor) -> list[dict[str, Any]]:
    """Return what the story says of each publication that left a run where it was."""
    return [e.detail for e in lead.effects if isinstance(e, LogStory) and e.kind == "run.stayed"]


def test_who_stays_by_choice_is_told_so_once() -> None:
    lead = OneVisitor().enter()
    published(lead)
    for _ in range(2):  # the mover tells everybody again until nobody is left
        moved(lead, "migrate", invited="stay")
    where = {"path": PATH, "run": "1", "stage": "invited"}
    assert stayed(lead) == [{**where, "version": 2, "stays": 1, "by": "eve"}]
    published(lead, 3)
    moved(lead, "migrate", 3, invited="stay")
    assert [line["version"] for line in stayed(lead)] == [2, 3], "of each publication"


@pytest.mark.parametrize("choices", [{}, {"invited": "migrate"}])
def test_who_stays_since_there_is_no_place_for_them_is_told_why(choices: dict[str, str]) -> None:
    lead = OneVisitor().enter()
    published(lead, without="invited")
    moved(lead, "migrate", **choices)
    assert [(line["stays"], line["reason"]) for line in stayed(lead)] == [(1, "no such stage")]


def test_who_waits_for_a_person_is_told_as_well_that_they_stay() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(20 * DAY)
    published(lead)
    moved(lead, "exit", invited="stay")
    assert len(stayed(lead)) == 1


def test_of_whom_nothing_was_chosen_is_told_nothing() -> None:
    """What a fact says of others, and what a publication says that leaves everybody alone, is no word on this run."""
    lead = OneVisitor().enter()
    published(lead)
    moved(lead, "stay", opened="stay")
    moved(lead, "stay")
    assert stayed(lead) == []


def test_an_exit_ends_a_run_and_nobody_is_called() -> None:
    lead = OneVisitor().enter()
    published(lead)
    moved(lead, "exit")
    assert lead.run.status == "stopped"
    lead.pass_time(30 * DAY)
    assert (lead.plans, lead.alerts) == ([], [])


@pytest.mark.parametrize("action", ["migrate", "exit"])
def test_who_waits_for_a_person_goes_over_and_does_not_end(action: str) -> None:
    lead = OneVisitor().enter()
    lead.pass_time(20 * DAY)
    [alert] = lead.alerts
    published(lead)
    moved(lead, action)
    assert lead.run.status == "alerted"
    asked = {"alert_id": alert.alert_id, "path": PATH, "run": alert.run, "action": "resume"}
    lead.take(AlertAnswered(visitor=VISITOR, at=lead.now, by="ann", stage="", **asked))
    assert (lead.run.version, lead.run.active) == (2, True)
    moved(lead, action)  # who had not moved yet is told again, and everybody with them
    assert lead.run.active, "what a person resumed is not ended by a publication of before"


def test_only_the_publication_that_stands_counts() -> None:
    """One that is not seen yet is told again; one that was replaced means nothing any more."""
    lead = OneVisitor().enter()
    moved(lead, "exit")
    assert lead.run.active, "this shard has not seen version 2"
    published(lead)
    published(lead, 3)
    moved(lead, "exit")
    assert lead.run.active
    moved(lead, "migrate", 3)
    assert lead.run.version == 3


def test_figures_say_who_stands_where_by_which_version() -> None:
    lead = OneVisitor(a_view()).enter()
    bot = RulesBot()
    assert bot.figures(lead.state)[f"stands/{PATH}/1/invited"] == 1
    lead.pass_time(20 * DAY)
    figures = bot.figures(lead.state)
    assert figures[f"waits/{PATH}/1/invited"] == 1
    assert not any(name.startswith("stands/") for name in figures)


def test_who_is_sent_to_a_stage_that_only_the_newest_version_has_goes_on_there() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(20 * DAY)
    [alert] = lead.alerts
    rules = published(lead)
    path = rules.paths[PATH]
    warm = msgspec.structs.replace(path.stages[-1], name="warm")
    rules.paths[PATH] = msgspec.structs.replace(path, stages=[*path.stages, warm])
    asked = {"alert_id": alert.alert_id, "path": PATH, "run": alert.run, "action": "change"}
    lead.take(AlertAnswered(visitor=VISITOR, at=lead.now, by="ann", stage="warm", **asked))
    assert (lead.run.run, lead.run.version, lead.run.stage) == ("2", 2, "warm")
    lead.pass_time(2 * DAY)
    assert (lead.plans[-1].stage, lead.plans[-1].rules_version) == ("warm", 2)


@pytest.mark.parametrize(
    ("choice", "version", "status"),
    [("stay", 1, "planned"), ("migrate", 2, "planned"), ("exit", 1, "stopped")],
)
@pytest.mark.parametrize("others", ["stay", "migrate", "exit"])
def test_what_is_chosen_for_a_group_holds_for_it_whatever_becomes_of_the_others(
    choice: str, version: int, status: str, others: str
) -> None:
    lead = OneVisitor().enter()
    published(lead)
    moved(lead, others, invited=choice)
    assert (lead.run.version, lead.run.status) == (version, status)


def test_what_is_chosen_for_another_group_does_not_concern_a_run() -> None:
    """It is told again, by what was chosen where it stands by now."""
    lead = OneVisitor().enter()
    published(lead)
    moved(lead, "stay", opened="exit")
    assert (lead.run.version, lead.run.active) == (1, True)
    lead.take(
        RunsMoved(VISITOR, lead.now, 2, "stay", "eve", {group_of(PATH, 7, "invited"): "exit"})
    )
    assert lead.run.active, "this group went by another version"


@pytest.mark.parametrize(("choice", "version"), [("stay", 1), ("migrate", 2), ("exit", 2)])
def test_who_waits_for_a_person_stays_only_where_that_was_chosen(choice: str, version: int) -> None:
    lead = OneVisitor().enter()
    lead.pass_time(20 * DAY)
    published(lead)
    moved(lead, "stay", invited=choice)
    assert (lead.run.version, lead.run.status) == (version, "alerted")


def test_what_was_told_before_groups_could_be_chosen_is_still_read() -> None:
    """Letters and journals of the version before name one choice for all."""
    letter = msgspec.msgpack.encode(["RunsMoved", VISITOR, 0, 2, "exit", "eve"])
    message = msgspec.msgpack.decode(letter, type=RunsMoved, strict=False)
    assert (message.action, message.choices) == ("exit", {})
    fact = b'{"type":"rules_published","visitor":"v","version":2,"action":"migrate","by":"eve"}'
    assert msgspec.json.decode(fact, type=RulesPublished).choices == {}
