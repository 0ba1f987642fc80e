"""Behavior keeps a lead's moments week by week, and follows probabilities where a rule asks for them."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

from agents.behavior_bot.moments import QUIET_SECONDS, next_moment
from agents.rules.compiled import CompiledRules
from config.load import DEFAULTS, compile_files, read_folder
from learning.serving.moment import FEATURES
from messaging.vocabulary.effects import LogStory, PutMoment
from messaging.vocabulary.messages import CohortEntered, CohortLeft
from tests.behavior_builders import (
    ANN,
    MINUTE,
    START,
    Ann,
    a_page,
    a_track,
    a_view,
    an_identify,
    told,
)
from tests.model_builders import LIKELY, a_model

WEEK = timedelta(weeks=1)


@cache
def rules() -> CompiledRules:
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += LIKELY
    return compile_files(files, 1)


def a_view_with(*models, **changes):
    return a_view(rules=rules(), snapshots={each.policy: each for each in models}, **changes)


def a_lead(*models) -> Ann:
    """Return somebody who is known, and whose rules ask for a probability."""
    ann = Ann(a_view_with(*models))
    ann.sees(an_identify(1, "u1", email="ann@example.com"))
    return ann


def moments(effects) -> list[PutMoment]:
    return [each for each in effects if isinstance(each, PutMoment)]


def moves(effects) -> list[dict]:
    return [e.detail for e in effects if isinstance(e, LogStory) and e.kind == "probability.moved"]


def entered(effects, cohort="likely") -> bool:
    return any(each.cohort == cohort for each in told(effects, CohortEntered))


# -------------------------------------------------------------------------------------- moments


def test_a_lead_has_a_moment_each_week_at_a_time_of_its_own():
    ann = a_lead()
    assert ann.wakes["moment"] == next_moment(ANN, START.timestamp())
    assert START < ann.wakes["moment"] <= START + WEEK
    kept = moments(ann.wakes_until(START + 3 * WEEK))
    assert [each.at - kept[0].at for each in kept] == [0 * WEEK, WEEK, 2 * WEEK]
    assert [each.week - kept[0].week for each in kept] == [0, 1, 2]
    assert all(len(each.inputs) == len(FEATURES) for each in kept)


def test_a_moment_says_what_was_known_then():
    ann = a_lead()
    ann.sees(*(a_page(n, path="/specification") for n in range(2, 5)))
    first = moments(ann.wakes_until(START + WEEK))[0]
    known = dict(zip(FEATURES, first.inputs, strict=True))
    assert (known["pages"], known["assist_pages"], known["carts"]) == (3, 3, 0)
    assert known["days_since_seen"] == pytest.approx(
        (first.at - START).total_seconds() / 86400, abs=1e-3
    )
    assert known["days_since_cart"] != known["days_since_cart"], "never is no number"


def test_nobody_unknown_and_no_customer_has_moments():
    browser = Ann(a_view_with())
    browser.sees(a_page(1))
    assert "moment" not in browser.wakes
    ann = a_lead()
    ann.sees(a_track(2, "Order Completed", properties={"order_id": "o1", "total": 9}))
    assert not moments(ann.wakes_until(START + 3 * WEEK))
    assert "moment" not in ann.wakes


def test_who_is_quiet_for_long_has_no_more_moments_until_the_next_event():
    ann = a_lead()
    weeks = moments(ann.wakes_until(START + 30 * WEEK))
    assert 8 <= len(weeks) <= 10
    assert (weeks[-1].at - START).total_seconds() < QUIET_SECONDS + WEEK.total_seconds()
    assert "moment" not in ann.wakes
    ann.sees(a_page(2, taken=START + 31 * WEEK, at=START + 31 * WEEK))
    assert "moment" in ann.wakes


# -------------------------------------------------------------------------------- probabilities


def test_a_cohort_by_a_probability_is_entered_and_the_story_says_so():
    ann = a_lead(a_model(pages=2.0))
    assert ann.state.chances["customer"].version == 1
    effects = ann.sees(*(a_page(n, at=START + n * 11 * MINUTE) for n in range(2, 5)))
    assert entered(effects)
    (move,) = moves(effects)
    assert move["entered"] == ["likely"]
    assert move["chances"]["customer"] >= 0.5


def test_a_probability_is_worked_out_at_most_every_ten_minutes():
    ann = a_lead(a_model(pages=2.0))
    assert not entered(ann.sees(*(a_page(n) for n in range(2, 9)))), "seconds later"
    assert entered(ann.sees(a_page(9, at=START + 11 * MINUTE)))


def test_a_new_snapshot_moves_nobody_until_the_next_event_or_wake_up():
    ann = a_lead(a_model(base=-9.0))
    ann.view = a_view_with(a_model(2, base=9.0))
    assert ann.state.chances["customer"].version == 1
    assert entered(ann.sees(a_page(2)))
    ann.view = a_view_with(a_model(3, base=-9.0))
    effects = ann.wakes_until(START + WEEK)
    assert any(each.cohort == "likely" for each in told(effects, CohortLeft))
    assert moves(effects)[0]["left"] == ["likely"]


def test_rules_never_see_a_likelier_customer_than_opportunity():
    """Also when one of both models was published anew: both figures are worked out at once."""
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += LIKELY
    files["cohorts.yaml"] += LIKELY.replace("likely:", "warm:").replace("customer", "opportunity")
    both = compile_files(files, 1)
    models = [a_model(base=-9.0), a_model(of="opportunity", base=-2.0)]
    ann = Ann(a_view(rules=both, snapshots={each.policy: each for each in models}))
    ann.sees(an_identify(1, "u1", email="ann@example.com"))
    assert ann.state.chances["opportunity"].value == pytest.approx(0.1192)
    models[0] = a_model(2, base=3.0)
    ann.view = a_view(rules=both, snapshots={each.policy: each for each in models})
    ann.sees(a_page(2))
    chances = ann.state.chances
    assert chances["customer"].value == chances["opportunity"].value == pytest.approx(0.9526)
    assert {"likely", "warm"} <= set(ann.state.cohorts)


def test_who_buys_has_no_probability_any_more():
    ann = a_lead(a_model(base=9.0))
    assert "likely" in ann.state.cohorts
    effects = ann.sees(a_track(2, "Order Completed", properties={"order_id": "o1", "total": 9}))
    assert any(each.cohort == "likely" for each in told(effects, CohortLeft))
    assert ann.state.chances == {}


def test_without_a_model_or_with_a_broken_one_no_rule_holds_by_it():
    broken = a_model(base=9.0)
    broken.arrays["weights"] = [1.0]
    for ann in (a_lead(), a_lead(broken), a_lead(a_model(of="opportunity", base=9.0))):
        ann.sees(a_page(2, at=START + 11 * MINUTE))
        assert "likely" not in ann.state.cohorts


def test_nothing_is_worked_out_where_no_rule_asks():
    ann = Ann(a_view(snapshots={"probability/customer": a_model(base=9.0)}))
    ann.sees(an_identify(1, "u1", email="ann@example.com"), a_page(2))
    assert ann.state.chances == {}
