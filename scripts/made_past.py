"""Teach the demo's learner from a made-up past, until its own world has lived long enough.

A probability says what becomes of a lead within 30 days, in the demo those are over after an hour at the soonest. So
the first training learns from people of the same kind who lived before the demo began, in a simulation: in a process
of its own, at the lowest priority, for some seconds. The model says of itself that its people were made up (`made_up`
of the snapshot), wherever a probability is shown, and the first that the demo's own leads teach takes its place.

Rule 1: nobody but the demo has a made-up past. Whoever has leads of their own waits for what those do.
"""

from __future__ import annotations

import sys
from datetime import datetime

from learning.training.lesson import Lesson, Taught, decode_lesson, encode
from scripts.training import TrainingProcess

WORKER = "scripts.made_past"

SEED = 20_260_302
PEOPLE = 1_500
DAYS = 75
"""The first five weeks teach: of their moments it is known what came of them within 30 days."""


class MadeUpPast:
    """Be the teacher of the demo's learner (`agents.runtime.trainer.Teacher`)."""

    def __init__(self) -> None:
        self._own = TrainingProcess()
        self._past = TrainingProcess(WORKER, always=True)

    async def teach(self, lesson: Lesson) -> Taught:
        """Return what the world's own leads teach; before they can, and once, what the past does."""
        if lesson.is_too_little and lesson.champion is None:
            return await self._past.teach(lesson)
        return await self._own.teach(lesson)

    def stop(self) -> None:
        """End what is under way."""
        self._own.stop()
        self._past.stop()


def taught_by_the_past(policy: str, *, people: int = PEOPLE, days: int = DAYS) -> Taught:
    """Return what made-up people teach of a probability, marked as such."""
    from agents.protocol.bot import View
    from agents.runtime.lessons import examples_of
    from config.load import DEFAULTS, compile_folder
    from learning.audience.audience import Audience
    from learning.serving.probability import MADE_UP
    from learning.training.champion import teach
    from scripts.simulating import START, Simulated, end_of

    rules = compile_folder(DEFAULTS, 1)
    view = View(rules, 1, {1: rules}, {}, learning=False)
    world = Simulated(view, Audience(SEED, people, START, days))
    end: datetime = end_of(days)
    world.run(end)
    taught = teach(Lesson(policy, examples_of(world.moments, world.reached_at(policy), end)))
    if taught.trained is not None:
        # Early, so that whatever the world's own leads teach is better.
        taught.trained.snapshot.arrays |= {MADE_UP: [1.0], "early": [1.0]}
    return taught


def main() -> None:
    """Read a lesson, simulate, learn, write."""
    lesson = decode_lesson(sys.stdin.buffer.read())
    sys.stdout.buffer.write(encode(taught_by_the_past(lesson.policy)))


if __name__ == "__main__":
    main()
