"""What becomes of runs under way when another version is published."""

from __future__ import annotations

import msgspec
import pytest

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules_manager.bot import RulesBot
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


def moved(lead: OneVisitor, action: str, version: int = 2) -> None:
    lead.take(RunsMoved(VISITOR, lead.now, version, action, "eve"))


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
