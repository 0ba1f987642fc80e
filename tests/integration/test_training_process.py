"""A training runs in a process of its own, and scikit-learn is loaded nowhere else."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from learning.serving.moment import Moment
from learning.serving.probability import probability
from learning.training.champion import teach
from learning.training.lesson import Example, Lesson, Taught
from messaging.vocabulary.errors import Unavailable
from scripts import training
from scripts.made_past import MadeUpPast
from scripts.training import TrainingProcess
from tests.unit.test_probabilities import examples

PARTS = (
    "agents.runtime.registry, scripts.compose, scripts.gateway_part, scripts.training, scripts.cli"
)


def test_no_part_loads_scikit_learn():
    """Of a shard's and a gateway's processes, the learner's among them; only the worker does."""
    code = f"import sys, {PARTS}; print('sklearn' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


async def test_a_lesson_is_taught_in_another_process_with_the_same_result():
    lesson = Lesson("probability/customer", examples(1500))
    taught = await TrainingProcess().teach(lesson)
    assert taught.outcome == "first"
    assert taught.trained is not None
    here = teach(lesson).trained
    assert here is not None
    moment = Moment(clicks=2, pages=5)
    assert probability(taught.trained.snapshot, moment).value == pytest.approx(
        probability(here.snapshot, moment).value
    )


async def test_the_demo_learns_from_a_made_up_past_until_its_own_leads_teach_more():
    """It says of itself that its people were made up; whatever the world's own leads teach takes its place."""
    teacher = MadeUpPast()
    taught = await teacher.teach(Lesson("probability/customer", []))
    assert taught.outcome == "first"
    assert taught.trained is not None
    past = taught.trained.snapshot
    knows_them = {"days_known": 10.0, "days_since_seen": 1.0, "may_email": 1.0}
    told = probability(past, Moment(**knows_them, pages=3, sessions=1))
    eager = Moment(**knows_them, pages=13, sessions=3, products=4, carts=1, checkouts=1)
    assert told.is_made_up
    assert 0.0 < told.value < probability(past, eager).value < 0.9
    assert told.reasons
    again = await teacher.teach(Lesson("probability/customer", [], past))
    assert again == Taught("too little")
    own = await teacher.teach(Lesson("probability/customer", examples(1500), past))
    assert own.outcome == "early"
    assert own.trained is not None
    assert not probability(own.trained.snapshot, Moment(clicks=2, pages=5)).is_made_up


async def test_a_process_that_fails_says_why():
    lesson = Lesson("probability/customer", [Example(1.0, [0.0], 1.0, 60.0)] * 20)
    with pytest.raises(Unavailable, match="ended with 1: ValueError: cannot reshape"):
        await TrainingProcess().teach(lesson)


async def test_where_too_few_got_there_no_process_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training, "WORKER", "no.such.module")
    few = [Example(float(n), [0.0], 1.0 if n < 9 else None, 60.0) for n in range(500)]
    taught = await TrainingProcess().teach(Lesson("probability/customer", few))
    assert taught == Taught("too little")


async def test_a_training_is_ended_with_its_learner():
    process = TrainingProcess()
    under_way = asyncio.ensure_future(
        process.teach(Lesson("probability/customer", examples(60_000)))
    )
    while process._process is None:
        await asyncio.sleep(0.01)
    process.stop()
    with pytest.raises(Unavailable, match="ended with -9"):
        await under_way


async def test_a_training_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training, "SECONDS_MAX", 0.05)
    with pytest.raises(Unavailable, match="longer than"):
        await TrainingProcess().teach(Lesson("probability/customer", examples(500)))
