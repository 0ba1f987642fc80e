"""Be what trains: it learns nothing, and answers late, with nothing, or with a model that is drawn.

Rules
1. A model depends on the seed, the policy and the number of the training alone, and is nothing like the one before:
   so every snapshot moves people.
2. The lesson is the real one. Whoever was forgotten by then may not be in it.
"""

from __future__ import annotations

import random
from collections import Counter

from learning.serving.moment import FEATURES
from learning.training.lesson import Lesson, Report, Taught, Trained
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.records import Snapshot
from tests.model_builders import a_model
from tests.simulation.chaos import TRAININGS, Chaos
from tests.simulation.process import Process

KEPT = 0.3
"""Share of the trainings after which the model that acts goes on."""

REPORT = Report("logistic", 0, 0, True, False, {}, 0.0, 0.0)


class SimTeacher:
    """Teach for one incarnation of a learner (`agents.runtime.trainer.Teacher`)."""

    def __init__(self, process: Process, chaos: Chaos, seen: Counter[str]) -> None:
        self._process = process
        self._chaos = chaos
        self._seen = seen

    async def teach(self, lesson: Lesson) -> Taught:
        await self._process.enter()
        await self._chaos.pause("training", 600.0)
        struck = self._chaos.strikes("training", TRAININGS)
        if struck == "training.late":
            await self._chaos.pause("training", 30 * 3600.0)
        await self._process.enter()
        if struck == "training.failed":
            raise Unavailable("the training process ended with 1")
        taught = self._taught(lesson)
        await self._process.leave()
        return taught

    def stop(self) -> None:
        pass

    def _taught(self, lesson: Lesson) -> Taught:
        self._seen[f"lesson {lesson.policy}"] += 1
        self._seen[f"example of {lesson.policy} got there"] += sum(
            each.after_days is not None for each in lesson.examples
        )
        before = lesson.champion.version if lesson.champion is not None else 0
        draw = random.Random(f"{self._chaos.seed}/training/{lesson.policy}/{before}")
        if before and draw.random() < KEPT:
            return Taught("champion kept")
        return Taught("early", Trained(_drawn(lesson.policy, draw), REPORT))


def _drawn(policy: str, draw: random.Random) -> Snapshot:
    """Return a model that finds some likely, and others not."""
    weights = {name: draw.uniform(-1.0, 1.0) for name in FEATURES}
    return a_model(
        of=policy.rpartition("/")[2], base=draw.uniform(-1.0, 1.0), early=True, **weights
    )
