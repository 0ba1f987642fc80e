"""The demo's audience: it takes every row, keeps within its shop, lives alike for one seed, and does not grow."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from learning.audience.cast import A_DAY, CAST, GONE, LEAVES, OPENS, OTHERS, ROLES
from learning.audience.chance import Chance
from learning.audience.crowd import Act, Click, Crowd, Import, Leave, MailSeen, Open, Scan
from learning.audience.shopping import PLANS, PRODUCTS, Fill, Look, Tell, View, visit
from messaging.gateway.shop import products, shop_assets

START = datetime(2026, 11, 23, 6, tzinfo=UTC)
FORM = {
    "id": "e-1",
    "type": "opinion_form",
    "trigger": "now",
    "content": {
        "fields": [
            {"name": "wants", "kind": "choice", "options": ["The price", "Just looking"]},
            {"name": "remark", "kind": "text"},
        ]
    },
}
EXIT = {"id": "e-2", "type": "exit_offer", "trigger": "exit", "content": {}}


def live(crowd: Crowd, days: float, mails_a_day: float = 0.0, start: datetime = START) -> list[Act]:
    """Let a crowd live; whoever is known by an address gets so many e-mails a day."""
    acts: list[Act] = []
    known: list[str] = []
    next_mail = start + timedelta(hours=1)
    while crowd.due() < start + timedelta(days=days):
        if mails_a_day and crowd.due() > next_mail:
            for address in known:
                crowd.deliver(a_mail(address, next_mail))
            next_mail += timedelta(days=1 / mails_a_day)
        act = crowd.next()
        if act is None:
            continue
        acts.append(act)
        if isinstance(act.do, Import | Fill) and act.member.address not in known:
            known.append(act.member.address)
    return acts


def a_mail(address: str, at: datetime) -> MailSeen:
    pixel, leave = f"http://gate/o/{address}.gif", f"http://gate/u/{address}"
    links = tuple(f"http://gate/c/{address}-{each}" for each in range(3))
    return MailSeen(address, at, "Good to meet you", pixel, links, leave)


def a_look(*, leaving: bool = False) -> tuple[Crowd, Act]:
    crowd = Crowd(1, START)
    for act in live(crowd, 3.0):
        if isinstance(act.do, Look):
            return crowd, msgspec.structs.replace(act, do=Look(leaving))
    raise AssertionError("nobody looked")


def test_it_buys_what_the_shop_sells_at_its_prices() -> None:
    assert {each.id: each.price for each in products()} == PRODUCTS


@pytest.mark.parametrize("plan", PLANS)
def test_a_visit_keeps_to_pages_that_are_there_and_to_one_session(plan: str) -> None:
    there = {path for path, _ in shop_assets("key")}
    for seed in range(20):
        steps = visit(plan, Chance(seed), "o-1")
        assert {do.path for _, do in steps if isinstance(do, View)} <= there
        assert all(0 < minutes < 15 for minutes, _ in steps)
        orders = [do for _, do in steps if isinstance(do, Tell) and do.event == "Order Completed"]
        assert len(orders) == (plan == "buys")


def test_who_looks_up_has_given_the_page_before_the_time_to_bring_something_about() -> None:
    for plan in PLANS:
        assert all(m > 4 for m, do in visit(plan, Chance(plan), "o") if isinstance(do, Look))


def test_every_role_has_answers_that_exist_and_every_cast_has_a_role() -> None:
    answers = {a for role in ROLES.values() for a in role.answers.values()}
    assert answers <= {*PLANS, OPENS, LEAVES}
    assert {role.comes for role in ROLES.values()} <= {*PLANS, ""}
    assert {*CAST, *OTHERS} == set(ROLES)


def test_the_cast_takes_every_row_that_an_audience_can_take() -> None:
    acts = live(Crowd(1, START), 6.0, mails_a_day=0.5)
    done = {type(act.do) for act in acts}
    assert {Import, View, Tell, Fill, Look, Open, Scan, Click, Leave} <= done
    events = Counter(act.do.event for act in acts if isinstance(act.do, Tell))
    assert events["Product Added"] > events["Order Completed"] > 0
    assert any(act.member.address.endswith(f"@{GONE}") for act in acts)
    silent = {a.member.number for a in acts if isinstance(a.do, Import)}
    silent -= {a.member.number for a in acts if isinstance(a.do, Open) and "Gecko" in a.do.agent}
    assert silent, "somebody never opens anything"


def test_one_seed_gives_one_life_and_another_seed_another() -> None:
    first, same, other = (live(Crowd(seed, START), 4.0, mails_a_day=1.0) for seed in (1, 1, 2))
    assert first == same
    assert {a.member.address for a in first} != {a.member.address for a in other}


def test_a_later_crowd_has_nobody_of_an_earlier_one() -> None:
    first, second = Crowd(1, START), Crowd(1, START, 1_000)
    ids = [{act.id for act in live(crowd, 3.0)} for crowd in (first, second)]
    assert not ids[0] & ids[1]
    assert first.next_number < 1_000 < second.next_number


def test_so_many_come_a_day_and_who_had_their_time_is_forgotten() -> None:
    crowd = Crowd(1, START)
    live(crowd, 60.0)
    at_first, came = len(crowd), crowd.next_number
    live(crowd, 90.0)
    assert crowd.next_number - came == 30 * A_DAY
    assert len(crowd) <= at_first
    assert len(crowd) == 40 * A_DAY


def test_a_mail_to_nobody_is_lost_and_one_to_somebody_forgotten_too() -> None:
    crowd = Crowd(1, START)
    crowd.deliver(a_mail("nobody@people.example", START))
    live(crowd, 1.0)
    somebody = next(iter(crowd._lives.values())).member.address
    live(crowd, 60.0)
    before = crowd.due()
    crowd.deliver(a_mail(somebody, START + timedelta(days=60)))
    assert crowd.due() == before


def test_who_bought_or_left_is_not_moved_by_further_mail() -> None:
    acts = live(Crowd(1, START), 30.0, mails_a_day=0.3)
    left = {act.member.number: act.at for act in acts if isinstance(act.do, Leave)}
    assert left
    for act in acts:
        if act.member.number in left and isinstance(act.do, Click | Leave):
            assert act.at <= left[act.member.number]


def test_a_form_is_answered_with_what_it_offers() -> None:
    crowd, look = a_look()
    found = [
        crowd.answer(msgspec.structs.replace(look, id=str(number)), [FORM]) for number in range(50)
    ]
    sent = [each for each in found if each is not None and each.response == "submitted"]
    assert {each.answers["wants"] for each in sent} == {"The price", "Just looking"}
    assert all(set(each.answers) == {"wants"} for each in sent)


def test_the_offer_on_the_way_out_is_seen_only_there() -> None:
    crowd, look = a_look()
    assert crowd.answer(look, [EXIT]) is None
    assert crowd.answer(look, []) is None
    crowd, look = a_look(leaving=True)
    found = crowd.answer(look, [FORM, EXIT])
    assert found is not None
    assert found.offer == "e-2"
