"""The on-site part of the routine in a real Chromium: the shop, the gateway, and all bots behind."""

from __future__ import annotations

from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from tests.house_builders import House, a_house

FORM, CHAT = "One question, if you like", "Shall we look at it together?"


async def _visitor_in(house: House, browser: str, cohort: str) -> dict:
    found = await house.visitor(browser)
    for _ in range(500):
        if cohort in found["cohorts"]:
            return found
        await house.clock.sleep(0.02)
        found = await house.visitor(browser)
    raise AssertionError(f"waited for {cohort}, found {found}")


async def test_from_the_first_page_to_the_purchase(a_context) -> None:
    """Depth 2 asks, the answer moves a cohort, depth 4 invites one tab, and the cart takes it all back."""
    database = MemoryDatabase()
    async with (
        a_house(MemoryStore(database), MemoryJournal(database), shop=True) as house,
        a_context() as context,
    ):
        url = str(house.session._build_url("/")).rstrip("/")
        page = await context.new_page()
        await page.goto(f"{url}/products/stool")
        await page.get_by_role("link", name="Specification").click()
        await page.get_by_role("dialog", name=FORM).wait_for()
        await page.get_by_label("The price").check()
        await page.get_by_role("button", name="Send").click()
        await page.get_by_role("status").filter(has_text="Thank you").wait_for()
        browser = await page.evaluate("mdma.anonymousId()")
        known = await _visitor_in(house, browser, "asks-for-price")
        assert known["traits"] == {"wants_help_with": "The price"}

        await page.goto(f"{url}/wish-list")
        await page.goto(f"{url}/products/teapot/specification")
        await page.get_by_role("dialog", name=CHAT).wait_for()
        other = await context.new_page()
        async with other.expect_response("**/shown") as refused:
            await other.goto(f"{url}/contact")
        assert (await refused.value).status == 409
        assert await other.locator("[data-mdma-engagement]").count() == 0
        await other.close()

        await page.locator("article").get_by_role("button", name="Add to cart").click()
        await page.locator("[data-mdma-engagement]").wait_for(state="detached")
        await page.goto(f"{url}/checkout")
        await page.get_by_label("Name").fill("Ann")
        await page.locator("#email").fill("ann@example.com")
        await page.get_by_role("button", name="Buy").click()
        await page.wait_for_url("**/thanks")
        known = await _visitor_in(house, browser, "customers")
        assert known["email"] == "ann@example.com"
