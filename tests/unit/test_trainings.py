"""The learner plans trainings by world time, and versions what comes of them; the trainer carries them out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.held import Codec, Held
from agents.runtime.lessons import HORIZON_DAYS, MONDAY_SECONDS, WEEK_SECONDS, gather
from agents.runtime.limits import Limits
from agents.runtime.replay import Replayer
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from agents.runtime.trainer import Trainer
from agents.sales_bot.bot import SalesBot
from agents.sales_bot.state import Order, SalesState
from learning.serving.moment import FEATURES
from learning.training.lesson import Lesson, Report, Taught, Trained
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore, _States
from messaging.vocabulary.effects import PublishSnapshot, TrainModel, WakeAt
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import ModelTrained, TrainingScheduled, Woke
from tests.behavior_builders import START, default_rules
from tests.model_builders import a_model
from tests.runtime_builders import FakeClock, Peer, Running, Silent, settle

POLICY = "probability/customer"
KEY = policy_key(POLICY)
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
DAY = timedelta(days=1)
A_REPORT = Report("logistic", 9, 3, True, False, {}, 0.0, 0.0)


def take(state, message, now=START):
    return LearnerBot().step(state, message, now, VIEW, Draw)


def a_schedule(hours=168, policy=POLICY):
    return TrainingScheduled(policy_key(POLICY), START, policy, hours)


def an_answer(snapshot=None, outcome="champion kept"):
    return ModelTrained(KEY, START, POLICY, snapshot, outcome)


# -------------------------------------------------------------------------------------- the core


def test_a_schedule_is_planned_once_and_an_earlier_training_stays_planned():
    state = PolicyState()
    assert take(state, a_schedule()) == [WakeAt("train", START + 7 * DAY)]
    assert take(state, a_schedule(), START + DAY) == [], "the process started again"
    assert take(state, a_schedule(24), START + DAY) == [WakeAt("train", START + 2 * DAY)]
    assert take(state, a_schedule(policy="send_time")) == []
    assert state.refused == {"schedule of another policy": 1}


def test_a_training_without_an_answer_is_asked_for_again_within_a_day():
    state = PolicyState()
    take(state, a_schedule())
    due = START + 7 * DAY
    asked = take(state, Woke(KEY, due, "train", due, ""), due)
    assert asked == [TrainModel(POLICY, due), WakeAt("train", due + DAY)]
    answered = take(state, an_answer(), due + DAY / 24)
    assert answered == [WakeAt("train", due + DAY / 24 + 7 * DAY)]
    assert state.trainings == {"champion kept": 1}


def test_each_model_gets_the_next_version_whatever_it_says_itself():
    state = PolicyState()
    take(state, a_schedule())
    versions = []
    for _ in range(2):
        effects = take(state, an_answer(a_model(77), "better"))
        versions += [e.snapshot.version for e in effects if isinstance(e, PublishSnapshot)]
    assert versions == [1, 2]


def test_a_model_of_another_policy_is_refused():
    state = PolicyState()
    assert take(state, an_answer(a_model(of="opportunity"), "first")) == []
    assert state.refused == {"model of another policy": 1}


# ------------------------------------------------------------------------------------ the lesson


def a_store(**sales) -> MemoryStore:
    """Return a store with one old moment of each visitor, and what Sales knows of some."""
    database = MemoryDatabase()
    at = START - (HORIZON_DAYS + 10) * DAY
    week = int(at.timestamp() - MONDAY_SECONDS) // WEEK_SECONDS
    rows = database.tables.setdefault("moments", {})
    for visitor in ("aa", "bb", "cc"):
        inputs = [float("nan")] * len(FEATURES)
        rows[f"{visitor}:1"] = {"visitor": visitor, "at": at, "week": week, "inputs": inputs}
    store = MemoryStore(database)
    codec = Codec(SalesBot())
    states = database.states.setdefault("sales", _States())
    for visitor, (state, moved) in sales.items():
        states.bodies[visitor] = codec.encode(Held(state, {}, moved, b""))
    return store


def bought(days: float) -> SalesState:
    """Return the state of somebody who bought so many days before now."""
    return SalesState(orders={"o1": Order(9.0, START - days * DAY, True)}, orders_count=1)


async def test_a_lesson_joins_moments_with_what_came_of_them_also_over_a_merge():
    store = a_store(bb=(SalesState(), "zz"), zz=(bought(35), ""), cc=(bought(60), ""))
    lesson = await gather(store, default_rules(), POLICY, START)
    known = {each.subject: each.after_days for each in lesson.examples}
    assert known == {"aa": None, "bb": pytest.approx(5.0)}, "cc had bought before"
    assert all(each.followed_days == pytest.approx(40.0) for each in lesson.examples)
    assert lesson.champion is None


async def test_what_is_too_young_or_very_old_is_not_read():
    store = a_store()
    assert not (await gather(store, default_rules(), POLICY, START - 20 * DAY)).examples
    assert not (await gather(store, default_rules(), POLICY, START + 120 * DAY)).examples


# ----------------------------------------------------------------------------------- the trainer


class Teacher:
    """Answer as told, when told."""

    def __init__(self, taught: Taught | None) -> None:
        self.taught = taught
        self.go = asyncio.Event()
        self.lessons: list[str] = []
        self.is_stopped = False

    async def teach(self, lesson: Lesson) -> Taught:
        self.lessons.append(lesson.policy)
        await self.go.wait()
        if self.taught is None:
            raise Unavailable("the training process ended with 1")
        return self.taught

    def stop(self) -> None:
        self.is_stopped = True


def a_trainer(teacher, log=None):
    told = []
    trainer = Trainer(
        store=a_store(),
        clock=FakeClock(START),
        teacher=teacher,
        rules=default_rules,
        every_hours=168,
        log=log or Silent(),
    )
    trainer.start(told.append, "learner-0", {"learner": 1})
    assert [each.every_hours for each in told] == [168, 168]
    told.clear()
    return trainer, told


def asked(policy=POLICY):
    return [(policy_key(policy), TrainModel(policy, START))]


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_a_training_came_to_is_told_to_the_shard():
    teacher = Teacher(Taught("too little"))
    trainer, told = a_trainer(teacher)
    teacher.go.set()
    trainer.committed(asked())
    await settled()
    (message,) = told
    assert (message.visitor, message.outcome, message.snapshot) == (KEY, "too little", None)


async def test_one_training_at_a_time_and_each_policy_waits_once():
    teacher = Teacher(Taught("too little"))
    trainer, told = a_trainer(teacher)
    for _ in range(3):
        trainer.committed(asked())
        trainer.committed(asked("probability/opportunity"))
        await settled()
    assert teacher.lessons == [POLICY]
    teacher.go.set()
    await settled()
    assert teacher.lessons == [POLICY, "probability/opportunity"]
    assert len(told) == 2


async def test_a_training_that_fails_is_logged_and_the_next_one_goes_on():
    log, teacher = Silent(), Teacher(None)
    trainer, told = a_trainer(teacher, log)
    teacher.go.set()
    trainer.committed(asked())
    await settled()
    assert told == []
    assert [line[:2] for line in log.lines] == [("warning", "training.failed")]
    teacher.taught = Taught("too little")
    trainer.committed(asked())
    await settled()
    assert len(told) == 1


async def test_a_learner_that_stops_ends_its_training():
    teacher = Teacher(Taught("too little"))
    trainer, told = a_trainer(teacher)
    trainer.committed(asked())
    await settled()
    trainer.stop()
    await settled()
    assert teacher.is_stopped
    assert told == []


# ------------------------------------------------------------------------- the shard, and replay


def a_learner_shard(database: MemoryDatabase, clock: FakeClock, teacher: Teacher) -> Shard:
    store = MemoryStore(database)
    trainer = Trainer(
        store=store,
        clock=clock,
        teacher=teacher,
        rules=default_rules,
        every_hours=168,
        log=Silent(),
    )
    spec = ShardSpec(
        bot=LearnerBot(),
        index=0,
        of=1,
        shards={"rules": 1, "learner": 1},
        senders=["rules-0"],
        store=store,
        peers=Peer(),
        clock=clock,
        view=VIEW,
        log=Silent(),
        jitter=lambda: 0.5,
        trainer=trainer,
        limits=Limits(sweep_seconds=0.05),
    )
    return Shard(spec)


async def until(holds) -> None:
    """Wait for something, or fail."""
    end = asyncio.get_event_loop().time() + 5.0
    while not holds():
        assert asyncio.get_event_loop().time() < end
        await asyncio.sleep(0.001)


async def replayed(database: MemoryDatabase) -> dict[str, bytes]:
    """Fold the learner's record again: nobody is there who could train."""

    async def view_at(*_: object) -> View:
        return VIEW

    journal = MemoryJournal(database)
    replayer = Replayer(LearnerBot(), (0, 1), MemoryStore(database), journal, view_at)
    await replayer.advance()
    return replayer.bodies()


def state_of(database: MemoryDatabase) -> PolicyState:
    state: PolicyState = Codec(LearnerBot()).decode(database.states["learner"].bodies[KEY]).state
    return state


async def test_a_training_that_a_crash_ended_is_missing_in_the_record_and_asked_for_again():
    database, clock, lost = MemoryDatabase(), FakeClock(START), Teacher(None)
    async with Running(a_learner_shard(database, clock, lost)) as shard:
        await settle(shard, 1)
        clock.world += 7 * DAY
        await until(lambda: lost.lessons)
    assert lost.is_stopped
    assert await replayed(database) == dict(database.states["learner"].bodies)
    assert state_of(database).trainings == {}

    teacher = Teacher(Taught("first", Trained(a_model(77), A_REPORT)))
    teacher.go.set()
    async with Running(a_learner_shard(database, clock, teacher)) as shard:
        await settle(shard, 1)
        assert teacher.lessons == [], (
            "the schedule is told anew, and the training waits for its day"
        )
        clock.world += DAY
        await until(lambda: len(database.tables.get("snapshots", ())) == 1)
    assert teacher.lessons.count(POLICY) == 1
    (row,) = database.tables["snapshots"].values()
    assert (row["policy"], row["version"]) == (POLICY, 1)
    assert state_of(database).trainings == {"first": 1}
    assert await replayed(database) == dict(database.states["learner"].bodies)
