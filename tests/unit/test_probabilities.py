"""Probabilities: trained with scikit-learn, served without it, and honest about what they rest on."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from learning.evaluation.calibration import auc
from learning.serving.moment import FEATURES, Moment
from learning.serving.probability import (
    Reason,
    contributions,
    model_of,
    probabilities,
    probability,
)
from learning.training.champion import teach
from learning.training.lesson import Example, Lesson
from learning.training.probabilities import Rows, _calibration, mature, train
from learning.training.trees import trees_of
from messaging.vocabulary.records import Snapshot
from tests.model_builders import a_model

CLICKS, PAGES, SINCE = (
    list(FEATURES).index(name) for name in ("clicks", "pages", "days_since_clicked")
)


def inputs(count: int, seed: int = 1) -> np.ndarray:
    """Return rows of inputs, some unknown, as moments have them."""
    draw = np.random.default_rng(seed)
    rows = np.zeros((count, len(FEATURES)))
    rows[:, CLICKS] = draw.poisson(0.7, count)
    rows[:, PAGES] = draw.poisson(6, count)
    rows[:, SINCE] = np.where(rows[:, CLICKS] > 0, draw.exponential(6, count), np.nan)
    return rows


def examples(
    count: int, *, level: float = -2.0, crooked: bool = False, seed: int = 1
) -> list[Example]:
    """Return examples over 200 days: clicks and pages make a conversion likelier; each is followed to day 230."""
    draw = np.random.default_rng(seed)
    rows = inputs(count, seed)
    bent = np.where((rows[:, PAGES] > 4) & (rows[:, PAGES] < 8), 3.0, -1.0) if crooked else 0.0
    odds = level + 0.9 * rows[:, CLICKS] + 0.05 * rows[:, PAGES] + bent
    yes = draw.random(count) < 1 / (1 + np.exp(-odds))
    at = np.sort(draw.random(count) * 200)
    after = draw.random(count) * 29
    return [
        Example(float(t), row.tolist(), float(d) if y else None, float(230 - t))
        for t, row, y, d in zip(at, rows, yes, after, strict=True)
    ]


def test_served_trees_say_what_scikit_learn_says():
    rows = inputs(3000)
    y = np.random.default_rng(2).random(3000) < 0.1 + 0.2 * (rows[:, CLICKS] > 0)
    fitted = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=15, random_state=0).fit(
        rows, y
    )
    arrays = trees_of(fitted) | {
        "mean": [0.0] * len(FEATURES),
        "slope": [1.0],
        "shift": [0.0],
        "horizon_days": [30.0],
        "early": [0.0],
    }
    model = model_of(Snapshot(policy="p", version=1, arms=list(FEATURES), arrays=arrays))
    np.testing.assert_allclose(
        probabilities(model, rows[:300]), fitted.predict_proba(rows[:300])[:, 1], atol=1e-9
    )


def test_the_reasons_add_up_to_the_probability():
    for crooked in (False, True):
        trained = train("probability/customer", 1, examples(2500, crooked=crooked))
        model = model_of(trained.snapshot)
        rows = inputs(20, 5)
        odds = (model.base + contributions(model, rows).sum(axis=1)) * model.slope + model.shift
        np.testing.assert_allclose(probabilities(model, rows), 1 / (1 + np.exp(-odds)))


def test_the_better_of_both_kinds_is_shipped():
    straight = train("p", 1, examples(2500)).report
    crooked = train("p", 1, examples(2500, crooked=True)).report
    assert straight.kind == "logistic"
    assert crooked.kind == "trees"
    assert crooked.log_losses["trees"] < crooked.log_losses["logistic"]
    assert not straight.is_early
    assert not crooked.is_early


def test_a_snapshot_is_numbers_alone_and_the_same_for_the_same_examples():
    trained = train("p", 3, examples(2500, crooked=True))
    raw = msgspec.json.encode(trained.snapshot)
    assert raw == msgspec.json.encode(train("p", 3, examples(2500, crooked=True)).snapshot)
    read = msgspec.json.decode(raw, type=Snapshot)
    moment = Moment(clicks=2, pages=5, days_since_clicked=1.0)
    assert probability(read, moment) == probability(trained.snapshot, moment)


def test_a_reason_is_told_in_words_the_strongest_first():
    trained = train("p", 1, examples(2500))
    answer = probability(trained.snapshot, Moment(clicks=4, pages=6))
    assert answer.reasons[0].words() == "more likely: links of e-mails followed (4)"
    sizes = [abs(reason.adds) for reason in answer.reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert answer.value > probability(trained.snapshot, Moment(clicks=0, pages=6)).value


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("days_known", 0.0746, "days since the first visit (less than a day)"),
        ("days_since_seen", 1.2, "days since they were last seen (1 day)"),
        ("days_since_sent", 12.6, "days since they were last written to (13 days)"),
        ("days_since_cart", math.nan, "days since something was last put in the cart (never)"),
        ("pages", 1_234.0, "pages viewed in all (1,234)"),
        ("opens", 2.3333, "e-mails opened (2.3)"),
        ("opens", 0.0, "e-mails opened (0)"),
        ("opens", 0.01, "e-mails opened (less than 0.1)"),
        ("may_email", 1.0, "whether they may be written to (yes)"),
    ],
)
def test_a_reasons_value_is_told_as_a_marketer_reads_it(
    feature: str, value: float, said: str
) -> None:
    assert Reason(feature, value, 0.7).words() == f"more likely: {said}"


def test_below_a_hundred_conversions_it_is_a_shrunk_logistic_marked_early():
    few = train("p", 1, examples(400, level=-4.0))
    many = train("p", 1, examples(2500))
    assert few.report.is_early
    assert few.report.kind == "logistic"
    assert probability(few.snapshot, Moment()).is_early
    assert not probability(many.snapshot, Moment()).is_early
    weights = [max(map(abs, each.snapshot.arrays["weights"])) for each in (few, many)]
    assert weights[0] < weights[1]


@pytest.mark.parametrize("level", [-30.0, 30.0])
def test_where_all_or_nobody_converts_there_is_no_model(level):
    assert train("p", 1, examples(500, level=level)) is None
    assert train("p", 1, []) is None


def test_rows_cut_off_by_the_calendar_do_not_raise_the_level():
    """The newest rows are known for their quick yes only; with them the rate would be wrong, so they are left out."""
    row = [0.0] * len(FEATURES)
    quick = Example(100.0, row, 1.0, 5.0)
    known = [Example(1.0, row, None, 60.0), Example(0.0, row, 40.0, 60.0)]
    kept = mature([quick, *known])
    assert kept.at.tolist() == [0.0, 1.0]
    assert kept.y.tolist() == [False, False]


def test_a_feature_of_which_nothing_is_known_breaks_nothing():
    found = examples(3000, crooked=True)
    for each in found:
        each.inputs[SINCE] = float("nan")
    answer = probability(train("p", 1, found).snapshot, Moment(days_since_clicked=2.0))
    assert 0.0 < answer.value < 1.0


def broken(snapshot: Snapshot, **changed: list[float]) -> Snapshot:
    return msgspec.structs.replace(snapshot, arrays=snapshot.arrays | changed)


def test_a_broken_snapshot_gives_no_probability():
    good = train("p", 1, examples(2500, crooked=True)).snapshot
    nodes = len(good.arrays["feature"])
    bad = [
        broken(good, left=[float(nodes)] * nodes),
        broken(good, left=[-1.0] * nodes),
        broken(good, value=[]),
        broken(good, base=[]),
        broken(good, slope=[float("nan")]),
        broken(good, left=good.arrays["roots"][:1] * nodes, right=good.arrays["roots"][:1] * nodes),
        msgspec.structs.replace(good, arms=["other"]),
    ]
    for snapshot in bad:
        with pytest.raises(ValueError, match=r"p@1|no end"):
            probability(snapshot, Moment(pages=6))


def test_auc_counts_ties_by_half():
    assert auc(np.array([0.2, 0.2]), np.array([True, False])) == 0.5
    assert auc(np.array([0.9, 0.1, 0.1]), np.array([True, True, False])) == 0.75


def test_many_moments_before_one_purchase_are_one_conversion():
    row = [0.0] * len(FEATURES)
    kept = mature([Example(float(day), row, 10.0 - day, 60.0) for day in range(4)])
    assert kept.y.sum() == 4
    assert kept.conversions == 1


# ---------------------------------------------------------------------------- champion, challenger


def a_lesson(champion=None, **drawn) -> Lesson:
    return Lesson("p", examples(**({"count": 6000} | drawn)), champion)


def turned(snapshot: Snapshot) -> Snapshot:
    """Return a model that says the opposite."""
    return broken(snapshot, slope=[-1.0])


def test_few_conversions_calibrate_nothing():
    """What is fitted on a part of few conversions told of by a weaker model makes the better one worse."""
    odds = np.log(0.1 / 0.9) + 3 * np.random.default_rng(1).normal(size=4000)
    said, came = 1 / (1 + np.exp(-2 * odds)), 1 / (1 + np.exp(-odds))
    for count, takes in ((4000, True), (150, False)):
        y = np.random.default_rng(2).random(count) < came[:count]
        at = np.arange(count, dtype=float)
        later = Rows(at, np.zeros((count, 1)), y, np.where(y, at + 1, np.nan))
        assert (_calibration(said[:count], later) is not None) == takes


def test_the_first_model_acts_and_too_little_publishes_nothing():
    assert teach(a_lesson()).outcome == "first"
    nothing = teach(a_lesson(count=50, level=-6.0))
    assert (nothing.outcome, nothing.trained) == ("too little", None)


def test_while_there_are_few_conversions_the_newest_model_acts():
    early = teach(a_lesson(count=400, level=-4.0)).trained.snapshot
    assert teach(a_lesson(early)).outcome == "early"
    assert teach(a_lesson(early, count=400, level=-4.0)).outcome == "early"


def test_a_champion_that_learned_from_many_outlasts_a_time_of_few_but_not_for_ever():
    champion = teach(a_lesson()).trained.snapshot
    few = a_lesson(champion, count=400, level=-4.0)
    assert teach(few).outcome == "champion kept"
    champion.learned_to = {"moments": -86_400}  # a day before the oldest row
    assert teach(few).outcome == "early"


def test_a_better_challenger_replaces_the_champion_and_a_worse_one_does_not():
    good = teach(a_lesson()).trained.snapshot
    good.learned_to = {"moments": 0}  # it has seen nothing of what is judged
    assert teach(a_lesson(turned(good))).outcome == "better"
    oracle = a_model(base=-2.0, clicks=0.0)
    oracle.learned_to = {"moments": 0}
    assert teach(a_lesson(oracle)).outcome == "better", "a model without any weight"
    assert teach(a_lesson(good, seed=2)).outcome in ("better", "champion kept")


def test_on_rows_that_the_champion_learned_from_it_is_not_judged():
    champion = turned(teach(a_lesson()).trained.snapshot)
    assert teach(a_lesson(champion)).outcome == "champion kept", "nothing is new since it learned"


def test_a_champion_that_cannot_be_read_has_no_say():
    champion = msgspec.structs.replace(teach(a_lesson()).trained.snapshot, arms=["other"])
    assert teach(a_lesson(champion)).outcome == "first"


def test_a_snapshot_says_what_it_rests_on():
    trained = teach(a_lesson()).trained
    arrays = trained.snapshot.arrays
    assert arrays["rows"] == [trained.report.rows]
    assert arrays["conversions"] == [trained.report.conversions]
    assert trained.snapshot.learned_to["moments"] == pytest.approx(200 * 86_400, rel=0.01)
