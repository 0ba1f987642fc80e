"""Carry trainings out for one learner shard: gather, teach, tell the shard what came of it.

Rules
1. One training at a time. What is asked meanwhile waits, once for each policy: the queue cannot grow.
2. A training that fails is told in the log and tells the shard nothing: it is asked for again within a day.
3. The world clock does not wait: a model may be some world-hours older in a world in time-lapse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from agents.rules.compiled import CompiledRules
from agents.runtime.lessons import gather
from agents.runtime.spec import Log, shard_of
from learning.serving.probability import POLICIES
from learning.training.lesson import Lesson, Taught
from messaging.ports import Clock, Store
from messaging.vocabulary.effects import Act, TrainModel
from messaging.vocabulary.errors import WorldError
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import Message, ModelTrained, TrainingScheduled

Tell = Callable[[Message], None]


class Teacher(Protocol):
    """Learn from a lesson, beside the event loop."""

    async def teach(self, lesson: Lesson) -> Taught:
        """Return what the lesson came to. Raise `WorldError` where it came to nothing."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...


class Trainer:
    """Train for one learner shard.

    Parameters:
        store: where moments, outcomes and snapshots are.
        clock: tells world time.
        teacher: does the work.
        rules: gives the rules in force: they say what an opportunity is.
        every_hours: world-hours between two trainings of a policy.
        log: is told how it went.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        teacher: Teacher,
        rules: Callable[[], CompiledRules | None],
        every_hours: int,
        log: Log,
    ) -> None:
        self._store = store
        self._clock = clock
        self._teacher = teacher
        self._rules = rules
        self._every_hours = every_hours
        self._log = log
        self._tell: Tell = lambda _: None
        self._asked: dict[str, TrainModel] = {}
        self._under_way = ""
        """The policy that is being trained."""
        self._task: asyncio.Task[None] | None = None

    def start(self, tell: Tell, shard: str, shards: dict[str, int]) -> None:
        """Begin, and tell the shard the schedule of each probability that is its own."""
        self._tell = tell
        for policy in POLICIES:
            key = policy_key(policy)
            if shard_of("learner", key, shards) == shard:
                now = self._clock.now()
                tell(TrainingScheduled(key, now, policy, self._every_hours))

    def committed(self, acts: list[tuple[str, Act]]) -> None:
        """Begin the trainings that a batch asked for."""
        for _, act in acts:
            if isinstance(act, TrainModel) and act.policy != self._under_way:
                self._asked[act.policy] = act
        if self._asked and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._train())

    def stop(self) -> None:
        """End what is under way; it is made up for at its next time."""
        if self._task is not None:
            self._task.cancel()
        self._teacher.stop()

    async def _train(self) -> None:
        while self._asked:
            act = self._asked.pop(next(iter(self._asked)))
            self._under_way = act.policy
            try:
                await self._one(act)
            except (WorldError, OSError) as error:
                self._log.warning("training.failed", policy=act.policy, error=type(error).__name__)
            finally:
                self._under_way = ""

    async def _one(self, act: TrainModel) -> None:
        rules = self._rules()
        if rules is None:
            return  # nothing is published yet: nobody is on any path
        lesson = await gather(self._store, rules, act.policy, act.at)
        taught = await self._teacher.teach(lesson)
        self._log.info(
            "model.trained", policy=act.policy, rows=len(lesson.examples), outcome=taught.outcome
        )
        snapshot = taught.trained.snapshot if taught.trained is not None else None
        key = policy_key(act.policy)
        now = self._clock.now()
        self._tell(ModelTrained(key, now, act.policy, snapshot, taught.outcome))
