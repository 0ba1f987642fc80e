"""The demo's driver: the world waits for it, one after the other for each member, and a failure is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from learning.audience.cast import make_member
from learning.audience.crowd import Act, Import
from learning.audience.people import make_person
from learning.audience.shopping import View
from messaging.mail.compose import Sender, TemplateText, compose
from messaging.vocabulary.plans import SendPlan
from scripts.demo_driver import AT_ONCE_MAX, Driver, read_mail
from tests.gateway_builders import StillClock, until

START = datetime(2026, 11, 23, 6, tzinfo=UTC)
LATER = START + timedelta(days=1)


class Listed:
    """Be a crowd of listed acts, and of somebody who comes a day later."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)

    def due(self) -> datetime:
        return self.acts[0].at if self.acts else LATER

    def next(self) -> Act | None:
        return self.acts.pop(0)


class Slow:
    """Do each act when it is let."""

    def __init__(self, act: Callable[[Act], None] = lambda _: None) -> None:
        self.gate = asyncio.Event()
        self.begun: list[str] = []
        self.done: list[str] = []
        self.act = act

    async def do(self, act: Act) -> None:
        self.begun.append(act.id)
        await self.gate.wait()
        self.act(act)
        self.done.append(act.id)


def an_act(number: int, minutes: float, name: str = "") -> Act:
    at = START + timedelta(minutes=minutes)
    member = make_member(1, number, number, make_person(1, number, at, timedelta(0)))
    return Act(at, member, View("/") if name else Import(), name or f"{number}")


async def driven(crowd: Any, browser: Any, clock: Any) -> tuple[Driver, asyncio.Task[None]]:
    driver = Driver(crowd, browser, clock)
    return driver, asyncio.create_task(driver.run())


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_done_before_its_time_and_the_clock_is_told_what_comes() -> None:
    crowd, browser, clock = Listed(an_act(1, 5)), Slow(), StillClock(START)
    driver, task = await driven(crowd, browser, clock)
    await asyncio.sleep(0.05)
    assert not browser.begun
    assert (driver.report().held_since, driver.report().next_due) == (None, crowd.due())
    clock.world = START + timedelta(minutes=5)
    await until(lambda: browser.begun)
    await ended(task)


async def test_what_was_done_between_two_reports_is_in_the_second() -> None:
    """Else the gateway would be asked too early, the driver too late, and the clock went past both."""
    crowd, browser, clock = Listed(an_act(1, 0)), Slow(), StillClock(START)
    browser.gate.set()
    driver, task = await driven(crowd, browser, clock)
    await until(lambda: browser.done)
    assert driver.report().held_since == START
    assert driver.report().held_since is None
    await ended(task)


async def test_what_takes_long_holds_the_clock_for_as_long() -> None:
    crowd, browser, clock = Listed(an_act(1, 0)), Slow(), StillClock(START)
    driver, task = await driven(crowd, browser, clock)
    await until(lambda: browser.begun)
    assert [driver.report().held_since for _ in range(3)] == [START] * 3
    browser.gate.set()
    await until(lambda: browser.done)
    driver.report()
    assert driver.report().held_since is None
    await ended(task)


async def test_one_after_the_other_for_each_and_side_by_side_for_many() -> None:
    acts = [an_act(1, 0, "1 first"), an_act(1, 0, "1 second"), an_act(2, 0, "2 first")]
    browser = Slow()
    _, task = await driven(Listed(*acts), browser, StillClock(START))
    await until(lambda: len(browser.begun) == 2)
    await asyncio.sleep(0.03)
    assert browser.begun == ["1 first", "2 first"]
    browser.gate.set()
    await until(lambda: len(browser.done) == 3)
    assert browser.done.index("1 first") < browser.done.index("1 second")
    await ended(task)


async def test_no_more_than_so_many_at_once() -> None:
    browser = Slow()
    crowd = Listed(*(an_act(number, 0) for number in range(3 * AT_ONCE_MAX)))
    _, task = await driven(crowd, browser, StillClock(START))
    await until(lambda: len(browser.begun) == AT_ONCE_MAX)
    await asyncio.sleep(0.05)
    assert len(browser.begun) == AT_ONCE_MAX
    browser.gate.set()
    await until(lambda: len(browser.done) == 3 * AT_ONCE_MAX)
    await ended(task)


async def test_an_act_that_fails_stops_nobody_and_an_ended_driver_holds_nothing() -> None:
    def fails(act: Act) -> None:
        if act.member.number == 1:
            raise RuntimeError("no such thing")

    browser = Slow(fails)
    browser.gate.set()
    driver, task = await driven(Listed(an_act(1, 0), an_act(2, 0)), browser, StillClock(START))
    await until(lambda: browser.done == ["2"])
    await until(lambda: not driver._under_way)
    driver.end()
    assert (driver.report().held_since, driver.report().next_due) == (None, None)
    await ended(task)


def test_a_mail_is_read_as_its_reader_has_it() -> None:
    template = TemplateText(
        "Grüße",
        "",
        '<body><a href="{{ shop_url }}">a</a> <a href="{{ shop_url }}">b</a>',
        "Hi",
    )
    raw = compose(
        template,
        {},
        plan=SendPlan("s1", "p", "1", "new", "first", 1, "t", 1, START, "shop"),
        visitor="0a" * 12,
        address="ada@people.example",
        sender=Sender("Plain Things", "hello@shop.example", "http://127.0.0.1:8080"),
        postal_address="",
        public_url="http://127.0.0.1:8080",
        secret=b"a secret of the tests",
        date=START,
    )
    mail = read_mail(raw)
    assert (mail.address, mail.subject, mail.at) == ("ada@people.example", "Grüße", START)
    assert len(mail.links) == 1, "one address that stands twice is one link"
    assert mail.links[0].startswith("http://127.0.0.1:8080/c/")
    assert mail.pixel.startswith("http://127.0.0.1:8080/o/")
    assert mail.leave.startswith("http://127.0.0.1:8080/u/")


def test_a_mail_without_html_is_read_too() -> None:
    mail = read_mail(b"To: a@b.example\r\nDate: Mon, 23 Nov 2026 13:05:00 +0000\r\n\r\nHi\r\n")
    assert (mail.pixel, mail.links, mail.leave) == ("", (), "")
