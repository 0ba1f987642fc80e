"""The audit counts hand-overs: of each send one, of an order's thanks one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.email_bot.state import EmailState, OpenSend
from agents.runtime.fold import Folded, Work
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import MailOutcome, Message, StateMerged
from messaging.vocabulary.plans import SendPlan
from scripts.audit_handovers import HandOvers

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN, ANNA = "a1" * 12, "b2" * 12
GOALS = {
    "leads": frozenset({"Order Completed"}),
    "back": frozenset({"Order Completed", "Called"}),
    "trial": frozenset({"Trial Started"}),
}


class Watched:
    """Let batches be watched, a minute apart."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now = NOON
        self.hand_overs = HandOvers(lambda rule, what: self.said.append(f"{rule}: {what}"))

    def batch(self, *acts: tuple[str, HandOver], took: tuple[Message, ...] = ()) -> None:
        self.now += timedelta(minutes=1)
        folded = Folded()
        folded.acts.extend(acts)
        works = [Work(each, 0, "local", 0, number) for number, each in enumerate(took)]
        self.hand_overs.observe(self.now, works, folded)

    def handed_over(self, send: str, visitor: str = ANN, **plan: Any) -> None:
        at = self.now + timedelta(minutes=1)
        act = HandOver(a_plan(send, **plan), "ann@example.com", "box", at)
        self.batch((visitor, act))

    def outcome(self, send: str, outcome: str) -> MailOutcome:
        found = MailOutcome(ANN, self.now, send, outcome, 250, "END")
        self.batch(took=(found,))
        return found

    async def findings(self) -> list[str]:
        async def goals_of(_version: int, path: str) -> frozenset[str]:
            return GOALS[path]

        await self.hand_overs.end(goals_of)
        return self.said


def a_plan(send: str, **more: Any) -> SendPlan:
    fields = {
        "send_id": send,
        "path": "leads",
        "run": "1",
        "stage": "new",
        "step": "first",
        "attempt": 1,
        "template": "hello",
        "rules_version": 1,
        "entered_at": NOON,
        "sender": "shop",
    }
    return SendPlan(**(fields | more))


async def test_a_send_that_was_handed_over_twice_is_found() -> None:
    watched = Watched()
    watched.handed_over("s1")
    watched.outcome("s1", "handed over")
    watched.handed_over("s1")
    watched.handed_over("s2")
    assert await watched.findings() == [
        "once: send s1 was handed over 2 times, 0 times rightly again"
    ]


@pytest.mark.parametrize(
    ("outcome", "on_uncertain", "found"),
    [
        ("deferred", "list", 0),
        ("uncertain", "resend", 0),
        ("uncertain", "list", 1),
        ("handed over", "resend", 1),
    ],
)
async def test_a_send_goes_again_only_where_it_may(
    outcome: str, on_uncertain: str, found: int
) -> None:
    watched = Watched()
    for _ in range(2):
        watched.handed_over("s1", on_uncertain=on_uncertain)
        watched.outcome("s1", outcome)
    assert len([each for each in await watched.findings() if "handed over 2" in each]) == found


async def test_an_outcome_that_follows_its_visitor_excuses_one_hand_over_only() -> None:
    watched = Watched()
    watched.handed_over("s1")
    followed = watched.outcome("s1", "deferred")
    watched.batch(took=(followed,))
    watched.handed_over("s1", ANNA)
    assert not await watched.findings()
    watched.handed_over("s1", ANNA)
    assert await watched.findings() == [
        "once: send s1 was handed over 3 times, 1 time rightly again"
    ]


async def test_more_arrivals_than_hand_overs_are_found() -> None:
    """One commit was carried out twice: the record has one hand-over, and two answers of the server."""
    watched = Watched()
    watched.handed_over("s1")
    watched.outcome("s1", "handed over")
    watched.outcome("s1", "handed over")
    assert await watched.findings() == ["once: send s1 arrived 2 times"]


@pytest.mark.parametrize(
    ("path", "order", "found"),
    [("leads", "o1", 1), ("back", "o1", 1), ("trial", "o1", 0), ("leads", "o2", 0)],
)
async def test_two_thanks_for_one_order_are_found_under_whatever_message_id(
    path: str, order: str, found: int
) -> None:
    """Paths that share a goal thank once between them; an order and a trial are two goals."""
    watched = Watched()
    watched.handed_over("s1", run="o1", success=True)
    watched.outcome("s1", "handed over")
    watched.handed_over("s2", run=order, path=path, success=True)
    said = ["success: order o1 was thanked for by s1, and by s2"]
    assert await watched.findings() == said * found


async def test_a_thank_you_that_nobody_got_is_none() -> None:
    watched = Watched()
    watched.handed_over("s1", run="o1", success=True)
    watched.outcome("s1", "refused")
    watched.handed_over("s2", run="o1", success=True)
    assert not await watched.findings()


@pytest.mark.parametrize("first", [ANN, ANNA])
async def test_who_are_one_by_now_are_thanked_once(first: str) -> None:
    watched = Watched()
    watched.handed_over("s1", first, run="o1", success=True)
    watched.batch(took=(StateMerged(visitor=ANN, at=NOON, younger=ANNA, state=b""),))
    watched.handed_over("s2", ANN, run="o1", success=True)
    assert await watched.findings() == ["success: order o1 was thanked for by s1, and by s2"]


async def test_what_two_were_thanked_for_before_they_were_one_could_not_be_helped() -> None:
    watched = Watched()
    watched.handed_over("s1", ANN, run="o1", success=True)
    watched.handed_over("s2", ANNA, run="o1", success=True)
    watched.batch(took=(StateMerged(visitor=ANN, at=NOON, younger=ANNA, state=b""),))
    assert not await watched.findings()


async def test_what_was_handed_over_before_a_checkpoint_counts() -> None:
    """The ledger says it of what was settled then; what was open is settled behind it."""
    watched = Watched()
    row = {"visitor": ANN, "status": "handed over", "handed_over_at": NOON, "success": False}
    row |= {"path": "leads", "run": "1", "rules_version": 1}
    rows = [
        row | {"id": "s1"},
        row | {"id": "s2"},
        row | {"id": "s3", "status": "uncertain"},
        row | {"id": "later", "handed_over_at": NOON + timedelta(hours=1)},
        row | {"id": "waits", "handed_over_at": None},
        row | {"id": "thanks", "success": True, "run": "o1"},
    ]
    state = EmailState(open={"s2": OpenSend(a_plan("s2"), "handing over")})
    watched.hand_overs.begin(rows, [(ANNA, EmailState(absorbed=[ANN])), (ANN, state)], NOON)
    assert watched.hand_overs.seen == 0
    for send in ("s1", "s2", "s3", "later", "waits"):
        watched.handed_over(send)
    watched.outcome("s2", "handed over")
    watched.handed_over("again", ANNA, success=True, run="o1")
    assert sorted(await watched.findings()) == [
        "once: send s1 was handed over 2 times, 0 times rightly again",
        "once: send s3 was handed over 2 times, 0 times rightly again",
        "success: order o1 was thanked for by thanks, and by again",
    ]
    assert watched.hand_overs.seen == 6
