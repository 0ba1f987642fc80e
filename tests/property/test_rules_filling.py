"""Hold cohorts that were published in the middle of a history against a naive evaluation of all of it.

What the older rules did not look at comes from the record: at some later event, for two visitors who may be merged
before, meanwhile or after, while each goes on doing things, across restarts. `MDMA_RULE_TREES=1000` draws so many.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.behavior_bot.filling import add, history_of
from agents.behavior_bot.merge import pack, unpack
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.rules.compiled import ScoreRule
from agents.runtime.history import RelivingBot, without_cohorts
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.events import Record, RulesFilled
from messaging.vocabulary.ids import position
from messaging.vocabulary.messages import (
    Arrived,
    CohortEntered,
    CohortLeft,
    Message,
    StateMerged,
    Woke,
)
from tests.behavior_builders import ANN, a_view_of
from tests.drawn_rules import CONDITIONS
from tests.naive_history import facts_at
from tests.naive_rules import naive
from tests.property.test_rules_incremental import (
    BOB,
    LATE,
    SCORE_BOUNDS,
    STARTS,
    Checked,
    as_record,
    happenings,
)

EXAMPLES = int(os.environ.get("MDMA_RULE_TREES", "150"))


class Filled(Checked):
    """Be a visitor whose messages are recorded, and whom rules are changed under."""

    def __init__(self, visitor: str, view: View, now: datetime) -> None:
        self.record: list[tuple[Message, datetime]] = []
        super().__init__(visitor, view, [], now)

    def take(self, message: Any, now: datetime | None = None) -> Any:
        at = now or max(self.now, message.at)
        # As it was told: a state that is handed over is changed by whoever takes it.
        self.record.append((message, at))
        effects = super().take(message, now)
        cohorts = self.view.rules.cohorts
        for name in {
            effect.message.cohort
            for effect in effects
            if isinstance(effect, Tell) and isinstance(effect.message, CohortEntered | CohortLeft)
        }:
            lacking = name in cohorts and not cohorts[name].keeps.isdisjoint(self.state.lacks)
            assert not lacking, f"{name} was decided by half a history"
        return effects

    def compare(self) -> None:
        """Compare what can be decided with the history."""
        lacks = self.state.lacks
        facts = facts_at(self.now, self.past, self.visitor)
        assert sorted(self.inside) == self.state.cohorts
        if self.state.rules_version < 2:
            return
        if any(abs(facts.points - bound) < 1e-3 for bound in SCORE_BOUNDS):
            return  # a score is told within a second of passing a bound
        for number, tree in enumerate(self.trees):
            cohort = self.view.rules.cohorts[f"c{number}"]
            if cohort.keeps.isdisjoint(lacks):
                wanted = naive(tree, facts, self.now)
                assert (f"c{number}" in self.inside) == wanted, (tree, self.now, lacks)


def lived(record: list[tuple[Message, datetime]], view: View) -> BehaviorState:
    """Return what a visitor's messages make under newer rules."""
    bare = without_cohorts(view.rules)
    then = msgspec.structs.replace(view, rules=bare, pinned={2: bare}, publication=0)
    bot, state = RelivingBot(), BehaviorState()
    for message, now in record:
        if not isinstance(message, Woke) or message.key == "answers":
            bot.step(state, message, now, then, Draw)
    return state


def a_fact(fact: RulesFilled, number: int, at: datetime) -> Record:
    raw = msgspec.json.encode(fact)
    return Record(position(2, number), f"f{number}", 0, at, at, "", raw)


def views(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> tuple[View, View]:
    """Return the rules before and after: other cohorts, and a score that gave other points."""
    before, after = a_view_of(old).rules, a_view_of(new).rules
    score: ScoreRule = before.scores["interest"]
    other = msgspec.structs.replace(score, points_by_kind={"page": 3.0})
    keeps = {**before.keeps, "score:interest": "another"}
    before = replace(before, scores={"interest": other}, keeps=keeps)
    after = replace(after, version=2)
    both = {1: before, 2: after}
    return (
        View(before, 1, both, {}, publication=1),
        View(after, 2, both, {}, publication=2),
    )


def told(ann: Filled, bob: Filled, view: View, *, is_merged: bool) -> dict[str, RulesFilled]:
    """Return both histories, as of the publication."""
    states = {v.visitor: lived(v.record, view) for v in (ann, bob)}
    if is_merged:  # the younger one's history is part of the older one's
        theirs = history_of(states[BOB], BOB, BOB, 0)
        add(states[ANN], theirs, view.rules, frozenset(view.rules.keeps))
    return {v: history_of(state, v, v, 2) for v, state in states.items()}


def merge(ann: Filled, bob: Filled, now: datetime) -> None:
    """Let one take in the other."""
    bob.take(
        Woke(BOB, now, "nothing", now, ""), now
    )  # any message settles a state, that of a merge as well
    ann.past += bob.past
    ann.take(StateMerged(ANN, now, BOB, pack(bob.state)), now)
    ann.inside |= bob.inside & {*ann.state.cohorts}  # Rules holds both from now on
    ann.compare()


def live(
    trees: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    start: datetime,
    drawn: list[Any],
    moments: tuple[int, int, int, int],
) -> None:
    """Let two visitors live; `moments`: events before the publication, each one's history, and the merge."""
    publishes, fills_ann, fills_bob, merges = moments
    older, newer = views(*trees)
    ann, bob = Filled(ANN, older, start), Filled(BOB, older, start)
    histories: dict[str, RulesFilled] = {}
    is_merged = False
    number = 0

    def bring(of: str, at: datetime) -> None:
        nonlocal number
        to = ann if of == ANN or is_merged else bob
        for _ in range(2):  # a fact may be told again
            number += 1
            fact = msgspec.structs.replace(histories[of], visitor=to.visitor)
            arrived = Arrived(to.visitor, at, a_fact(fact, number, at), False)
            to.take(arrived, at)
            to.compare()

    for index, each in enumerate([*happenings(start, drawn), None]):
        now = each.taken_at if each is not None else ann.now + timedelta(hours=1)
        for who in (ann,) if is_merged else (ann, bob):
            who.passes(now, [0.5])
            who.now = now
        if index == publishes:
            for who in (ann, bob):
                who.view, who.trees = newer, trees[1]
            histories = told(ann, bob, newer, is_merged=is_merged)
        if index == merges:
            merge(ann, bob, now)
            is_merged = True
        for moment, of in ((fills_ann, ANN), (fills_bob, BOB)):
            if histories and index == max(moment, publishes):
                bring(of, now)
        if each is None:
            break
        _, _, _, what, is_bobs = drawn[index]
        who = bob if is_bobs and not is_merged else ann
        if what == "restart":
            who.state = unpack(pack(who.state))
        who.past.append(each)
        who.sees(as_record(each, who.visitor))
        who.compare()
    for who in (ann,) if is_merged else (ann, bob):
        if who.state.kept == 2 and publishes <= len(drawn):
            late = [m for m in (fills_ann, fills_bob) if max(m, publishes) > len(drawn)]
            assert late or who.state.lacks == [], who.state.awaiting
        who.passes(who.now + timedelta(days=40), [0.3, 1.0])


SIZED = [{"size": 5, "color": "blue"}, {"size": 5, "color": "red"}, {"product_id": "lamp"}]
KEPT = st.sampled_from(  # what is decided by what is kept for a rule alone
    [
        {"score": {"name": "interest", "from": 8.0}},
        {"score": {"name": "interest", "from": 2.0, "to": 8.0}},
        {"page": {"starts_with": "/pricing", "at_least": 2, "within_days": 8}},
        {"page": {"contains": "pric", "at_least": 3}},
        {"session": {"pages_contain": ["pricing"], "pages_at_least": 2}},
        {"cart": {"items_at_least": 2}},
        {"cart": {"contains": "lamp"}},
        {"trait": {"name": "city", "changed": {"within_days": 30}}},
        {"event": {"name": "Form Sent", "properties": {"size": 5}}},
        {"event": {"name": "Form Sent", "properties": {"size": 5}, "at_least": 3}},
        {"event": {"name": "Form Sent", "properties": {"size": 5}, "at_most": 1}},
        {"event": {"name": "Product Added", "same": "color", "at_least": 2}},
        {"not_event": {"name": "Form Sent", "properties": {"color": "red"}, "within_days": 8}},
        {"sequence": {"steps": ["Product Added", "Form Sent"], "within_days": 30}},
        {"unfinished": {"start": "Product Added", "finish": "Form Sent", "after_hours": 1}},
    ]
)
DONE = st.one_of(
    st.builds(
        lambda name, properties: {"kind": "track", "name": name, "properties": properties},
        st.sampled_from(["Form Sent", "Product Added"]),
        st.sampled_from(SIZED),
    ),
    st.sampled_from(
        [
            {"kind": "identify", "traits": {"city": "Rio"}},
            {"kind": "identify", "traits": {"city": "Berlin"}},
            {"kind": "page", "path": "/pricing", "context": {"timezone": "UTC"}},
            {"kind": "clicked"},
            {"kind": "opened"},
        ]
    ),
)
GAP = st.sampled_from([0, 60, 1_800, 40_000, 2 * 86_400])
WHAT = st.sampled_from(["", "restart"])
DRAWN = st.lists(st.tuples(GAP, LATE, DONE, WHAT, st.booleans()), min_size=3, max_size=9)
RULES = st.one_of(
    KEPT,
    st.builds(lambda one, other: {"all": [one, other]}, KEPT, CONDITIONS),
    st.builds(lambda one, other: {"any": [{"not": one}, other]}, KEPT, KEPT),
)
MOMENTS = st.integers(1, 8)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    old=st.lists(RULES, max_size=2),
    new=st.lists(RULES, min_size=1, max_size=4),
    start=STARTS,
    drawn=DRAWN,
    moments=st.tuples(st.integers(1, 5), MOMENTS, MOMENTS, MOMENTS),
)
def test_a_cohort_that_is_filled_is_what_the_whole_history_says(
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    start: datetime,
    drawn: list[Any],
    moments: tuple[int, int, int, int],
) -> None:
    live((old, new), start, drawn, moments)


def test_nobody_is_judged_by_half_a_history() -> None:
    """Two before the publication and one after it are three; until that is known nobody enters."""
    tree = {"event": {"name": "Form Sent", "properties": {"size": 5}, "at_least": 3}}
    sent = {"kind": "track", "name": "Form Sent", "properties": {"size": 5}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    drawn = [(60, 0, sent, "", False)] * 4
    live(([], [tree]), start, drawn, (2, 4, 4, 9))


def test_a_score_that_gives_other_points_begins_anew() -> None:
    """A page gave three points, now it gives one: two pages are two points, and not eight."""
    page = {"kind": "page", "path": "/", "context": {"timezone": "UTC"}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tree = {"score": {"name": "interest", "from": 2.5}}
    live(([], [tree]), start, [(60, 0, page, "", False)] * 3, (2, 2, 2, 9))


def test_pages_from_before_a_rule_was_published_are_counted_all() -> None:
    """Forty pages before the publication and twenty after it are sixty: no newest few stand for all."""
    page = {"kind": "page", "path": "/pricing", "context": {"timezone": "UTC"}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tree = {"page": {"starts_with": "/pricing", "at_least": 60, "within_days": 3}}
    live(([], [tree]), start, [(60, 0, page, "", False)] * 60, (40, 50, 50, 99))


def test_pages_of_two_who_are_merged_are_counted_together() -> None:
    """Each one's history comes for itself, and what both did since stands beside it."""
    page = {"kind": "page", "path": "/pricing", "context": {"timezone": "UTC"}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tree = {"page": {"starts_with": "/pricing", "at_least": 80}}
    drawn = [(60, 0, page, "", bool(number % 2)) for number in range(80)]
    live(([], [tree]), start, drawn, (50, 60, 75, 70))


def test_pages_of_a_session_under_way_are_counted_all_though_the_rule_came_in_its_middle() -> None:
    """Of two who are merged as well: what each saw before the publication comes for itself."""
    page = {"kind": "page", "path": "/pricing", "context": {"timezone": "UTC"}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tree = {"session": {"pages_contain": ["pricing"], "pages_at_least": 60}}
    live(([], [tree]), start, [(60, 0, page, "", False)] * 60, (40, 50, 50, 99))
    drawn = [(60, 0, page, "", bool(number % 2)) for number in range(80)]
    for merges in (30, 52, 70, 78):
        live(([], [tree]), start, drawn, (50, 60, 75, merges))
