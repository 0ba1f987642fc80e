"""Build alerts as the bots commit them, and notifiers on a store of memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from agents.learner_bot.alerts import alert_id
from agents.learner_bot.state import PolicyState
from agents.learner_bot.step import step
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.inprocess import InProcess
from agents.runtime.tables import notices_for, row_for
from config.load import DEFAULTS, compile_files, read_folder
from messaging.alerts.channels import Channel, Outcome
from messaging.alerts.notice import Notice
from messaging.alerts.notifier import Notifier, Pace
from messaging.ports import BatchRecord, Commit, RowWrite, Store
from messaging.vocabulary.effects import SAMPLE_RATIO, PublishSnapshot, PutAlert
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import email_key, partition_of, policy_key, position, visitor_id_for
from messaging.vocabulary.messages import DecisionFared
from messaging.vocabulary.records import place_of_test
from tests.gateway_builders import NOON, StillClock

ANN = visitor_id_for(email_key("ann@example.com"))
QUICK = Pace(tries_max=4, pause_seconds_first=0.0, pause_seconds_max=0.0)


class Told:
    """Be a channel: hold what it was told, and answer by script (then `delivered`)."""

    def __init__(self, name: str, *outcomes: str | Exception, may_repeat: bool = True) -> None:
        self.name = name
        self.may_repeat = may_repeat
        self.notices: list[Notice] = []
        self._outcomes = list(outcomes)

    async def tell(self, notice: Notice, now: datetime) -> Outcome:
        assert now == NOON
        self.notices.append(notice)
        outcome = self._outcomes.pop(0) if self._outcomes else "delivered"
        if isinstance(outcome, Exception):
            raise outcome
        return Outcome(outcome, "" if outcome == "delivered" else "by script")


def rows_of_an_alert(status: str = "open", alert: str = "a1") -> list[RowWrite]:
    """Return the rows of an alert, as a shard commits them."""
    history = [{"attempt": 1, "template": "hello", "at": NOON, "clicked": False}]
    effect = PutAlert(alert, "Four attempts", "lead", "1", status, NOON, history)
    return [row_for(effect, ANN, f"rules-0:1:{ANN}:0", NOON), *notices_for(effect, ANN)]


def rows_of_a_test_alert(
    policy: str = "split_test/lead/invited/words/5f1", at: datetime = NOON, **seen: int
) -> list[RowWrite]:
    """Return the rows of an alert about a split test, as the learner's shard commits them; `seen`: of each variant."""
    seen = seen or {"a": 401, "b": 200}
    known, share = sum(seen.values()), 1 / len(seen)
    history = [
        {"template": each, "share": share, "expected": round(share * known, 1), "seen": count}
        for each, count in seen.items()
    ]
    id_, (path, _, _) = alert_id(policy, SAMPLE_RATIO), place_of_test(policy)
    effect = PutAlert(id_, SAMPLE_RATIO, path, "", "open", at, history, policy=policy)
    key = policy_key(policy)
    return [row_for(effect, key, f"learner-0:1:{key}:1", at), *notices_for(effect, key)]


def rows_of_learning_taken_back(
    policy: str = "next_best/lead/invited", at: datetime = NOON, version: int = 9
) -> list[RowWrite]:
    """Return the rows of a policy that did harm, as the learner's shard commits them: alert, notices, snapshot."""
    state, key = PolicyState(version=version - 1), policy_key(policy)
    effects: list[Any] = []
    for _ in range(60):
        for is_held_out in (True, False):
            came = ["response"] if is_held_out else []
            fared = DecisionFared(key, at, policy, 0, holdout=is_held_out, came=came)
            effects += step(state, fared, at, View(None, 1, {}, {}), Draw)
    alert = next(each for each in effects if isinstance(each, PutAlert))
    snapshot = [each for each in effects if isinstance(each, PublishSnapshot)][-1]
    cause = f"learner-0:1:{key}:1"
    return [
        row_for(alert, key, cause, at),
        *notices_for(alert, key),
        row_for(snapshot, key, cause, at),
    ]


@cache
def rows_of_a_silent_lead() -> tuple[RowWrite, ...]:
    """Return what the bots themselves write of a lead who never answers: four attempts, then an alert."""
    rules = compile_files(read_folder(DEFAULTS), 1)
    simulator = InProcess(View(rules, 1, {1: rules}, {}, learning=False), NOON)
    raw = b'{"type":"identify","userId":"u1","traits":{"email":"ann@example.com","email_consent":true}}'
    simulator.feed([Record(position(1, 1), "m1", partition_of(ANN), NOON, NOON, "", raw)])
    simulator.advance(NOON + timedelta(days=40))
    return tuple(row for row in simulator.rows if row.table in ("alerts", "notices"))


class Shard:
    """Commit rows as a shard does."""

    def __init__(self, store: Store, name: str = "rules-0") -> None:
        self._store = store
        self._name = name
        self._batch = 0
        self._epoch = 0

    async def commit(self, *rows: RowWrite) -> None:
        if not self._epoch:
            self._epoch = (await self._store.acquire(self._name)).epoch
        self._batch += 1
        record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
        given: list[Any] = [{}, {}, record, [], [], list(rows), [], []]
        await self._store.commit(Commit(self._name, "rules", self._epoch, self._batch, *given))


async def a_notifier(
    store: Store,
    *channels: Channel,
    pace: Pace = QUICK,
    jitter: Callable[[], float] = lambda: 0.5,
) -> Notifier:
    """Return a notifier that has begun."""
    made = Notifier(store, StillClock(), list(channels), "http://127.0.0.1:8080", jitter, pace)
    await made.start()
    return made


async def deliveries(store: Store) -> dict[str, tuple[str, int]]:
    """Return notice -> (status, tries)."""
    rows = await store.rows("deliveries", {})
    return {row["id"]: (row["status"], row["tries"]) for row in rows}


async def queue(store: Store) -> dict[str, str]:
    """Return notice -> status."""
    return {row["id"]: row["status"] for row in await store.rows("notices", {})}
