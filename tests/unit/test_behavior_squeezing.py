"""Try to make a visitor's state large: everything at its longest, at once, for months."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from agents.behavior_bot.squeezing import STATE_BYTES_MAX
from agents.behavior_bot.state import BehaviorState
from agents.rules.checks import COHORT_CHARACTERS_MAX
from tests.behavior_builders import (
    ANN,
    START,
    Ann,
    a_page,
    a_record,
    a_track,
    a_view_of,
    an_identify,
)

TEXT = "x" * 500
CAMPAIGN = dict.fromkeys(("source", "medium", "name", "term", "content"), TEXT)
CONTEXT = {
    "timezone": "America/Argentina/ComodRivadavia",
    "locale": "it-IT",
    "campaign": CAMPAIGN,
    "consent": {"categoryPreferences": {"email": True}},
}


def size(state: BehaviorState) -> int:
    return len(msgspec.msgpack.encode(state))


def a_crowded_week(ann: Ann, number: int) -> None:
    at = START + number * timedelta(hours=7)
    call = {"userId": f"u{number}" + "z" * 200, "context": CONTEXT}
    traits = {f"trait {number} {each}": TEXT for each in range(10)}
    added = {f"key {n}": f"{number} {n}" for n in range(9)} | {"product_id": TEXT, "name": TEXT}
    refund = {"order_id": f"{number:040}", "refund_id": f"{number:040}", "total": 1}
    answer = {"visitor": ANN, "send_id": f"s{number}" + "a" * 20, "user_agent": "m" * 200}
    first = number * 8  # positions that nobody else has
    ann.sees(
        a_track(first + 1, f"Event {number % 300}", TEXT + str(number), at=at, **call),
        a_track(first + 2, "Product Added", at=at, properties=added, **call),
        a_page(first + 3, f"{TEXT}{number}", "/" + TEXT, at=at, **call),
        an_identify(first + 4, at=at, traits=traits, email=f"ann{number}@example.com", **call),
        a_track(first + 5, "Order Completed", at=at, properties={"order_id": f"{number:040}"}),
        a_track(first + 6, "Order Refunded", at=at, properties=refund),
        a_record(first + 7, at, type="mail_clicked", link="1", method="GET", **answer),
    )


def test_a_state_stays_under_its_bound_whatever_comes() -> None:
    asked = [{"event": {"name": "Product Added", "same": f"key {n}"}} for n in range(9)]
    asked += [{"cart": {"contains": "x"}}, {"trait": {"name": "plan", "changed": {}}}]
    ann = Ann(a_view_of(asked))
    sizes = []
    for number in range(1, 900):
        a_crowded_week(ann, number)
        sizes.append(size(ann.state))
    assert max(sizes) < STATE_BYTES_MAX
    assert ann.state.let_go > 0
    assert ann.state.counters["Order Completed"] == 899
    assert ann.state.orders_count == 899


def test_five_hundred_cohorts_fit_beside_all_that() -> None:
    ann = Ann(a_view_of([{"known": "email"}]))
    a_crowded_week(ann, 1)
    names = [f"{number:04}-{'n' * 9}" for number in range(COHORT_CHARACTERS_MAX // 16)]
    ann.state.cohorts = [*ann.state.cohorts, *names]
    for number in range(2, 400):
        a_crowded_week(ann, number)
        assert size(ann.state) < STATE_BYTES_MAX


def test_who_lost_what_a_cohort_stood_on_leaves_it() -> None:
    """Forty small traits are within their own bounds: it is the whole that becomes too large."""
    ann = Ann(a_view_of([{"trait": {"name": f"t{n}", "exists": True}} for n in range(40)]))
    ann.sees(an_identify(1, "u1", traits={f"t{n}": "x" * 50 for n in range(40)}))
    assert len(ann.state.cohorts) == 40
    for number in range(1, 200):
        at = START + number * timedelta(hours=7)
        order = {"order_id": f"{number:040}", "total": 1}
        ann.sees(
            a_track(number * 3, f"Event {number} {'x' * 20}", at=at, userId="u1"),
            a_page(number * 3 + 1, path="/" + TEXT + str(number), at=at),
            a_track(number * 3 + 2, "Order Completed", at=at, properties=order, userId="u1"),
        )
    known = {f"c{name[1:]}" for name in ann.state.traits}
    assert ann.state.let_go > 0
    assert len(known) < 40
    assert set(ann.state.cohorts) - {"known"} == known


def test_an_answer_that_waits_to_be_judged_is_never_let_go() -> None:
    ann = Ann()
    ann.state.cohorts = [f"{number:04}-{'n' * 20}" for number in range(500)]
    answer = {
        "visitor": ANN,
        "send_id": "s1",
        "user_agent": "m" * 200,
        "link": "1",
        "method": "GET",
    }
    ann.sees(an_identify(1, "u1", email="ann@example.com"))
    ann.sees(a_record(2, type="mail_clicked", **answer))
    assert len(ann.state.waiting) == 1
    assert ann.state.bytes_seen > 0


def test_who_does_little_loses_nothing() -> None:
    ann = Ann()
    for number in range(1, 400):
        ann.sees(a_page(number, path=f"/{number % 7}", at=START + number * timedelta(hours=5)))
    assert ann.state.let_go == 0
    assert len(ann.state.pages) == 32
