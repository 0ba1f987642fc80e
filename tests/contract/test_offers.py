"""What browsers are told stands open: the same whether it is kept in memory or in MongoDB."""

from __future__ import annotations

from typing import Any

from agents.runtime.offers import StoredOffers
from messaging.vocabulary.ids import anonymous_key, visitor_id_for
from tests.contract.conftest import Keeping
from tests.house_builders import a_house
from tests.on_site_builders import ASSIST


class Counting:
    """Count the questions that a store is asked."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked = 0

    async def identities(self, keys: list[str]) -> Any:
        self.asked += 1
        return await self._store.identities(keys)

    async def load(self, bot: str, visitors: list[str]) -> Any:
        self.asked += 1
        return await self._store.load(bot, visitors)


async def test_from_a_page_to_an_offer_to_its_answer(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        await house.views("/", ASSIST)
        polled = await house.polled("leaving", "opinion")
        form = next(e for e in polled["engagements"] if e["name"] == "opinion")
        assert await house.responds(form["id"], "shown", tab="t1") == 200
        assert await house.responds(form["id"], "shown", tab="t2") == 409
        assert await house.responds(form["id"], "submitted", answers={"remark": "hm"}) == 200
        await house.until(lambda v: v["traits"].get("remark") == "hm")
        await house.polled("leaving")
        rows = await keeping.store().rows("engagements", {"status": "submitted"})
        assert [row["id"] for row in rows] == [form["id"]]
        assert rows[0]["shown_at"] is not None


async def test_many_browsers_are_three_questions_and_strangers_are_left_out(
    keeping: Keeping,
) -> None:
    browsers = [f"b{number}" for number in range(20)]
    async with a_house(keeping.store(), keeping.journal()) as house:
        for browser in browsers:
            await house.views("/", ASSIST, browser=browser)
        for browser in browsers:
            await house.polled("leaving", "opinion", browser=browser)
    store = Counting(keeping.store())
    found = await StoredOffers(store).offers([*browsers, "nobody", "", "a\0b", "x" * 5_000])  # type: ignore[arg-type]
    assert sorted(found) == sorted(browsers)
    assert store.asked == 3
    assert {len(offers.open) for offers in found.values()} == {2}
    assert await StoredOffers(keeping.store()).offers([]) == {}


async def test_a_browser_that_was_found_to_be_somebody_sees_what_is_offered_to_them(
    keeping: Keeping,
) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        ann = {"email": "ann@example.com"}
        await house.call("identify", "phone", traits=ann)
        await house.views("/", browser="laptop")
        await house.call("identify", "laptop", traits=ann)
        await house.views("/", ASSIST, browser="phone")
        await house.polled("leaving", "opinion", browser="phone")
        on_phone = await house.polled("leaving", "opinion", browser="laptop")
        found = await StoredOffers(keeping.store()).offers(["phone", "laptop"])
        assert found["phone"] == found["laptop"]
        assert found["phone"].visitor != visitor_id_for(anonymous_key("laptop"))
        assert len(on_phone["engagements"]) == 2
