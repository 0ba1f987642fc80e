"""Check who is foretold to convert: only by what was known, by whichever model foretells what comes."""

from __future__ import annotations

import numpy as np
import pytest

from learning.evaluation.calibration import auc
from learning.protocols import scores
from learning.training.mixture import (
    MODELS,
    OF_ALL,
    Mixture,
    Table,
    logistic,
    mixed,
    stacked,
    trees,
)


def table(count: int = 600, seed: int = 0) -> Table:
    """Build rows of which a number and a category say who converts."""
    rng = np.random.default_rng(seed)
    numbers, categories = rng.normal(size=(count, 2)), rng.integers(0, 3, (count, 1))
    chances = 1.0 / (1.0 + np.exp(1.0 - 1.5 * numbers[:, 0] - (categories[:, 0] == 2)))
    numbers[rng.random(count) < 0.1, 1] = np.nan
    return Table(numbers, categories, rng.random(count) < chances)


@pytest.mark.parametrize("model", [logistic, trees])
def test_each_model_ranks_rows_that_it_has_not_seen(model):
    said = model(table(600), table(300, seed=1))
    assert ((said > 0.0) & (said < 1.0)).all()
    assert auc(said, table(300, seed=1).labels) > 0.7


@pytest.mark.parametrize("model", [logistic, trees])
@pytest.mark.parametrize("labels", [np.zeros(50, bool), np.ones(50, bool), np.zeros(0, bool)])
def test_where_all_answers_are_alike_their_level_is_said(model, labels):
    past = Table(np.zeros((len(labels), 2)), np.zeros((len(labels), 1), np.int64), labels)
    said = model(past, table(10))
    assert said == pytest.approx(np.full(10, (labels.sum() + 0.5) / (len(labels) + 1)))


def test_a_category_that_nobody_knew_is_no_accident():
    coming = table(20, seed=2)
    strange = Table(coming.numbers, coming.categories + 100, coming.labels)
    for model in OF_ALL.values():
        assert np.isfinite(model(table(300), strange)).all()


def test_who_foretold_what_came_speaks_loudest_until_the_world_changes():
    mixture = Mixture(2)
    yes = np.ones(100, bool)
    told = [np.full(100, 0.9), np.full(100, 0.3)]
    assert mixture.weights.tolist() == [0.5, 0.5]
    for _ in range(5):
        mixture.came(told, yes)
    assert mixture.weights[0] > 0.99
    for _ in range(5):
        mixture.came(told, ~yes)
    assert mixture.weights[1] > 0.99
    assert mixed(told, mixture.weights) == pytest.approx(np.full(100, 0.3), abs=0.01)


def test_the_better_of_two_models_is_found_inside_what_is_known():
    weights = stacked(table(500), np.random.default_rng(0))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] >= 0.5, "the world is logistic"


def test_nothing_is_said_of_a_row_by_what_was_answered_after_it():
    rows = table(400)
    known = np.maximum(np.arange(400) - 150, 0)
    said = scores.prequential(rows, 100, known)
    changed = Table(rows.numbers, rows.categories, rows.labels.copy())
    # The first rows said come when 100 are answered; of the others nothing may be known there.
    changed.labels[100:] = ~changed.labels[100:]
    again = scores.prequential(changed, 100, known)
    assert len(said.chances) == 150
    assert said.chances[:100] == pytest.approx(again.chances[:100])
    assert set(said.by_model) == set(MODELS)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="too few"):
        scores.prequential(table(100), 100)


def test_a_split_says_each_row_from_the_other_parts():
    rows = table(300)
    said = scores.split(rows, np.random.default_rng(0))
    assert len(said.chances) == 300
    assert auc(said.chances, said.labels) > 0.7
    noise = Table(rows.numbers, rows.categories, np.random.default_rng(9).random(300) < 0.3)
    blind = scores.split(noise, np.random.default_rng(0))
    assert auc(blind.chances, blind.labels) < 0.65, "what it remembers says nothing of new rows"


def test_text_becomes_numbers_or_categories():
    told = scores.table_of({"age": ["1", "", "3"], "job": ["a", "b", "a"]}, [True, False, True])
    assert told.numbers.shape == (3, 1)
    assert np.isnan(told.numbers[1, 0])
    assert told.categories[:, 0].tolist() == [0, 1, 0]
