"""How e-mails are taken: sums by day and domain, what is too many, and sums that are made seldom."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Unavailable
from scripts.deliverability import DOMAINS_MAX, OTHERS, Deliverability, delivered
from scripts.refused import LINES_MAX, refused
from scripts.resting import OLD_SECONDS
from tests.gateway_builders import NOON, StillClock

TODAY = f"{NOON:%Y-%m-%d}"


def sums_of(domain: str = "mail.example", **counts: int) -> dict[tuple[object, ...], int]:
    """Return sums of one day and domain: status -> e-mails; `left`: unsubscribed by one that was handed over."""
    left = counts.pop("left", 0)
    found: dict[tuple[object, ...], int] = {
        (TODAY, domain, status.replace("_", " "), False, False, False): n
        for status, n in counts.items()
    }
    if left:
        found[TODAY, domain, "handed over", True, False, False] = left
    return found


def test_every_email_is_counted_once_and_who_left_beside_it() -> None:
    sums = sums_of(handed_over=90, bounced=4, complained=3, uncertain=2, left=1)
    now = delivered(sums, {}, {}, NOON)
    assert len(now.days) == 30
    assert now.days[-1].name == TODAY
    day = now.days[-1]
    assert (day.sent, day.handed, day.bounced, day.complained) == (100, 91, 4, 3)
    assert (day.uncertain, day.left) == (2, 1)
    assert day.sent == day.handed + day.bounced + day.complained + day.uncertain
    assert sum(each.sent for each in now.days) == now.whole.sent == now.domains[0].sent


def test_what_people_answered_is_told_for_each_day_and_domain() -> None:
    sums = sums_of(handed_over=90)
    sums |= {
        (TODAY, "mail.example", "handed over", False, True, False): 6,
        (TODAY, "mail.example", "handed over", True, True, True): 3,
        (
            TODAY,
            "mail.example",
            "handed over",
            False,
            None,
            None,
        ): 1,  # of before answers were noted
    }
    now = delivered(sums, {}, {}, NOON)
    for taken in (now.whole, now.days[-1], now.domains[0]):
        assert (taken.sent, taken.opened, taken.clicked, taken.left) == (100, 9, 3, 3)
    assert sum(each.opened for each in now.days) == 9


def test_what_is_too_many_is_said_with_what_to_do_and_few_are_not_judged() -> None:
    good = delivered(sums_of(handed_over=10_000, bounced=10, complained=3), {}, {}, NOON)
    assert good.advice == []
    bad = delivered(sums_of(handed_over=900, bounced=60, complained=2), {}, {}, NOON)
    assert [each.level for each in bad.advice] == ["wrong", "look"]
    assert "double-opt-in" in bad.advice[0].do
    few = delivered(sums_of(handed_over=1, bounced=50), {}, {}, NOON)
    assert few.advice == []


def test_a_provider_that_alone_takes_them_badly_is_named() -> None:
    sums = sums_of(handed_over=10_000) | sums_of("bad.example", handed_over=180, bounced=20)
    [advice] = delivered(sums, {}, {}, NOON).advice
    assert "bad.example" in advice.what
    assert "SPF" in advice.do


def test_of_many_providers_the_largest_are_named_and_none_is_lost() -> None:
    sums: dict[tuple[object, ...], int] = {}
    for number in range(40):
        sums |= sums_of(f"{number}.example", handed_over=number + 1)
    now = delivered(sums, {}, {}, NOON)
    assert len(now.domains) == DOMAINS_MAX + 1
    assert now.domains[0].name == "39.example"
    assert now.domains[-1].name == OTHERS
    assert sum(each.sent for each in now.domains) == sum(range(1, 41))


def test_machines_are_told_from_people() -> None:
    figures = {"answers/mail_opened": 10.0, "answers_by_people/mail_opened": 4.0}
    opened, clicked = delivered({}, figures, {"unsubscribed": 2}, NOON).answers
    assert (opened.every, opened.by_people, clicked.every) == (10, 4, 0)


def refusals_of(reason: str, number: int, template: str = "hello") -> tuple[object, ...]:
    return template, reason, number, NOON, "v1"


def test_a_template_that_fails_for_some_readers_is_named_with_how_often_and_what_to_do() -> None:
    found = [
        refusals_of("no consent", 900),
        refusals_of("template: divided_by: can't divide by 0", 130),
        refusals_of("template: 'x' is undefined", 6),
    ]
    now = delivered(sums_of(handed_over=900), {}, {}, NOON, refused(found))
    [advice] = now.advice
    assert advice.level == "wrong"
    assert "136 e-mails" in advice.what
    assert "hello" in advice.what
    assert "divided_by: can't divide by 0" in advice.do
    assert (advice.template, advice.visitor) == ("hello", "v1")
    assert now.refused_count == 1_036
    told = [(each.why, each.number, each.fails) for each in now.refused]
    assert told == [
        ("the template failed: divided_by: can't divide by 0", 130, True),
        ("the template failed: 'x' is undefined", 6, True),
        ("the visitor has not agreed to it", 900, False),
    ]
    assert now.whole.sent == 900, "what no server saw was not sent"


def test_of_many_refusals_some_are_named_and_all_are_counted() -> None:
    found = [refusals_of(f"template: {n}", n + 1, f"t{n}") for n in range(60)]
    now = delivered({}, {}, {}, NOON, refused(found))
    assert len(now.refused) == LINES_MAX
    assert now.refused[0].number == 60
    assert now.refused_count == sum(range(1, 61))
    assert [each.template for each in now.advice] == ["t59", "t58", "t57", "t56", "t55"]


async def test_what_is_refused_is_summed_up_over_the_same_days() -> None:
    store = MemoryStore(MemoryDatabase())
    for days, name in ((0, "new"), (29, "last"), (31, "old")):
        row = {"status": "refused", "template": name, "reason": "no consent", "visitor": "v"}
        await store.put_document("sends", name, {**row, "at": NOON - timedelta(days=days)})
    now = await Deliverability(store, StillClock()).now()
    assert [each.template for each in now.refused] == ["last", "new"]


class Counting(MemoryStore):
    """Count how often the ledger is summed up; fail once it is told to."""

    sums = 0
    fails = False

    async def tallies(self, *asked):
        self.sums += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Unavailable("no answer")
        return await super().tallies(*asked)


class Machine(StillClock):
    """Tell the machine time that it was set to."""

    seconds = 0.0

    def machine(self) -> float:
        return self.seconds


async def test_however_many_look_it_is_summed_up_once_and_anew_after_a_rest() -> None:
    store, clock = Counting(MemoryDatabase()), Machine()
    summed = Deliverability(store, clock)
    first = await asyncio.gather(*(summed.now() for _ in range(20)))
    assert (store.sums, len({id(each) for each in first})) == (1, 1)
    clock.seconds += 4.0
    await summed.now()
    assert store.sums == 1
    clock.seconds += 4.0
    clock.world += timedelta(hours=1)
    old = await summed.now()
    assert old.as_of == first[0].as_of, "whoever comes then does not wait"
    await asyncio.sleep(0.01)
    assert (await summed.now()).as_of != old.as_of
    assert store.sums == 2


async def test_who_looks_after_long_gets_no_numbers_of_the_last_look() -> None:
    store, clock = Counting(MemoryDatabase()), Machine()
    summed = Deliverability(store, clock)
    first = await summed.now()
    clock.seconds += OLD_SECONDS + 1.0
    clock.world += timedelta(hours=9)
    assert (await summed.now()).at == first.at + timedelta(hours=9)
    # Where they cannot be made anew, the old ones are told, and say of when they are.
    store.fails = True
    clock.seconds += OLD_SECONDS + 1.0
    clock.world += timedelta(hours=1)
    assert (await summed.now()).at == first.at + timedelta(hours=9)


async def test_where_the_store_does_not_answer_the_last_sums_stay_with_their_moment() -> None:
    store, clock = Counting(MemoryDatabase()), Machine()
    summed = Deliverability(store, clock)
    first = await summed.now()
    store.fails = True
    for _ in range(3):
        clock.seconds += 20.0
        assert await summed.now() is first
        await asyncio.sleep(0.01)
    assert store.sums == 4
