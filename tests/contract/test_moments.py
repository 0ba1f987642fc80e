"""A lead's moments are learned from, exported and erased alike in memory and in a real mongod."""

from __future__ import annotations

from datetime import timedelta

from agents.runtime.lessons import gather
from learning.serving.moment import FEATURES
from scripts.cli_export import written
from scripts.personal import Sources, exported
from tests.behavior_builders import default_rules
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import (
    ANN,
    Fuse,
    an_eraser,
    asks,
    known,
    left,
    replayed,
    until,
    veil,
)
from tests.house_builders import SHARDS, House, a_house

BEN = "ben@erase.example"
WEEKS = 7


async def a_lead(house: House, name: str) -> None:
    """Let somebody look around and say who they are."""
    browser = f"b-{name}"
    await house.views("/pricing", "/specification", browser=browser)
    traits = {"email": f"{name}@erase.example"}
    await house.call("identify", browser, userId=f"u-{name}", traits=traits)
    await until(lambda: known(house, traits["email"]))


async def are_kept(house: House, count: int) -> bool:
    return await house.store.count("moments", {}) == count


async def test_moments_are_kept_learned_from_exported_and_erased(keeping: Keeping):
    async with a_house(keeping.store(), keeping.journal(), veil=veil) as house:
        await a_lead(house, "ann")
        await a_lead(house, "ben")
        for week in range(1, WEEKS + 1):
            house.skip(weeks=1)
            await until(lambda kept=2 * week: are_kept(house, kept))

        now, policy = house.clock.now(), "probability/customer"
        lesson = await gather(house.store, default_rules(), policy, now)
        assert len({each.subject for each in lesson.examples}) == 2
        for each in lesson.examples:
            known_then = dict(zip(FEATURES, each.inputs, strict=True))
            assert (known_then["pages"], known_then["assist_pages"]) == (2.0, 1.0)
            assert known_then["days_since_cart"] != known_then["days_since_cart"], "never"
            assert 20 < each.followed_days < 7 * WEEKS
            assert each.after_days is None

        sources = Sources(house.store, keeping.journal(), SHARDS, lambda address: address)
        told = await exported(sources, ANN, at=now, say=lambda _: None)
        assert len(told["moments"]) == WEEKS
        assert told["moments"][0]["inputs"]["pages"] == 2.0
        assert written(told)

        visitor = await asks(house, ANN)
        await an_eraser(house, keeping, Fuse()).look()
        house.skip(weeks=1)
        await until(lambda: are_kept(house, WEEKS + 1))
        assert await left(keeping, visitor) == {}
        lesson = await gather(house.store, default_rules(), policy, now + timedelta(weeks=1))
        assert len({each.subject for each in lesson.examples}) == 1
        assert await replayed(house) == []
