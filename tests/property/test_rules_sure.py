"""Hold what is said of a draft before it is published against a naive evaluation of the whole history.

Visitors live under older rules; of newer ones it is asked whom they surely hold and whom they may. What a state lacks
may make the span wider than it needs to be, and never wrong; where nothing is lacking it is one answer.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from scripts.sure import Lacks, Questions
from tests.behavior_builders import ANN, a_view_of
from tests.drawn_rules import CONDITIONS
from tests.naive_history import facts_at
from tests.naive_rules import naive
from tests.property.test_rules_filling import DRAWN, KEPT, RULES, Filled, views
from tests.property.test_rules_incremental import SCORE_BOUNDS, STARTS, as_record, happenings

EXAMPLES = int(os.environ.get("MDMA_RULE_TREES", "150"))


def questions_of(trees: list[dict[str, Any]], rules: CompiledRules) -> Questions:
    cohorts = {"known": {"known": "email"}} | {f"c{n}": tree for n, tree in enumerate(trees)}
    text = json.dumps({"cohorts": {name: {"when": tree} for name, tree in cohorts.items()}})
    return Questions(rules, text)


def lived_under(view: View, start: datetime, drawn: list[Any]) -> Filled:
    """Return who did all this under these rules; nothing of it is left to be judged."""
    ann = Filled(ANN, view, start)
    for index, each in enumerate(happenings(start, drawn)):
        ann.passes(each.taken_at, [0.5])
        ann.now = each.taken_at
        if drawn[index][4]:
            continue  # somebody else's
        ann.past.append(each)
        ann.sees(as_record(each, ann.visitor))
    ann.passes(ann.now + timedelta(hours=1), [0.5])
    return ann


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    old=st.lists(RULES, max_size=2),
    new=st.lists(st.one_of(RULES, CONDITIONS, KEPT), min_size=1, max_size=4),
    start=STARTS,
    drawn=DRAWN,
)
def test_what_is_said_of_a_draft_never_leaves_the_truth_out(
    old: list[dict[str, Any]], new: list[dict[str, Any]], start: datetime, drawn: list[Any]
) -> None:
    older, newer = views(old, new)
    ann = lived_under(older, start, drawn)
    facts = facts_at(ann.now, ann.past, ann.visitor)
    if any(abs(facts.points - bound) < 1e-3 for bound in SCORE_BOUNDS):
        return  # a score is told within a second of passing a bound
    questions, rules = questions_of(new, newer.rules), newer.rules
    lacking = Lacks(rules, {1: older.rules}).of(ann.state)
    asked = VisitorFacts(ANN, ann.state, ann.now.timestamp(), rules.scores, newer.consent)
    for number, tree in enumerate(new):
        question = questions.of(f"c{number}")
        sure, may = question.ask(asked, ann.now, lacking)
        truth = naive(tree, facts, ann.now)
        assert int(sure) <= int(truth) <= int(may), (tree, lacking)
        if all(leaf.keeps.isdisjoint(lacking) for leaf in question.leaves):
            assert sure == may == truth, (tree, lacking)


def test_what_is_on_its_way_to_a_visitor_is_lacking_and_what_nobody_met_lacks_nothing() -> None:
    tree = {"page": {"starts_with": "/pricing"}}
    rules = a_view_of([tree]).rules
    [page] = rules.keeps.keys() - {"score:interest"}
    known = {1: rules, 2: replace(rules, version=2)}
    kept = BehaviorState(kept=2, kept_version=2)
    assert Lacks(rules, known).of(kept) == frozenset()
    kept.lacks = [page]
    assert Lacks(rules, known).of(kept) == {page}
    assert Lacks(rules, {}).of(kept) == rules.keeps.keys()
    assert Lacks(rules, known).of(BehaviorState()) == frozenset()
    facts = VisitorFacts(ANN, kept, 0.0, rules.scores, "opt-in")
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert questions_of([tree], rules).of("c0").ask(facts, now, frozenset({page})) == (False, True)
