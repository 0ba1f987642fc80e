"""Hold Behavior and the Rules Manager together to the law of visits: the loop goes on a day after the last activity."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.rules_manager.state import Run
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import MailSent
from messaging.vocabulary.plans import SendPlan
from tests.behavior_builders import (
    ANN,
    HUMAN_AGENT,
    MINUTE,
    START,
    Ann,
    a_page,
    a_record,
    a_track,
    an_identify,
)
from tests.rules_builders import OneVisitor

PATH = "lead-to-customer"
DAY = timedelta(days=1)
CLICKED_AT = START + timedelta(hours=26)
"""The first e-mail is out by then."""


class Visit:
    """Let one lead click and look around; carry what Behavior tells to the Rules Manager at once."""

    def __init__(self, *, known: bool = True) -> None:
        self.behavior = Ann()
        self.rules = OneVisitor(self.behavior.view, START)
        self.rules.outcome = ""
        """Sends are settled by the test, for it may be late."""
        if known:
            self.becomes_known(START)

    @property
    def run(self) -> Run:
        """Return the run on the routine's path."""
        return self.rules.state.runs[PATH]

    def becomes_known(self, now: datetime) -> None:
        """Tell the address."""
        consent = {"consent": {"categoryPreferences": {"email": True}}}
        self.take(now, an_identify(0, "u1", at=now, email="ann@example.com", context=consent))

    def first_mail(self) -> SendPlan:
        """Let time pass until the click; Behavior hears of the first e-mail's hand-over, Rules not yet."""
        self.pass_until(CLICKED_AT)
        (plan,) = self.rules.plans
        at = self.rules.sent_at[0]
        sent = MailSent(ANN, CLICKED_AT, plan.send_id, plan.template, PATH, plan.decision_id, at)
        self._carry(self.behavior.take(sent))
        return plan

    def take(self, now: datetime, *records: Record) -> None:
        """Let time pass, then let Behavior take events that happened whenever they did."""
        self.pass_until(now)
        for record in records:
            self._carry(self.behavior.sees(record))

    def pass_until(self, until: datetime) -> None:
        """Fire the wake-ups of both bots until a moment, in order."""
        while True:
            due = [at for bot in (self.behavior, self.rules) for at in bot.wakes.values()]
            moment = max(min([*due, until]), self.behavior.now)
            if moment > until or not any(at <= until for at in due):
                break
            self._carry(self.behavior.wakes_until(moment))
            self.rules.pass_time((moment - self.rules.now) / timedelta(hours=1))
        self.behavior.now = self.rules.now = max(until, self.behavior.now)

    def _carry(self, effects: list[Any]) -> None:
        self.rules.now = max(self.rules.now, self.behavior.now)
        for effect in effects:
            if isinstance(effect, Tell) and effect.bot == "rules":
                self.rules.take(effect.message)


def an_activity(number: int, kind: str, minute: int) -> Record:
    """Return something that the visitor did so many minutes after the click."""
    at = CLICKED_AT + minute * MINUTE
    if kind == "page":
        return a_page(number, at=at, userId="u1")
    return a_track(number, "Product Added", at=at, userId="u1", properties={"sku": "s1"})


def a_click(send_id: str) -> Record:
    """Return the click by which the visit begins."""
    fields = {"link": "0", "user_agent": HUMAN_AGENT, "method": "GET"}
    return a_record(1, CLICKED_AT, type="mail_clicked", visitor=ANN, send_id=send_id, **fields)


def activities() -> st.SearchStrategy[Any]:
    """Draw what the visitor does: kind, minutes after the click, minutes until Behavior takes it."""
    minutes = st.integers(0, 100)
    return st.lists(st.tuples(st.sampled_from(["page", "cart"]), minutes, minutes), max_size=6)


@given(activities(), st.integers(0, 100))
@example([("cart", 25, 10)], 0)
@example([("page", 10, 0), ("cart", 5, 60)], 0)
@example([], 90)
def test_after_a_visit_the_loop_goes_on_a_day_after_the_last_activity_however_late_it_is_told(
    drawn: list[tuple[str, int, int]], settled: int
) -> None:
    """`settled`: minutes after the click at which Rules hears that the e-mail was handed over."""
    visit = Visit()
    plan = visit.first_mail()
    happens: list[tuple[int, Record | None]] = [(0, a_click(plan.send_id)), (settled, None)]
    happens += [
        (minute + late, an_activity(2 + number, kind, minute))
        for number, (kind, minute, late) in enumerate(drawn)
    ]
    for minute, record in sorted(happens, key=lambda each: each[0]):
        if record is not None:
            visit.take(CLICKED_AT + minute * MINUTE, record)
        else:
            visit.pass_until(CLICKED_AT + minute * MINUTE)
            visit.rules.settle(plan, "handed over")
    visit.pass_until(CLICKED_AT + timedelta(hours=4))
    last = max([CLICKED_AT, *(CLICKED_AT + minute * MINUTE for _, minute, _ in drawn)])
    assert visit.run.status == "visiting"
    assert visit.rules.wakes[f"visit:{PATH}"] == last + DAY


@pytest.mark.parametrize(("kind", "stage"), [("page", "visited"), ("cart", "cart")])
def test_within_two_days_of_a_visit_the_next_mail_comes(kind: str, stage: str) -> None:
    visit = Visit()
    plan = visit.first_mail()
    visit.rules.settle(plan, "handed over")
    visit.take(CLICKED_AT, a_click(plan.send_id), an_activity(2, kind, 0))
    visit.pass_until(CLICKED_AT + 2 * DAY)
    assert [each.stage for each in visit.rules.plans] == ["invited", stage]


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=4),
    st.integers(0, 400),
    st.sampled_from(["page", "cart"]),
)
def test_a_lead_who_filled_a_cart_before_the_address_was_known_is_left_alone_for_a_day(
    minutes: list[int], known_after: int, last: str
) -> None:
    """`minutes`: when they were active; `known_after`: minutes between the last of it and the address."""
    visit = Visit(known=False)
    for number, minute in enumerate(sorted(minutes)):
        kind = last if number else "cart"
        visit.take(CLICKED_AT + minute * MINUTE, an_activity(2 + number, kind, minute))
    ended = CLICKED_AT + max(minutes) * MINUTE
    visit.becomes_known(ended + known_after * MINUTE)
    assert visit.run.stage == "cart"
    visit.pass_until(ended + timedelta(hours=8))
    assert visit.run.status == "visiting"
    assert visit.rules.wakes[f"visit:{PATH}"] == ended + DAY
