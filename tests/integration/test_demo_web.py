"""The demo's made-up social web, asked by the real look-ups under the settings that the demo makes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from agents.social_bot.facts import facts_of
from config.settings import Settings, look_ups_stay_here, read_settings, web_look_ups
from learning.audience.cast import Member
from learning.audience.crowd import Crowd
from learning.audience.presence import presence_of
from messaging.vocabulary.plans import Finding
from scripts.compose import look_up_places
from scripts.compose import web_look_ups as web_look_ups_of
from scripts.demo import SEED, Demo, with_demo
from scripts.presences import made_up
from tests.social_servers import Clock

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
SOURCES = ["gravatar", "activitypub"]


class Later(Clock):
    """Be at the end of the first days."""

    def now(self) -> datetime:
        return START + timedelta(days=6)


def a_crowd(people: int = 40) -> Crowd:
    crowd = Crowd(SEED, START)
    while len(crowd) < people:
        crowd.next()
    return crowd


@asynccontextmanager
async def a_demo(crowd: Crowd | None, **given: Any) -> AsyncIterator[Settings]:
    """Give the settings under which Social runs in a demo."""
    settings = with_demo(read_settings(Path("/nonexistent"), **given), START)
    async with AsyncExitStack() as stack:
        demo = Demo(settings, [].append)
        woven = await demo.weave(stack, settings)
        if crowd is not None:
            demo._web.live(crowd)
        yield woven


async def looked_up(settings: Settings, *addresses: str) -> list[list[Finding]]:
    look_ups = web_look_ups_of(look_up_places(settings), Later())
    try:
        return [await look_ups.look_up(address, SOURCES) for address in addresses]
    finally:
        await look_ups.close()


def expected(member: Member) -> list[str]:
    """Return presence and profile as they must come out."""
    known = presence_of(SEED, member.number)
    has_account = bool(known.account) and not known.fails
    if not known.has_profile and not has_account:
        return ["" if known.fails else "none", ""]
    if has_account and known.account == "Organization":
        return ["found", "organization"]
    if known.job:
        return ["found", "professional"]
    if has_account and known.account == "Service":
        return ["found", "automated"]
    return ["found", "personal"]


async def test_what_is_public_of_each_comes_out_and_of_all_kinds_there_are_some() -> None:
    crowd = a_crowd()
    members = crowd.members()
    async with a_demo(crowd) as settings:
        found = await looked_up(settings, *(member.address for member in members))
    facts = [facts_of(findings, Later().now()) for findings in found]
    assert [each[:2] for each in facts] == [expected(member) for member in members]
    assert {each[0] for each in facts} == {"found", "none", ""}
    assert len({each[1] for each in facts}) >= 4
    assert len({each[2] for each in facts}) >= 3, "active, seldom, and not known"


async def test_a_simulation_hears_of_made_up_people_what_the_web_would_have_told() -> None:
    """`scripts.presences` stands for the web: the same findings but for whom it took to ask."""
    members = a_crowd().members()
    async with a_demo(a_crowd()) as settings:
        found = await looked_up(settings, *(member.address for member in members))
    for member, findings in zip(members, found, strict=True):
        told = [msgspec.structs.replace(each, hosts=[]) for each in findings]
        known = presence_of(SEED, member.number)
        assert made_up(known, member.person.joins_at, Later().now()) == told


async def test_of_who_is_not_in_the_audience_nobody_else_is_asked() -> None:
    async with a_demo(a_crowd()) as settings:
        [findings] = await looked_up(settings, "ann@real.example")
    assert [each.outcome for each in findings] == ["nobody", "nobody"]
    assert {host for each in findings for host in each.hosts} == {"127.0.0.1"}


async def test_before_the_audience_lives_and_after_its_end_there_is_no_answer() -> None:
    """A "nobody" would be believed for a week."""
    async with a_demo(None) as settings:
        [findings] = await looked_up(settings, "ann@people.example")
        assert {each.outcome for each in findings} == {"failed"}
    [findings] = await looked_up(settings, "ann@people.example")
    assert {each.outcome for each in findings} == {"failed"}


async def test_the_settings_reach_this_machine_alone_and_may_start() -> None:
    async with a_demo(None) as settings:
        assert settings.social
        assert look_ups_stay_here(settings)
        assert not web_look_ups(settings, demo=True)
        [allowed] = settings.social_allow
        assert allowed.startswith("127.0.0.1:")
        async with aiohttp.ClientSession() as session:
            url = f"http://{allowed}/people/1000000"
            async with session.get(url) as answer:
                assert answer.status == 500
    assert look_up_places(settings).stays_here


async def test_who_said_whether_social_runs_is_left_alone() -> None:
    async with a_demo(None, social=False) as settings:
        assert not settings.social
        assert not settings.social_allow
    async with a_demo(None, ray_address="10.0.0.1:6379") as settings:
        assert not settings.social, "its actors may run where this machine's loopback is another's"
