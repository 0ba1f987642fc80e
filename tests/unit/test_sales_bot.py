"""Try Sales on one visitor: orders once, credit where a human answered, goals to Rules and Email."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from agents.protocol.draw import Draw
from agents.protocol.known import TIME_BYTES, remember
from agents.sales_bot.bot import SalesBot
from agents.sales_bot.shown import figures_of, orders_of, revenue_of
from agents.sales_bot.state import (
    ORDERS_MAX,
    REFUNDS_MAX,
    VERSION,
    Order,
    SalesState,
    answers_of,
    is_known,
    left_of,
    note_order,
    revenues,
)
from messaging.vocabulary.effects import Effect, LogStory, Moved, PutOrder, Tell
from messaging.vocabulary.messages import (
    GoalReached,
    MailSent,
    MergedInto,
    Message,
    Purchased,
    Refunded,
    Responded,
    StateMerged,
)
from scripts.known import order_said
from scripts.story_lines import line as line_of
from tests.behavior_builders import ANN, MINUTE, START, a_view, told

PATH = "lead-to-customer"
YOUNGER = "b" * 24
DAY = timedelta(days=1)


def a_purchase(order_id: str = "o1", at: Any = START, **changes: Any) -> Purchased:
    fields: dict[str, Any] = {
        "visitor": ANN,
        "at": at,
        "order_id": order_id,
        "value": 20.0,
        "currency": "EUR",
        "event": "Order Completed",
        "address": "ann@example.com",
    }
    return Purchased(**(fields | changes))


def a_refund(
    refund_id: str = "r1", amount: float | None = 5.0, order_id: str = "o1", currency: str = "EUR"
) -> Refunded:
    return Refunded(ANN, START + DAY, refund_id, order_id, amount, currency)


def a_send(send_id: str, at: Any) -> MailSent:
    return MailSent(ANN, at, send_id, "invite", "lead-to-customer", "d1", at)


def an_answer(send_id: str, at: Any, human: float = 1.0, kind: str = "clicked") -> Responded:
    return Responded(ANN, at, send_id, kind, human)


def take(state: SalesState, *messages: Message) -> list[Effect]:
    bot = SalesBot()
    return [e for m in messages for e in bot.step(state, m, START + 30 * DAY, a_view(), Draw)]


def test_an_order_is_written_and_its_goal_told_to_rules_and_email() -> None:
    effects = take(SalesState(), a_purchase())
    goal = told(effects, GoalReached, "rules")[0]
    assert goal == told(effects, GoalReached, "email")[0]
    assert (goal.paths, goal.at, goal.order_id) == (["lead-to-customer"], START, "o1")
    assert goal.address == "ann@example.com"
    assert [e.order_id for e in effects if isinstance(e, PutOrder)] == ["o1"]
    assert [e.kind for e in effects if isinstance(e, LogStory)] == ["goal.reached"]


def test_people_are_shown_no_order_id_that_the_site_did_not_give() -> None:
    """Inside, the order is known by our own id all the same: a repeat stays one, a refund finds it by its payment."""
    state, bought = SalesState(), a_purchase("m3", is_unnamed=True, payment_id="p1", issue="odd")
    effects = take(state, bought, a_refund(order_id="m3"), a_refund("r2", 1.0, order_id="p1"))
    assert told(effects, GoalReached, "email")[0].is_unnamed
    assert [e.order_id for e in effects if isinstance(e, PutOrder)] == ["m3", "m3", "m3"]
    lines = [e for e in effects if isinstance(e, LogStory)]
    assert [e.detail["order_id"] for e in lines] == ["", "", "", "p1"]
    said = [line_of(e.kind, e.detail) for e in lines]
    assert "m3" not in " ".join(said), said
    assert said[0] == "an order counts 20.00 EUR: odd"
    [row] = orders_of(state)
    assert (row["order_id"], row["is_unnamed"]) == ("m3", True)
    assert order_said(row).startswith("without an id of the site's: 20.00 EUR")


def test_an_order_told_again_after_hundreds_of_others_is_a_repeat() -> None:
    state = SalesState()
    for number in range(300):
        take(state, a_purchase(f"o{number}", START + number * DAY))
    before = msgspec.msgpack.encode(state)
    for number in (0, 100, 235, 299):
        late = START + 301 * DAY
        assert take(state, a_purchase(f"o{number}", late, bought_at=START + number * DAY)) == []
    assert msgspec.msgpack.encode(state) == before
    assert (state.orders_count, state.revenue) == (300, 6_000.0)
    assert len(before) < 16_000


@pytest.mark.parametrize("is_swapped", [False, True])
def test_orders_that_both_of_a_merge_had_long_ago_are_counted_once(is_swapped: bool) -> None:
    """Of twenty orders that both had one knows the names alone; where both do, their worth is not known any more."""
    one, other = SalesState(), SalesState()
    for number in range(150):
        take(one, a_purchase(f"o{number:03}", START + number * DAY))
    for number in (*range(200, 240), *range(60, 80)):
        take(other, a_purchase(f"o{number:03}", START + number * DAY))
    old, young = (other, one) if is_swapped else (one, other)
    body = msgspec.msgpack.encode((VERSION, young))
    take(old, StateMerged(ANN, START + 300 * DAY, YOUNGER, body))
    assert (old.orders_count, old.revenue) == (190, 3_800.0)
    for number in (*range(0, 150, 7), *range(200, 240, 7), 60, 79):
        assert take(old, a_purchase(f"o{number:03}", START + 301 * DAY)) == []
    assert (old.orders_count, old.revenue) == (190, 3_800.0)


def test_an_order_told_twice_changes_nothing() -> None:
    state = SalesState()
    take(state, a_purchase())
    assert take(state, a_purchase(at=START + DAY)) == []
    assert (state.orders_count, state.revenue) == (1, 20.0)


def test_an_order_of_the_past_is_dated_by_itself_and_nobody_is_thanked_for_it() -> None:
    state = SalesState()
    then = START - 400 * DAY
    effects = take(state, an_answer("s1", START - DAY), a_purchase(bought_at=then))
    [goal] = told(effects, GoalReached, "email")
    assert (goal.at, goal.credited, goal.unthanked) == (START, "", "it is of the past")
    assert [e.at for e in effects if isinstance(e, PutOrder)] == [then]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_is_answered_after_a_purchase_takes_no_credit_from_what_came_before_it(order):
    """The click came before the purchase, two openings after it, and the order was told last."""
    answers = [an_answer("s1", START - 26 * MINUTE * n) for n in (10, 2, 1)]
    bought = START - 26 * MINUTE * 9
    [goal] = told(
        take(SalesState(), *(answers[n] for n in order), a_purchase(bought_at=bought)),
        GoalReached,
        "email",
    )
    assert goal.credited == "s1"


def test_answers_of_a_send_are_bounded_and_the_newest_stay():
    state = SalesState()
    take(state, *(an_answer("s1", START + n * MINUTE) for n in range(50)))
    [touch] = state.touches
    assert answers_of(touch) == [START + n * MINUTE for n in range(42, 50)]


def test_an_order_that_was_told_a_day_late_is_thanked_for_and_credited_to_what_came_before_it() -> (
    None
):
    state = SalesState()
    answers = [an_answer("s1", START - 3 * DAY), an_answer("s2", START - DAY / 2)]
    [goal] = told(take(state, *answers, a_purchase(bought_at=START - DAY)), GoalReached, "email")
    assert (goal.credited, goal.unthanked) == ("s1", "")


JOINED = "Club Joined"


def a_club_view() -> Any:
    """Return a view in which the path's goal is an event that is no purchase."""
    rules = a_view().rules
    path = msgspec.structs.replace(rules.paths[PATH], goal_events=frozenset({JOINED}))
    return a_view(rules=dataclasses.replace(rules, paths={PATH: path}))


def joined(state: SalesState, *messages: Message) -> list[str]:
    """Return why nobody was thanked, for each goal that was told of."""
    bot, view = SalesBot(), a_club_view()
    found = [e for m in messages for e in bot.step(state, m, START + 30 * DAY, view, Draw)]
    return [goal.unthanked for goal in told(found, GoalReached, "email")]


def a_goal(number: int, at: Any = START) -> Purchased:
    return a_purchase(f"m{number}", at, event=JOINED)


def test_a_goal_that_is_no_order_is_thanked_for_once_however_often_it_is_told() -> None:
    first, *others = joined(SalesState(), *(a_goal(n, START + n * DAY) for n in range(5)))
    assert first == ""
    assert len(others) == 4
    assert all("thanked" in each for each in others)


def test_a_goal_is_thanked_for_again_once_its_path_has_written_again() -> None:
    told_of = joined(
        SalesState(),
        a_goal(1),
        MailSent(ANN, START + DAY, "s2", "invite", PATH, "d1", START + DAY),
        a_goal(2, START + 2 * DAY),
        a_goal(3, START + 3 * DAY),
    )
    assert told_of[:2] == ["", ""]
    assert told_of[2]


def test_a_goal_that_the_younger_half_was_thanked_for_is_known_after_a_merge() -> None:
    young, state = SalesState(), SalesState()
    joined(young, a_goal(1))
    packed = msgspec.msgpack.encode((VERSION, young))
    assert joined(state, StateMerged(ANN, START, YOUNGER, packed), a_goal(2, START + DAY))[0]


def test_nobody_is_thanked_for_an_order_that_was_cancelled_before_it_was_told() -> None:
    state = SalesState()
    [goal] = told(take(state, a_refund(amount=None), a_purchase()), GoalReached, "email")
    assert goal.unthanked
    [goal] = told(take(state, a_refund("r2", 5.0, "o2"), a_purchase("o2")), GoalReached, "email")
    assert not goal.unthanked


def test_what_is_no_goal_of_any_path_is_told_to_nobody() -> None:
    assert take(SalesState(), a_purchase(event="Something Else")) == []


def test_the_last_send_that_a_human_answered_gets_the_credit() -> None:
    state = SalesState()
    take(
        state,
        a_send("s1", START - 4 * DAY),
        an_answer("s1", START - 3 * DAY),
        a_send("s2", START - 2 * DAY),
        an_answer("s2", START - 2 * DAY, kind="opened"),
        a_send("s3", START - DAY),
        an_answer("s3", START - DAY, human=0.0),
    )
    assert told(take(state, a_purchase()), GoalReached)[0].credited == "s2"


@pytest.mark.parametrize(("days", "credited"), [(5, "s1"), (5.01, "")])
def test_no_send_gets_credit_after_five_days(days: float, credited: str) -> None:
    state = SalesState()
    take(state, an_answer("s1", START - days * DAY))
    assert told(take(state, a_purchase()), GoalReached)[0].credited == credited


def test_only_the_newest_orders_are_remembered_and_all_are_summed() -> None:
    state = SalesState()
    for number in range(ORDERS_MAX + 10):
        take(state, a_purchase(f"o{number}", START + number * MINUTE))
    assert len(state.orders) == ORDERS_MAX
    assert state.orders_count == ORDERS_MAX + 10
    assert state.revenue == 20.0 * (ORDERS_MAX + 10)


def test_a_merge_sends_the_state_and_leaves_a_tombstone() -> None:
    effects = take(SalesState(), MergedInto(ANN, START, YOUNGER))
    assert [e.bot for e in effects if isinstance(e, Tell)] == ["sales"]
    assert isinstance(effects[-1], Moved)
    assert take(SalesState(), MergedInto(ANN, START, ANN)) == []


def test_an_order_and_a_merge_come_to_the_same_in_any_order() -> None:
    """The younger's part, an order both know, and the older's own facts, in all orders."""
    young = SalesState()
    take(
        young,
        a_purchase("o1", START),
        a_purchase("o2", START + MINUTE),
        a_send("s9", START - DAY),
        an_answer("s9", START),
    )
    body = told(take(young, MergedInto(YOUNGER, START, ANN)), StateMerged)[0].state
    messages = [
        StateMerged(ANN, START, YOUNGER, body),
        StateMerged(ANN, START, YOUNGER, body),
        a_purchase("o1", START),
        a_purchase("o3", START),
        a_send("s1", START - 2 * DAY),
    ]
    ends = []
    for order in permutations(messages):
        state = SalesState()
        take(state, *order)
        ends.append(
            (
                state.orders,
                state.orders_count,
                state.revenue,
                sorted(touch.send_id for touch in state.touches),
                state.goals,
            )
        )
    assert all(end == ends[0] for end in ends)
    assert ends[0][1:3] == (3, 60.0)


def test_a_refund_takes_revenue_and_credit_back_once() -> None:
    state = SalesState()
    take(state, a_send("s1", START), an_answer("s1", START), a_send("s2", START))
    take(state, an_answer("s2", START + MINUTE), a_purchase(at=START + DAY))
    effects = take(state, a_refund())
    [row] = [e for e in effects if isinstance(e, PutOrder)]
    assert (row.value, row.refunded, row.credited, row.linear) == (20.0, 5.0, "s2", ["s1", "s2"])
    [story] = [e for e in effects if isinstance(e, LogStory)]
    assert (story.kind, story.detail["taken"], story.detail["left"]) == (
        "order.refunded",
        5.0,
        15.0,
    )
    assert take(state, a_refund()) == []
    assert state.revenue == 15.0
    assert figures_of(state) == {
        "orders": 1.0,
        "orders/EUR": 1.0,
        "revenue/EUR": 15.0,
        "refunded/EUR": 5.0,
        "credit/last_touch/EUR/invite": 15.0,
        "credit/linear/EUR/invite": 15.0,
    }
    assert [each["linear"] for each in orders_of(state)[0]["credits"]] == [7.5, 7.5]


@pytest.mark.parametrize("is_early", [False, True])
def test_a_part_given_back_in_another_currency_takes_nothing_off_and_is_told(
    is_early: bool,
) -> None:
    state = SalesState()
    told_of = [a_purchase(), a_refund(amount=5.0, currency="USD")]
    effects = take(state, *(reversed(told_of) if is_early else told_of))
    [*_, row] = [e for e in effects if isinstance(e, PutOrder)]
    assert (row.refunded, state.revenue) == (0.0, 20.0)
    assert row.issue == "refund r1 is in USD, the order in EUR: nothing was taken off"
    assert orders_of(state)[0]["issue"] == row.issue
    assert figures_of(state)["unread"] == 1.0
    if not is_early:
        [*_, story] = [e for e in effects if isinstance(e, LogStory)]
        line = line_of("order.refunded", story.detail)
        assert "counts nothing (it is in USD, the order in EUR)" in line
        assert "20.00 EUR" in line
    take(state, a_refund("r2", 5.0, currency=""), a_refund("r3", 5.0))
    assert state.revenue == 10.0, "one that names no currency is in the order's"
    take(state, a_refund("r4", None, currency="USD"))
    assert state.revenue == 0.0, "the whole order is the whole order"


def test_currencies_are_never_added_up_also_of_orders_that_are_not_remembered_any_more() -> None:
    state = SalesState()
    for number in range(ORDERS_MAX + 10):
        bought = a_purchase(f"o{number}", START + number * MINUTE, value=1.0)
        bought.currency = ("EUR", "USD", "EUR", "")[number % 4]
        take(state, bought)
    take(state, a_refund(order_id=f"o{ORDERS_MAX + 9}", amount=1.0, currency="USD"))
    found = revenues(state)
    count = ORDERS_MAX + 10
    eur, usd, none = (len(range(n, count, 4)) for n in (0, 1, 3))
    eur += len(range(2, count, 4))
    assert found == {"": none, "EUR": eur, "USD": usd - 1}
    assert sum(found.values()) == state.revenue
    assert revenue_of(state) == {"revenue": eur, "revenues": found}
    figures = figures_of(state)
    assert {name: figures[name] for name in ("revenue/", "revenue/EUR", "revenue/USD")} == {
        "revenue/": none,
        "revenue/EUR": eur,
        "revenue/USD": usd - 1,
    }
    young = SalesState()
    take(young, a_purchase("y1", value=5.0))
    body = told(take(young, MergedInto(YOUNGER, START, ANN)), StateMerged)[0].state
    take(state, StateMerged(ANN, START, YOUNGER, body))
    assert revenues(state)["EUR"] == eur + 5.0


def test_what_was_summed_before_there_were_currencies_is_of_none() -> None:
    state = SalesState(orders_count=70, revenue=100.0)
    note_order(state, "o1", Order(20.0, START, counted=True, currency="EUR"))
    assert revenues(state) == {"": 100.0, "EUR": 20.0}


def test_an_order_whose_worth_could_not_be_read_says_so() -> None:
    bought = a_purchase(value=0.0)
    bought.issue = "total is no sum that can be read"
    state = SalesState()
    effects = take(state, bought)
    [row] = [each for each in effects if isinstance(each, PutOrder)]
    assert row.issue == orders_of(state)[0]["issue"] == bought.issue
    lines = [each for each in effects if isinstance(each, LogStory)]
    assert "order o1 counts nothing: total is no sum that can be read" in [
        line_of(each.kind, each.detail) for each in lines
    ]
    assert figures_of(state)["unread"] == 1.0


def test_refunds_never_take_more_than_the_order_was_worth() -> None:
    state = SalesState()
    take(state, a_purchase(), a_purchase("o2"), a_refund("r1", 15.0), a_refund("r2", 15.0))
    assert state.revenue == 20.0
    take(state, a_refund("r3", None))
    assert (state.revenue, orders_of(state)[0]["left"]) == (20.0, 0.0)


def test_a_refund_may_come_before_its_order() -> None:
    state = SalesState()
    [early] = take(state, a_refund())
    assert isinstance(early, LogStory)
    assert early.detail["left"] is None
    take(state, a_purchase())
    assert state.revenue == 15.0


def test_refunds_are_bounded_and_what_they_took_stays_taken() -> None:
    state = SalesState()
    take(state, a_purchase(value=1_000.0))
    take(state, *(a_refund(f"r{n:03}", 1.0) for n in range(REFUNDS_MAX + 10)))
    assert len(state.refunds) == REFUNDS_MAX
    assert state.revenue == orders_of(state)[0]["left"] == 1_000.0 - REFUNDS_MAX - 10


def test_a_state_of_the_first_layout_is_read() -> None:
    first = ({"o1": (20.0, START, True)}, 1, 20.0, [("s1", "lead", START, START)], {}, [])
    state = SalesBot().upgrade(1, msgspec.msgpack.encode(first))
    take(state, a_refund())
    assert (state.revenue, state.touches[0].send_id) == (15.0, "s1")
    with pytest.raises(ValueError, match="no layout 9"):
        SalesBot().upgrade(9, b"")


def test_names_of_orders_in_layout_3_are_known_yet() -> None:
    state = SalesState()
    old = msgspec.structs.replace(state, names=remember(b"", "o1", 0, 9)[TIME_BYTES:])
    found = SalesBot().upgrade(3, msgspec.msgpack.encode(old))
    assert is_known(found, "o1")
    assert not is_known(found, "o2")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_refund_that_failed_brings_its_amount_back_once(order: tuple[int, ...]) -> None:
    """Also where it is told before the refund itself, or before the order, and however often."""
    failed = msgspec.structs.replace(a_refund(), failed=True)
    told_of = [a_purchase(value=20.0), a_refund(), failed]
    state = SalesState()
    effects = take(state, *[told_of[each] for each in order], failed, a_refund())
    assert (state.revenue, left_of(state, "o1")) == (20.0, 20.0)
    rows = [each for each in effects if isinstance(each, PutOrder)]
    assert rows[-1].refunded == 0.0


def test_a_refund_that_failed_is_told_in_the_story() -> None:
    state = SalesState()
    take(state, a_purchase(value=20.0), a_refund())
    (_, story) = take(state, msgspec.structs.replace(a_refund(), failed=True))
    assert isinstance(story, LogStory)
    said = line_of(story.kind, story.detail)
    assert said == "order o1: giving 5.00 EUR back failed, 20.00 EUR and its credit are left"


@pytest.mark.parametrize("which", ["older", "younger"])
def test_whichever_of_two_visitors_heard_that_a_refund_failed_it_is_none(which: str) -> None:
    failed = msgspec.structs.replace(a_refund(), failed=True)
    older, younger = SalesState(), SalesState()
    take(older, a_purchase(value=20.0), a_refund())
    take(younger, a_refund())
    take(older if which == "older" else younger, failed)
    body = msgspec.msgpack.encode((VERSION, younger))
    take(older, StateMerged(ANN, START, YOUNGER, body))
    assert older.revenue == 20.0
