"""Runs under way go over to a version that is published, or end, while every bot runs; memory and mongod alike."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.runtime.figures import standing_in
from agents.runtime.mover import DONE, MOVES, REPLACED, Mover
from agents.runtime.passing import Ways
from agents.runtime.views import PUBLISHED
from config.load import DEFAULTS, compile_files, read_folder
from messaging.vocabulary.errors import Unavailable
from scripts.rules import impact, publications, publish, push_files
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import Failing, Fuse, Hasty, at_rest, known, until
from tests.house_builders import SHARDS, House, a_house
from tests.runtime_builders import Silent

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
        for call in range(1, 200):
            fuse = Fuse()
            fuse.left = call
            try:
                if not await a_mover(house, keeping, fuse).look():
                    break
            except Unavailable:
                continue
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
        await mover._move(job)
        move = await house.store.get_document(MOVES, "2")
        assert move is not None
        assert move["status"] == REPLACED
        assert await mover.look() == 0
        assert await stands(house) == {1: PEOPLE}
        assert [each["version"] for each in await publications(house.store)] == [1, 2, 1]


async def test_of_two_who_publish_at_once_one_is_told(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, changed(files), at=house.clock.now(), by="eve")
        assert await publish(house.store, 2, at=house.clock.now(), by="eve", instead_of=1)
        assert not await publish(house.store, 2, at=house.clock.now(), by="ann", instead_of=1)
