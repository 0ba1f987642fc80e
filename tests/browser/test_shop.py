"""A visit to the demo shop in a real Chromium, before the real gateway: what the bots will read of it."""

from __future__ import annotations

from contextlib import asynccontextmanager

from messaging.mail.tokens import BrowserTag, sign
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import Identify, PageViewed, Track, decode_event
from tests.browser_site import holds, until
from tests.gateway_builders import NOON, SECRET, a_site

LEAD = "0a" * 12
VIOLATIONS = (
    "window.violations = [];"
    "addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
)


class Shop:
    """Hold the address and what the journal has."""

    def __init__(self, url: str, database: MemoryDatabase) -> None:
        self.url = url
        self._database = database

    def records(self):
        return [record for records in self._database.streams for record in records]

    def events(self):
        return [decode_event(record.raw) for record in self.records()]

    def tracked(self, name: str) -> list[Track]:
        return [each for each in self.events() if isinstance(each, Track) and each.event == name]

    def known(self) -> list[Identify]:
        return [each for each in self.events() if isinstance(each, Identify)]

    def seen(self) -> list[str]:
        return [each.context.page.path for each in self.events() if isinstance(each, PageViewed)]


@asynccontextmanager
async def a_shop():
    database = MemoryDatabase()
    async with a_site(shop=True, database=database) as (session, _):
        yield Shop(str(session._build_url("/")).rstrip("/"), database)


async def test_a_lead_comes_by_email_looks_around_and_buys(a_context) -> None:
    tag = sign(SECRET, BrowserTag(LEAD, NOON))
    async with a_shop() as shop, a_context() as context:
        page = await context.new_page()
        await page.add_init_script(VIOLATIONS)
        await page.goto(f"{shop.url}/?mdma_v={tag}")
        await until(lambda: shop.seen() == ["/"])
        assert shop.records()[0].tagged == LEAD
        assert page.url == f"{shop.url}/"
        await page.get_by_role("link", name="See all six").click()
        await page.get_by_role("link", name="Oak stool").click()
        await page.get_by_role("button", name="Keep for later").click()
        await page.get_by_role("link", name="Specification").click()
        await page.get_by_role("button", name="Add to cart").click()
        await page.get_by_text("It is in your cart.").wait_for()
        await page.get_by_role("link", name="Cart (1)").click()
        await page.get_by_role("link", name="To the checkout").click()
        await page.get_by_label("Name").fill("Ann")
        await page.locator("#email").fill("ann@example.com")
        await page.get_by_label("Card number").fill("4111111111111111")
        await page.get_by_role("button", name="Buy").click()
        await page.wait_for_url("**/thanks")
        [order] = await until(lambda: shop.tracked("Order Completed"))
        await until(lambda: "/thanks" in shop.seen())
        assert order.properties["total"] == 120
        assert order.properties["order_id"]
        for name in ("Product Viewed", "Product Added to Wishlist", "Product Added", "Cart Viewed"):
            assert shop.tracked(name), name
        assert shop.tracked("Checkout Started")[0].properties["value"] == 120
        assert set(shop.seen()) >= {"/products", "/products/stool/specification", "/cart"}
        assert {each.anonymous_id for each in shop.events()} == {order.anonymous_id}
        assert [each.traits for each in shop.known()] == [
            {"name": "Ann", "email": "ann@example.com"}
        ]
        assert not any(b"4111111111111111" in record.raw for record in shop.records())
        assert await page.evaluate("violations") == []


async def test_a_form_with_a_tick_is_consent_and_the_switch_below_ends_it(a_context) -> None:
    async with a_shop() as shop, a_context() as context:
        page = await context.new_page()
        await page.goto(f"{shop.url}/contact")
        await page.get_by_label("Name").fill("Ben")
        await page.locator("#email").fill("ben@example.com")
        await page.get_by_label("Your question").fill("Is it blue?")
        await page.get_by_label("You may also write").check()
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("We answer within a day.").wait_for()
        [said] = await until(shop.known)
        assert said.traits == {"name": "Ben", "email": "ben@example.com"}
        assert said.context.consent.category_preferences == {"site": True, "email": True}
        await until(lambda: shop.tracked("Form Submitted"))
        switch = page.get_by_role("button", name="Do not follow")
        await switch.click()
        await until(lambda: len(shop.known()) == 2)
        assert shop.known()[1].context.consent.category_preferences == {"site": False}
        await page.goto(f"{shop.url}/products")
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("mdma.flush()")
        assert "/products" not in shop.seen()
        assert await switch.get_attribute("aria-pressed") == "true"
