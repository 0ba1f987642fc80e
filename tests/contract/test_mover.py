"""Runs under way go over to a version that is published, or end, while every bot runs; memory and mongod alike."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from agents.protocol.bot import View
from agents.runtime.figures import standing_in
from agents.runtime.mover import DONE, MOVES, REPLACED, UNDER_WAY, Mover
from agents.runtime.passing import Ways
from agents.runtime.views import PUBLISHED
from config.load import DEFAULTS, compile_files, read_folder
from scripts.impact import came_of, impact, in_all
from scripts.rules import PublishedAlreadyError, publications, publish, push_files
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import (
    Failing,
    Fuse,
    Hasty,
    at_rest,
    known,
    through_every_fault,
    until,
)
from tests.house_builders import SHARDS, House, a_house
from tests.runtime_builders import Silent

PATH = "lead-to-customer"
PEOPLE = 12


def a_mover(house: House, keeping: Keeping, fuse: Fuse) -> Mover:
    ways = Ways(
        store=Failing(house.store, fuse),  # type: ignore[arg-type]
        journal=Failing(keeping.journal(), fuse),  # type: ignore[arg-type]
        peers=house,
        clock=Hasty(house),  # type: ignore[arg-type]
        shards=SHARDS,
        log=Silent(),
    )
    return Mover(ways, compile_files)


@asynccontextmanager
async def leads_on_version_1(keeping: Keeping) -> Any:
    async with a_house(keeping.store(), keeping.journal()) as house:
        files = read_folder(DEFAULTS)
        await push_files(house.store, files, at=house.clock.now(), by="up")
        await publish(house.store, 1, at=house.clock.now(), by="up")
        see(house, files, 1)
        for number in range(PEOPLE):
            traits = {"email": f"p{number}@example.com", "email_consent": True}
            await house.call("identify", f"b{number}", userId=f"u{number}", traits=traits)
        for number in range(PEOPLE):
            await until(lambda n=number: known(house, f"p{n}@example.com"))  # type: ignore[misc]
        await until(lambda: at_rest(house))
        yield house, files


def see(house: House, files: dict[str, str], version: int) -> None:
    """Let every shard see a version."""
    rules = compile_files(files, version)
    for shard in house.shards.values():
        view: View = shard._committer.view
        pinned = {**view.pinned, version: rules}
        new = msgspec.structs.replace(
            view, rules=rules, rules_version=version, pinned=pinned, publication=version
        )
        shard.set_view(new)


def changed(files: dict[str, str]) -> dict[str, str]:
    name = next(each for each in files if each.startswith("paths/"))
    return files | {name: files[name] + "# another version\n"}


async def stands(house: House) -> dict[int, int]:
    """Return version -> runs under way, and that wait for a person."""
    found: dict[int, int] = {}
    for (_, version, _), counts in standing_in(await house.store.figures("rules")).items():
        found[version] = found.get(version, 0) + sum(counts)
    return found


async def test_everybody_goes_over_and_the_count_is_exact_at_the_moment_of_publishing(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        assert await stands(house) == {1: PEOPLE}
        groups = await impact(house.store, 2)
        assert sum(group.runs for group in groups) == PEOPLE
        assert all(group.has_place for group in groups)
        assert await publish(house.store, 2, at=house.clock.now(), by="eve", runs="migrate")
        see(house, changed(files), 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {2: PEOPLE}
        move = await house.store.get_document(MOVES, "2")
        assert move is not None
        assert (move["status"], sum(move["told"].values())) == (DONE, PEOPLE)
        newest = (await publications(house.store))[0]
        assert (newest["version"], newest["by"], newest["runs"]) == (2, "eve", "migrate")
        assert sum(group["runs"] for group in newest["impact"]) == PEOPLE
        assert await a_mover(house, keeping, Fuse()).look() == 0, "it is done"


async def test_a_move_that_fails_at_any_call_is_gone_on_with(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve", runs="exit")
        see(house, changed(files), 2)
        await through_every_fault(lambda fuse: a_mover(house, keeping, fuse))
        assert await stands(house) == {}
        move = await house.store.get_document(MOVES, "2")
        assert move is not None
        assert (move["status"], sum(move["told"].values())) == (DONE, PEOPLE)


async def test_who_publishes_again_replaces_what_was_not_done(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve", runs="exit")
        mover = a_mover(house, keeping, Fuse())
        last = await house.store.get_document(*PUBLISHED)
        await publish(house.store, 1, at=house.clock.now(), by="ann", instead_of=2)
        assert last is not None
        job = {"id": "2", "version": 2, "action": "exit", "by": "eve", "told": {}, "telling": []}
        job |= {"groups": {}, "at": last["at"]}
        await mover._move(job)
        move = await house.store.get_document(MOVES, "2")
        assert move is not None
        assert move["status"] == REPLACED
        assert await mover.look() == 0
        assert await stands(house) == {1: PEOPLE}
        listed = await publications(house.store)
        assert [each["version"] for each in listed] == [1, 2, 1]
        replaced = "nobody was moved, then another version was published"
        assert [came_of(each) for each in listed] == ["", replaced, ""]


async def test_of_two_who_publish_at_once_one_is_told(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        assert await publish(house.store, 2, at=house.clock.now(), by="eve", instead_of=1)
        assert not await publish(house.store, 2, at=house.clock.now(), by="ann", instead_of=1)


async def test_who_publishes_what_is_published_voids_no_move(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve", runs="migrate")
        now = house.clock.now()
        for instead_of in (2, None):
            with pytest.raises(PublishedAlreadyError, match="version 2 is published already"):
                await publish(house.store, 2, at=now, by="ann", instead_of=instead_of)
        assert [each["number"] for each in await publications(house.store)] == [2, 1]
        see(house, changed(files), 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {2: PEOPLE}


async def test_each_group_becomes_what_was_chosen_for_it_and_everybody_is_counted(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        for number in range(6):
            await house.call("track", f"b{number}", event="Product Added", properties={"price": 3})
        await until(lambda: at_rest(house))
        new = {name: text.replace("- name: cart", "- name: basket") for name, text in files.items()}
        await push_files(house.store, new, at=house.clock.now(), by="eve")
        counts = {each.stage: each.runs for each in await impact(house.store, 2)}
        assert counts == {"invited": PEOPLE - 6, "cart": 6}
        groups = {f"{PATH}/1/cart": "exit"}
        row = await publish(
            house.store, 2, at=house.clock.now(), by="eve", runs="migrate", groups=groups
        )
        assert row is not None
        assert in_all(row["impact"], "migrate") == {"stay": 0, "migrate": PEOPLE - 6, "exit": 6}
        see(house, new, 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {2: PEOPLE - 6}
        move = await house.store.get_document(MOVES, "2") or {}
        assert move["told"] == {f"{PATH}/invited": PEOPLE - 6, f"{PATH}/cart": 6}
        assert (move["left"], move["stay"]) == ({f"{PATH}/cart": 6}, {})
        newest = (await publications(house.store))[0]
        assert came_of(newest) == f"{PEOPLE - 6} went over, 6 left"


async def test_where_all_stay_one_group_may_go_over_and_the_others_are_left_alone(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await house.call("track", "b0", event="Product Added", properties={"price": 3})
        await until(lambda: at_rest(house))
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        groups = {f"{PATH}/1/cart": "migrate"}
        await publish(house.store, 2, at=house.clock.now(), by="eve", groups=groups)
        see(house, changed(files), 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {1: PEOPLE - 1, 2: 1}
        move = await house.store.get_document(MOVES, "2") or {}
        assert move["stay"] == {f"{PATH}/invited": PEOPLE - 1}


async def stories(house: House, kind: str) -> Counter[tuple[str, int]]:
    """Return (stage, version that was published) -> how many stories say so."""
    rows = await house.store.rows("story", {"kind": kind}, limit=1000)
    return Counter((row["detail"]["stage"], row["detail"]["version"]) for row in rows)


async def test_who_stays_by_choice_is_told_once_and_nobody_else(keeping):
    """All stay, and of those at the cart that was chosen: there is nothing to move, and something to tell."""
    async with leads_on_version_1(keeping) as (house, files):
        for number in range(3):
            await house.call("track", f"b{number}", event="Product Added", properties={"price": 3})
        await until(lambda: at_rest(house))
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        groups = {f"{PATH}/1/cart": "stay"}
        await publish(house.store, 2, at=house.clock.now(), by="eve", groups=groups)
        see(house, changed(files), 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {1: PEOPLE}
        assert await stories(house, "run.stayed") == {("cart", 2): 3}
        move = await house.store.get_document(MOVES, "2") or {}
        assert (move["status"], move["told"], move["left"]) == (DONE, {}, {})
        assert move["stay"] == {f"{PATH}/cart": 3, f"{PATH}/invited": PEOPLE - 3}
        assert await a_mover(house, keeping, Fuse()).look() == 0, "it is done"


async def test_who_has_no_place_to_go_over_to_is_told_and_not_counted_as_moved(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await house.call("track", "b0", event="Product Added", properties={"price": 3})
        await until(lambda: at_rest(house))
        new = {name: text.replace("- name: cart", "- name: basket") for name, text in files.items()}
        await push_files(house.store, new, at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve", runs="migrate")
        see(house, new, 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {1: 1, 2: PEOPLE - 1}
        assert await stories(house, "run.stayed") == {("cart", 2): 1}
        move = await house.store.get_document(MOVES, "2") or {}
        assert move["told"] == {f"{PATH}/invited": PEOPLE - 1}
        assert move["stay"] == {f"{PATH}/cart": 1}


async def test_what_was_published_before_groups_could_be_chosen_goes_on(keeping):
    """A publication of the version before, and a move that it had begun: one choice for all, and no word of groups."""
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        row = await publish(house.store, 2, at=house.clock.now(), by="eve", runs="exit")
        assert row is not None
        old = {name: value for name, value in row.items() if name != "groups"}
        old["impact"] = [
            {name: value for name, value in each.items() if name not in ("choice", "why_not")}
            for each in row["impact"]
        ]
        await house.store.put_document(*PUBLISHED, old)
        assert in_all(old["impact"], old["runs"])["exit"] == PEOPLE
        begun = {name: row[name] for name in ("version", "at", "by")}
        begun |= {"action": "exit", "status": UNDER_WAY, "told": {f"{PATH}/invited": 3}}
        visitors = await house.store.visitors("rules", "", 3)
        begun["telling"] = [(each, PATH, "1") for each in visitors]
        await house.store.put_document(MOVES, "2", begun)
        see(house, changed(files), 2)
        assert await a_mover(house, keeping, Fuse()).look() == 1
        assert await stands(house) == {}
        move = await house.store.get_document(MOVES, "2") or {}
        assert move["told"] == move["left"] == {f"{PATH}/invited": PEOPLE}
