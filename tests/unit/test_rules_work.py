"""Who did the work for one visitor and step, by kind of task: counted where it is done, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.bot import BehaviorBot
from agents.rules.compiled import InteractionRule
from agents.rules_manager.bot import RulesBot
from agents.runtime.figures import work_in
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    BroadcastReached,
    CohortEntered,
    EntryMet,
    MergedInto,
    StateMerged,
)
from messaging.vocabulary.plans import Broadcast
from messaging.vocabulary.records import Candidate, Decision
from scripts.cli_import import by_a_person
from tests.behavior_builders import START, Ann, a_listing, a_record, a_view_of, an_identify
from tests.rules_builders import (
    HOUR,
    MONDAY,
    PATH,
    VISITOR,
    OneVisitor,
    a_view,
    some_rules,
)

OTHER = "11" * 12


def pieces(one: OneVisitor) -> dict[str, tuple[int, int]]:
    """Return task -> (the machine's, people's) pieces of work."""
    found = work_in(RulesBot().figures(one.state))
    return {task: (by.get("machine", 0), by.get("people", 0)) for task, by in found.items()}


def a_decision(**changed: Any) -> Decision:
    """Return a decision between two templates."""
    fields: dict[str, Any] = {
        "id": "d1",
        "at": MONDAY,
        "visitor": VISITOR,
        "path": PATH,
        "run": "1",
        "stage": "invited",
        "step": "mail",
        "attempt": 1,
        "kind": "template",
        "candidates": [Candidate("a"), Candidate("b", "sent_before")],
        "probabilities": [1.0],
        "arm": "a",
        "policy": "next_best/p/s",
        "policy_version": 3,
        "rules_version": 1,
    }
    return Decision(**(fields | changed))


@pytest.mark.parametrize(
    ("changed", "by_people"),
    [
        ({}, False),
        ({"policy": "split_test/p/s/x/1"}, False),
        ({"policy": "rules"}, True),
        ({"candidates": [Candidate("a")]}, True),
    ],
    ids=["learned", "drawn by a split test", "the rules' default", "the only one"],
)
def test_a_choice_is_a_persons_where_the_machine_had_none(
    changed: dict[str, Any],
    by_people: bool,
) -> None:
    assert a_decision(**changed).by_people is by_people


def test_a_run_by_the_rules_is_the_machines_to_the_last_piece() -> None:
    one = OneVisitor().enter()
    one.pass_time(24 * 5)
    sent = len(one.plans)
    assert sent == 2
    assert pieces(one) == {
        "whom": (1, 0),
        "what": (sent, 0),
        "when": (sent, 0),
        "send": (sent, 0),
        "follow_up": (sent - 1, 0),
    }


@pytest.mark.parametrize("changed", [{"holdout": 1.0}, {"learning": False}])
def test_the_default_of_the_rules_was_chosen_by_who_wrote_it(changed: dict[str, Any]) -> None:
    one = OneVisitor(a_view(**changed)).enter()
    one.pass_time(24)
    assert (pieces(one)["what"], pieces(one)["when"]) == ((0, 1), (0, 1))
    assert pieces(one)["send"] == (1, 0)


def test_a_pinned_template_and_a_fixed_time_are_the_marketers() -> None:
    one = OneVisitor(a_view(some_rules(timing="now", templates=[("invited-mail-a", None)])))
    one.enter().pass_time(24)
    assert pieces(one)["what"] == (0, 1)
    assert pieces(one)["when"] == (0, 1)


def test_what_was_given_back_was_no_work() -> None:
    one = OneVisitor()
    one.outcome = "given up"
    one.enter().pass_time(24 * 20)
    assert set(pieces(one)) == {"whom"}


def test_a_broadcast_is_the_persons_from_whom_to_send() -> None:
    one = OneVisitor()
    one.now += 5 * HOUR
    one.identify()
    one.take(CohortEntered(VISITOR, one.now, "customers"))
    broadcast = Broadcast("b1", "invited-mail-b", "customers", PATH, 1)
    one.take(BroadcastReached(VISITOR, one.now, broadcast))
    one.take(BroadcastReached(VISITOR, one.now, broadcast))
    one.pass_time(24)
    assert pieces(one) == dict.fromkeys(("whom", "what", "when", "send"), (0, 1))


def test_whom_a_call_of_the_api_let_in_a_person_chose() -> None:
    one = OneVisitor()
    one.identify()
    one.take(EntryMet(VISITOR, one.now, PATH, 1, by_people=True))
    one.pass_time(24 * 5)
    assert pieces(one)["whom"] == (0, 1)
    assert pieces(one)["follow_up"] == (1, 0), "the machine went on by itself"


def test_whom_a_list_let_in_a_person_chose() -> None:
    one = OneVisitor()
    one.identify()
    one.take(CohortEntered(VISITOR, one.now, "addressable-lead", by_people=True))
    assert pieces(one)["whom"] == (0, 1)


@pytest.mark.parametrize("action", ["resume", "change"])
def test_a_person_who_settles_an_alert_so_chooses_whom_and_follows_up(action: str) -> None:
    one = OneVisitor().enter()
    one.pass_time(24 * 17)
    before = pieces(one)
    [alert] = one.alerts
    answered = AlertAnswered(VISITOR, one.now, alert.alert_id, PATH, "1", action, "ann", "visited")
    one.take(answered)
    one.pass_time(24 * 5)
    assert pieces(one)["whom"] == (1, 1)
    machine, people = pieces(one)["follow_up"]
    assert people == 1, "the first e-mail after it is the person's"
    assert machine > before["follow_up"][0], "what comes after that is the machine's again"


def test_two_who_become_one_keep_the_work_of_both() -> None:
    younger, older = OneVisitor(), OneVisitor()
    younger.state.visitor = OTHER
    younger.enter().pass_time(24)
    older.enter().pass_time(24)
    effects = younger.take(MergedInto(OTHER, younger.now, VISITOR))
    [told] = [e.message for e in effects if isinstance(e, Tell)]
    assert isinstance(told, StateMerged)
    older.take(told)
    assert pieces(older)["whom"] == (2, 0)
    assert pieces(older)["send"] == (2, 0)


def test_an_offer_is_the_machines_only_where_there_was_another() -> None:
    bar = InteractionRule("bar", "notice_bar", "c", "", "", "now", 0, 30, 1, 9, {})
    other = msgspec.structs.replace(bar, name="other")
    for interactions, found in (
        ({"bar": bar}, (0, 1)),
        ({"bar": bar, "other": other}, (1, 0)),
    ):
        one = OneVisitor(a_view(replace(some_rules(), interactions=interactions)))
        one.identify()
        one.take(CohortEntered(VISITOR, one.now, "c", visit_at=one.now))
        assert pieces(one)["offer"] == found


# ------------------------------------------------------------------------ segment and score


TREES: list[dict[str, Any]] = [
    {"all": [{"in_list": "fair"}, {"known": "user_id"}]},
    {"cohort": "c0"},
    {"any": [{"known": "user_id"}, {"in_list": "staff"}]},
]


def sorted_by(ann: Ann) -> dict[str, int]:
    return work_in(BehaviorBot().figures(ann.state)).get("segment", {})


def test_a_place_that_is_owed_to_a_list_is_the_persons_who_wrote_the_list() -> None:
    ann = Ann(a_view_of(TREES))
    ann.sees(an_identify(1, "1"))
    assert ann.state.cohorts == ["c2"]
    assert sorted_by(ann) == {"machine": 1}
    effects = ann.sees(a_listing(2, "1", at=START, fair=True))
    assert ann.state.cohorts == ["c0", "c1", "c2"]
    assert sorted_by(ann) == {"machine": 1, "people": 3}, "the list, and two cohorts by it"
    entered = [e.message for e in effects if isinstance(e, Tell)]
    told = {m.cohort: m.by_people for m in entered if isinstance(m, CohortEntered)}
    assert told == {"c0": True, "c1": True}
    ann.sees(a_listing(3, "1", at=START + HOUR, staff=True))
    assert sorted_by(ann) == {"people": 5}, "c2 holds anyway, and people say so too"
    ann.sees(a_listing(4, "1", at=START + 2 * HOUR, fair=False, staff=False))
    assert sorted_by(ann) == {"machine": 1}


def test_whom_a_person_imported_from_a_table_that_person_sorted() -> None:
    ann = Ann(a_view_of(TREES))
    row = by_a_person({"type": "identify", "context": {"traits": {"email": "ann@example.com"}}})
    ann.sees(an_identify(1, "1", email="ann@example.com"))
    before = sorted_by(ann).get("people", 0)
    for number in (2, 3):  # a second table says nothing new
        call = {"userId": "1", "traits": {"size": number}, "context": row["context"]}
        ann.sees(a_record(number, type="identify", **call))
    assert sorted_by(ann)["people"] == before + 1


def test_nobody_is_scored_who_did_nothing() -> None:
    ann = Ann()
    ann.sees(an_identify(1, "1"))
    scores = work_in(BehaviorBot().figures(ann.state)).get("score", {})
    assert scores.get("machine", 0) == len(ann.state.scores)
