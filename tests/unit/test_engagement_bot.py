"""Engagement's table, row by row: offered, shown to one tab, answered, withdrawn, expired, merged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.engagement_bot.bot import EngagementBot
from agents.engagement_bot.state import ENDED_MAX, OFFERS_MAX, EngagementState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.batch import newest
from config.load import DEFAULTS, compile_folder
from messaging.ports import RowWrite
from messaging.vocabulary.effects import CancelWake, Effect, Moved, PutEngagement, Tell, WakeAt
from messaging.vocabulary.messages import (
    EngagementAnswered,
    EngagementRequested,
    EngagementSettled,
    EngagementsWithdrawn,
    GoalReached,
    MergedInto,
    Message,
    StateMerged,
    Woke,
)
from messaging.vocabulary.plans import EngagementPlan

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANN, OLDER = "a" * 24, "b" * 24
RULES = compile_folder(DEFAULTS, 1)
VIEW = View(RULES, 1, {1: RULES}, {})


class OneVisitor:
    """Step Engagement for one visitor on a clock that jumps."""

    def __init__(self, visitor: str = ANN) -> None:
        self.visitor = visitor
        self.bot = EngagementBot()
        self.state: EngagementState = self.bot.fresh(visitor)
        self.now = NOON
        self.wakes: dict[str, datetime] = {}
        self.rows: dict[str, str] = {}

    def take(self, message: Message) -> list[EngagementSettled]:
        """Take one message; return what Rules is told."""
        effects = self.bot.step(self.state, message, self.now, VIEW, Draw)
        return self.after(effects)

    def after(self, effects: list[Effect]) -> list[EngagementSettled]:
        """Keep wake-ups and rows as the runtime does."""
        told = []
        for effect in effects:
            match effect:
                case WakeAt(key=key, at=at):
                    self.wakes[key] = at
                case CancelWake(key=key):
                    self.wakes.pop(key, None)
                case PutEngagement(plan=plan, status=status):
                    self.rows[plan.engagement_id] = status
                case Tell(message=EngagementSettled() as settled):
                    told.append(settled)
        return told

    def offers(self, id_: str, minutes: int = 30, **changes: Any) -> list[EngagementSettled]:
        """Ask for an offer of the opinion form."""
        plan = EngagementPlan(
            engagement_id=id_,
            interaction=changes.get("interaction", "opinion"),
            interaction_type="opinion_form",
            rules_version=changes.get("version", 1),
            expires_at=self.now + minutes * MINUTE,
            decision_id=f"d-{id_}",
        )
        at = changes.get("at", self.now)
        return self.take(EngagementRequested(self.visitor, at, plan))

    def answers(self, id_: str, response: str, tab: str = "t1") -> list[EngagementSettled]:
        """Answer an offer."""
        return self.take(EngagementAnswered(self.visitor, self.now, id_, response, tab))

    def buys(self, at: datetime) -> list[EngagementSettled]:
        """Reach the goal."""
        return self.take(GoalReached(self.visitor, at, ["p"], "o1", 1.0, "EUR", "", ""))

    def wakes_up(self, at: datetime) -> list[EngagementSettled]:
        """Let time pass until a wake-up."""
        self.now = at
        due = self.wakes.pop("expire")
        assert due <= at
        return self.take(Woke(self.visitor, at, "expire", due, ""))


def outcomes(told: list[EngagementSettled]) -> list[tuple[str, str, bool]]:
    """Return (id, outcome, whether it was seen)."""
    return [(each.engagement_id, each.outcome, each.seen) for each in told]


def test_an_offer_stands_open_with_its_words_until_it_is_answered() -> None:
    ann = OneVisitor()
    assert ann.offers("e1") == []
    offer = ann.state.offers[0]
    assert offer.content["fields"][0]["name"] == "wants_help_with"
    assert offer.number == 1
    assert ann.rows == {"e1": "offered"}
    assert outcomes(ann.answers("e1", "shown")) == [("e1", "shown", True)]
    assert outcomes(ann.answers("e1", "submitted")) == [("e1", "submitted", True)]
    assert ann.state.offers == []
    assert ann.wakes == {}
    assert ann.rows == {"e1": "submitted"}


def test_only_the_first_tab_shows_it() -> None:
    ann = OneVisitor()
    ann.offers("e1")
    assert len(ann.answers("e1", "shown", "t1")) == 1
    assert ann.answers("e1", "shown", "t2") == []
    assert ann.state.offers[0].tab == "t1"


def test_who_answers_has_seen_it() -> None:
    ann = OneVisitor()
    ann.offers("e1")
    told = outcomes(ann.answers("e1", "dismissed"))
    assert told == [("e1", "shown", True), ("e1", "dismissed", True)]
    assert ann.answers("e1", "dismissed") == []


def test_what_expires_unseen_is_given_back_and_the_next_is_waited_for() -> None:
    ann = OneVisitor()
    ann.offers("e1", minutes=10)
    ann.offers("e2", minutes=30)
    assert ann.wakes == {"expire": NOON + 10 * MINUTE}
    assert outcomes(ann.wakes_up(NOON + 10 * MINUTE)) == [("e1", "expired", False)]
    assert ann.wakes == {"expire": NOON + 30 * MINUTE}
    assert outcomes(ann.wakes_up(NOON + 40 * MINUTE)) == [("e2", "expired", False)]
    assert ann.wakes == {}


def test_rules_takes_back_what_is_open_and_what_is_on_a_screen() -> None:
    ann = OneVisitor()
    for id_ in ("e1", "e2", "e3"):
        ann.offers(id_)
    ann.answers("e2", "shown")
    told = ann.take(EngagementsWithdrawn(ANN, NOON, ["e1", "e2", "unknown"], "left the cohort"))
    assert outcomes(told) == [("e1", "withdrawn", False), ("e2", "withdrawn", True)]
    assert [offer.plan.engagement_id for offer in ann.state.offers] == ["e3"]


def test_whose_time_is_over_has_expired_whether_rules_or_the_clock_is_first() -> None:
    ann, ben = OneVisitor(), OneVisitor()
    for each in (ann, ben):
        each.offers("e1", minutes=30)
        each.now = NOON + 30 * MINUTE
    over = EngagementsWithdrawn(ANN, NOON + 30 * MINUTE, ["e1"], "session over")
    assert outcomes(ann.take(over)) == [("e1", "expired", False)]
    assert outcomes(ben.wakes_up(NOON + 30 * MINUTE)) == [("e1", "expired", False)]
    assert ben.take(over) == []


def test_the_goal_ends_what_was_decided_until_then_in_either_order() -> None:
    early, late = OneVisitor(), OneVisitor()
    early.offers("e1")
    assert outcomes(early.buys(NOON + MINUTE)) == [("e1", "withdrawn", False)]
    assert late.buys(NOON + MINUTE) == []
    assert outcomes(late.offers("e1")) == [("e1", "refused", False)]
    late.now += 2 * MINUTE
    assert late.offers("e2") == []


def test_what_was_on_its_way_to_the_screen_counts_after_all() -> None:
    ann = OneVisitor()
    ann.offers("e1")
    ann.take(EngagementsWithdrawn(ANN, NOON, ["e1"], "left the cohort"))
    assert outcomes(ann.answers("e1", "shown")) == [("e1", "shown", True)]
    assert ann.answers("e1", "clicked") == []
    assert ann.answers("never offered", "shown") == []


@pytest.mark.parametrize(
    "changes", [{"minutes": 0}, {"interaction": "unknown"}, {"version": 9}], ids=str
)
def test_what_cannot_be_offered_is_refused(changes: dict[str, Any]) -> None:
    ann = OneVisitor()
    assert outcomes(ann.offers("e1", **changes)) == [("e1", "refused", False)]
    assert ann.state == EngagementState()
    assert ann.rows == {"e1": "refused"}


def test_the_state_stays_small() -> None:
    ann = OneVisitor()
    for number in range(OFFERS_MAX):
        ann.offers(f"e{number}")
    assert outcomes(ann.offers("one more")) == [("one more", "refused", False)]
    for number in range(60):
        ann.take(EngagementsWithdrawn(ANN, NOON, [f"e{number}"], "x"))
        ann.offers(f"e{number + OFFERS_MAX}")
    assert len(ann.state.ended) == ENDED_MAX
    assert len(msgspec.msgpack.encode(ann.state)) < 12_000


def test_a_merge_takes_what_is_on_a_screen_along_and_withdraws_the_rest() -> None:
    ann, older = OneVisitor(), OneVisitor(OLDER)
    ann.offers("seen")
    ann.answers("seen", "shown")
    ann.offers("unseen")
    older.offers("own")
    effects = ann.bot.step(ann.state, MergedInto(ANN, NOON, OLDER), NOON, VIEW, Draw)
    assert outcomes(ann.after(effects)) == [("unseen", "withdrawn", False)]
    assert isinstance(effects[-1], Moved)
    handed = next(
        e.message for e in effects if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    )
    for _ in range(2):
        assert older.take(handed) == []
    assert [offer.plan.engagement_id for offer in older.state.offers] == ["own", "seen"]
    assert [ended.plan.engagement_id for ended in older.state.ended] == ["unseen"]
    numbers = [each.number for each in (*older.state.offers, *older.state.ended)]
    assert len(set(numbers)) == 3
    assert outcomes(older.answers("seen", "clicked")) == [("seen", "clicked", True)]


def test_a_trigger_for_a_merged_visitor_ends_with_a_refusal() -> None:
    plan = EngagementPlan("e1", "opinion", "opinion_form", 1, NOON + MINUTE, "d1")
    ann = OneVisitor()
    effects = ann.bot.ends_at_tombstone(EngagementRequested(ANN, NOON, plan), OLDER, NOON, VIEW)
    assert effects is not None
    assert outcomes(ann.after(effects)) == [("e1", "refused", False)]
    answered = EngagementAnswered(ANN, NOON, "e1", "shown", "t1")
    assert ann.bot.ends_at_tombstone(answered, OLDER, NOON, VIEW) is None


def test_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="no layout 9"):
        EngagementBot().upgrade(9, b"")


def test_of_an_offer_that_ends_in_its_batch_one_row_is_written() -> None:
    """Its first row is an insert; the last one replaces it before either is written."""
    offered = RowWrite("engagements", "e1", {"status": "offered"}, "insert")
    other = RowWrite("engagements", "e2", {"status": "offered"}, "insert")
    gone = RowWrite("engagements", "e1", {"status": "withdrawn"})
    assert newest([offered, other, gone]) == [other, gone]
    assert newest([offered, other]) == [offered, other]
