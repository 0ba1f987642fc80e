"""A purchase ends the runs of who stands on a version whose goal it was, though the newest one has another."""

from __future__ import annotations

from typing import Any

import pytest

from agents.runtime.views import ViewLoader, ViewSettings
from config.load import compile_files
from scripts.rules import publish, push_files
from tests.contract.test_erasure import at_rest, known, until
from tests.contract.test_mover import PEOPLE, leads_on_version_1, stands
from tests.house_builders import House

BOOKED = "Demo Booked"
ORDER = {"order_id": "o-1", "total": 20, "currency": "EUR"}


async def see_what_is_published(house: House) -> ViewLoader:
    loader = ViewLoader(house.store, ViewSettings(mailbox=lambda address: address), compile_files)
    view = await loader.load()
    for shard in house.shards.values():
        shard.set_view(view)
    return loader


def path_file(files: dict[str, str]) -> str:
    return next(name for name in files if name.startswith("paths/"))


def another_goal(files: dict[str, str]) -> dict[str, str]:
    name = path_file(files)
    assert "goal: [Order Completed]" in files[name]
    return files | {name: files[name].replace("goal: [Order Completed]", f"goal: [{BOOKED}]")}


def renamed(files: dict[str, str]) -> dict[str, str]:
    """Return a version in which the path is gone, and another one is there."""
    name = path_file(files)
    rest = {each: text for each, text in files.items() if each != name}
    return rest | {"paths/another.yaml": another_goal(files)[name]}


async def thanked(house: House) -> list[dict[str, Any]]:
    return await house.store.rows("sends", {"success": True}, limit=100)


async def stand(house: House, wanted: dict[int, int]) -> bool:
    return await stands(house) == wanted


@pytest.mark.parametrize("change", [another_goal, renamed])
async def test_who_stays_on_a_version_leaves_it_by_its_own_goal(keeping, change):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, change(files), at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve")
        loader = await see_what_is_published(house)
        await house.call(
            "track", "b0", userId="u0", event="Order Completed", properties=dict(ORDER)
        )
        await until(lambda: stand(house, {1: PEOPLE - 1}))
        await until(lambda: at_rest(house))
        [send] = await thanked(house)
        assert (send["path"], send["rules_version"]) == (path_file(files)[6:-5], 1)
        # A replay sees what the batch saw.
        view = await loader.at(2, {}, "state=1 publication=2")
        assert view.older_goals == {"Order Completed": {send["path"]: (1,)}}


async def test_who_enters_by_the_newest_version_stays_until_its_goal(keeping):
    async with leads_on_version_1(keeping) as (house, files):
        await push_files(house.store, another_goal(files), at=house.clock.now(), by="eve")
        await publish(house.store, 2, at=house.clock.now(), by="eve")
        await see_what_is_published(house)
        traits = {"email": "new@example.com", "email_consent": True}
        await house.call("identify", "new", userId="new", traits=traits)
        await until(lambda: known(house, "new@example.com"))
        await until(lambda: stand(house, {1: PEOPLE, 2: 1}))
        await house.call(
            "track", "new", userId="new", event="Order Completed", properties=dict(ORDER)
        )
        await until(lambda: at_rest(house))
        assert await stands(house) == {1: PEOPLE, 2: 1}
        assert await thanked(house) == []
        await house.call("track", "new", userId="new", event=BOOKED)
        await until(lambda: stand(house, {1: PEOPLE}))
        await until(lambda: at_rest(house))
        assert [send["rules_version"] for send in await thanked(house)] == [2]
