"""What sdk.js shows, in a real Chromium: only what the server gives this tab, for every hand, eye and screen reader."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser_site import TEXT, a_fake_gateway, holds, until

OPINION = {
    "title": "One question",
    "text": "It helps us.",
    "fields": [
        {
            "name": "wants",
            "label": "I want to know",
            "kind": "choice",
            "options": ["Price", "Size"],
        },
        {"name": "mark", "label": "How do you like it?", "kind": "rating"},
        {"name": "remark", "label": "Anything else?", "kind": "text"},
    ],
    "submit": "Send",
    "dismiss": "Not now",
}
CHAT = {"title": "Talk to us?", "text": "We are here.", "action": {"label": "Yes", "url": "/chat"}}
VIOLATIONS = (
    "window.violations = [];"
    "addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
)


def host(type_: str) -> str:
    return f"[data-mdma-engagement={type_}] .box"


async def _open(context, gateway, path: str = "/"):
    page = await context.new_page()
    await page.add_init_script(VIOLATIONS)
    await page.goto(gateway.url + path)
    await holds(page, "window.mdma && mdma.version")
    return page


async def _gone(page, type_: str) -> None:
    await page.locator(host(type_)).wait_for(state="detached")


async def test_a_notice_bar_takes_no_focus_and_esc_dismisses_it(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.body = "<label>Name <input></label>" + TEXT
        page = await _open(context, gateway)
        await page.focus("input")
        gateway.offer("one", "notice_bar")
        await page.get_by_role("region", name="Title of one").wait_for()
        assert await page.evaluate("document.activeElement.tagName") == "INPUT"
        await page.locator("[role=status]", has_text="Title of one").wait_for(state="attached")
        assert gateway.answered("one", "shown")["tab"]
        await page.keyboard.press("Escape")
        await _gone(page, "notice_bar")
        await until(lambda: gateway.answered("one", "dismissed"))
        assert await page.evaluate("document.activeElement.tagName") == "INPUT"
        assert await page.evaluate("violations") == []
        gateway.offer("one", "notice_bar")  # a server that repeats itself
        gateway.offer("two", "notice_bar")
        await page.get_by_role("region", name="Title of two").wait_for()
        assert len(gateway.responses) == 3


async def test_an_opinion_is_given_by_keyboard_alone(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        await page.focus("a")
        gateway.offer("ask", "opinion_form", content=OPINION)
        await page.get_by_role("dialog", name="One question").wait_for()
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowDown")  # the second of the first question
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await page.keyboard.type("  All <b>fine</b> ")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await (
            page.get_by_role("dialog").get_by_role("status").filter(has_text="Thank you").wait_for()
        )
        await page.keyboard.press("Enter")  # the focus went to the cross
        await _gone(page, "opinion_form")
        given = await until(lambda: gateway.answered("ask", "submitted"))
        assert given["answers"] == {"wants": "Size", "mark": 1, "remark": "All <b>fine</b>"}
        assert given["tab"] == gateway.shown_by["ask"]
        assert await page.evaluate("document.activeElement.tagName") == "A", "the focus came back"
        assert gateway.answered("ask", "dismissed") is None


async def test_thanks_stand_where_the_form_was_and_go_by_themselves(a_context) -> None:
    thanks = "Thanks for <b>that</b>"
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("ask", "opinion_form", content={**OPINION, "thanks": thanks})
        await page.get_by_label("Price").check()
        await page.get_by_role("button", name="Send").click()
        await page.get_by_role("dialog", name=thanks).get_by_role("status").wait_for()
        assert await page.locator("form").count() == 0
        await until(lambda: gateway.answered("ask", "submitted"))
        gateway.withdraw("ask")  # an answered offer stands no more: its thanks do
        gateway.offer("two", "notice_bar")
        await page.wait_for_timeout(1_000)
        assert await page.get_by_text(thanks).is_visible()
        await _gone(page, "opinion_form")
        await page.get_by_role("region", name="Title of two").wait_for()
        assert gateway.answered("ask", "dismissed") is None


async def test_a_withdrawn_form_goes_at_once_and_thanks_nobody(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("ask", "opinion_form", content=OPINION)
        await page.get_by_label("Price").check()
        gateway.withdraw("ask")
        await page.locator(host("opinion_form")).wait_for(state="detached", timeout=3_000)
        assert gateway.answered("ask", "submitted") is None


async def test_what_was_offered_to_who_was_here_goes_with_them(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("one", "notice_bar")
        await page.get_by_role("region", name="Title of one").wait_for()
        await page.evaluate("mdma.reset()")
        await page.get_by_role("region", name="Title of one").wait_for(state="detached")
        gateway.offer("three", "notice_bar")
        await page.get_by_role("region", name="Title of three").wait_for()
        assert gateway.answered("one", "dismissed") is None


async def test_who_says_no_to_all_sees_no_thanks_any_more(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("ask", "opinion_form", content=OPINION)
        await page.get_by_label("Price").check()
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("Thank you").wait_for()
        await page.evaluate("mdma.consent({site: false})")
        await page.locator(host("opinion_form")).wait_for(state="detached", timeout=3_000)


async def test_an_empty_opinion_is_not_sent(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("ask", "opinion_form", content=OPINION)
        await page.get_by_role("button", name="Send").click()
        assert await page.get_by_role("dialog").is_visible()
        await page.get_by_role("button", name="Not now").first.click()
        await until(lambda: gateway.answered("ask", "dismissed"))
        assert gateway.answered("ask", "submitted") is None


async def test_a_taken_chat_invitation_leads_on_and_tells_the_page(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("chat", "chat_invitation", content=CHAT)
        await page.get_by_role("link", name="Yes").click()
        await page.wait_for_url("**/chat")
        await until(lambda: gateway.answered("chat", "clicked"))
        # The fake offers it still: what was answered here is not asked again.
        bare = {"title": "Talk?", "action": {"label": "Open the chat"}}
        await page.evaluate(
            "addEventListener('mdma:engagement', e => window.told = e.detail, true)"
        )
        gateway.offer("own", "chat_invitation", content=bare)
        await page.get_by_role("button", name="Open the chat").click()
        await holds(page, "window.told")
        assert (await page.evaluate("told"))["response"] == "clicked"
        await until(lambda: gateway.answered("own", "clicked"))


async def test_an_exit_offer_waits_for_the_pointer_to_leave_and_keeps_the_focus(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.offer("stay", "exit_offer", trigger="exit", content=CHAT)
        page = await _open(context, gateway)
        await page.focus("a")
        await until(lambda: gateway.streams)
        await page.wait_for_timeout(1_200)  # nobody leaves a page within its first second
        assert await page.locator(host("exit_offer")).count() == 0
        assert gateway.answered("stay", "shown") is None
        await page.mouse.move(200, 100)
        await page.mouse.move(200, -10)
        await page.get_by_role("dialog", name="Talk to us?").wait_for()
        for _ in range(5):
            await page.keyboard.press("Tab")
            on = await page.evaluate("document.activeElement.tagName")
            assert on in {"DIV", "BODY"}, "the page behind is out of reach"
        await page.keyboard.press("Escape")
        await _gone(page, "exit_offer")
        await until(lambda: gateway.answered("stay", "dismissed"))
        assert await page.evaluate("document.activeElement.tagName") == "A"


async def test_on_a_phone_a_fast_way_up_is_the_wish_to_leave(a_context) -> None:
    async with (
        a_fake_gateway() as gateway,
        a_context(
            has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
        ) as context,
    ):
        gateway.offer("stay", "exit_offer", trigger="exit", content=CHAT)
        page = await _open(context, gateway)
        await until(lambda: gateway.streams)
        await page.wait_for_timeout(1_200)
        # The way up begins in the frame after the way down, however slow the machine is: who rests does not leave.
        await page.evaluate(
            """() => new Promise((done) => {
              addEventListener("scroll", () => { scrollTo(0, 1500); done(); }, { once: true });
              scrollTo(0, 2000);
            })"""
        )
        await page.get_by_role("dialog", name="Talk to us?").wait_for()


async def test_on_a_phone_a_way_down_or_a_slow_way_up_is_none(a_context) -> None:
    phone = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 800}}
    async with a_fake_gateway() as gateway, a_context(**phone) as context:
        gateway.offer("stay", "exit_offer", trigger="exit", content=CHAT)
        page = await _open(context, gateway)
        await until(lambda: gateway.streams)
        await page.wait_for_timeout(1_200)
        for place in (2000, 1500):
            await page.evaluate(f"scrollTo(0, {place})")
            await page.wait_for_timeout(600)
        assert await page.locator(host("exit_offer")).count() == 0


async def test_what_was_withdrawn_goes_and_nothing_is_answered(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("one", "chat_invitation", content=CHAT)
        gateway.offer("later", "exit_offer", trigger="exit", content=CHAT)
        await page.locator(host("chat_invitation")).wait_for()
        gateway.withdraw("one")
        gateway.withdraw("later")
        await _gone(page, "chat_invitation")
        await page.wait_for_timeout(1_200)
        await page.evaluate(
            "document.documentElement.dispatchEvent(new MouseEvent('mouseleave', {clientY: -1}))"
        )
        gateway.offer("next", "notice_bar")
        await page.locator(host("notice_bar")).wait_for()
        assert await page.locator(host("exit_offer")).count() == 0
        assert {(i, what) for i, what, _ in gateway.responses.values()} == {
            ("one", "shown"),
            ("next", "shown"),
        }


async def test_two_tabs_show_one_engagement_once(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        first, second = await _open(context, gateway), await _open(context, gateway)
        await until(lambda: len(gateway.streams) == 2)
        gateway.offer("one", "chat_invitation", content=CHAT)
        await until(lambda: gateway.answered("one", "shown"))
        await asyncio.sleep(0.5)
        counts = [await tab.locator(host("chat_invitation")).count() for tab in (first, second)]
        assert sorted(counts) == [0, 1]
        tabs = {body["tab"] for _, _, body in gateway.responses.values()}
        assert len(tabs) == 1


async def test_a_tab_keeps_its_name_over_pages_and_a_reservation_refused_shows_nothing(
    a_context,
) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.offer("one", "notice_bar")
        page = await _open(context, gateway)
        await page.locator(host("notice_bar")).wait_for()
        await page.goto(f"{gateway.url}/other")
        await page.locator(host("notice_bar")).wait_for()  # the same tab may show it again
        gateway.shown_by["two"] = "another tab"
        gateway.offer("two", "chat_invitation", content=CHAT)
        await page.keyboard.press("Escape")
        gateway.offer("three", "notice_bar")
        await page.get_by_role("region", name="Title of three").wait_for()
        assert gateway.answered("two", "shown") is None


async def test_content_is_text_and_a_link_leads_to_http_only(a_context) -> None:
    evil = "<img src=x onerror='window.hit = 1'><b>bold</b>"
    content = {
        "title": evil,
        "text": evil,
        "action": {"label": evil, "url": "javascript:window.hit=1"},
        "dismiss": evil,
    }
    question = {"name": "q", "label": evil, "kind": "choice", "options": [evil, 7]}
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await _open(context, gateway)
        gateway.offer("bad", "chat_invitation", content=content)
        await page.get_by_role("heading", name=evil).wait_for()
        assert await page.locator("img").count() == 0
        assert await page.get_by_role("link", name=evil).count() == 0
        await page.keyboard.press("Escape")
        await _gone(page, "chat_invitation")
        gateway.offer("ask", "opinion_form", content={**content, "fields": [question]})
        await page.get_by_text(evil).first.wait_for()
        gateway.offer("odd", "full_page", content=content)
        gateway.offer("list", "opinion_form", content={"title": 7, "fields": "none", "action": 3})
        gateway.offer("null", "opinion_form", content={"fields": [None, {"options": {}}]})
        gateway.offer("none", "notice_bar", content=None)
        for id_ in ("ask", "list", "null"):
            await until(lambda id_=id_: gateway.answered(id_, "shown"))
            await page.locator(host("opinion_form")).wait_for()
            await page.keyboard.press("Escape")
            await until(lambda id_=id_: gateway.answered(id_, "dismissed"))
        assert gateway.answered("odd", "shown") is None
        assert await page.evaluate("window.hit") is None
        assert await page.locator("img, b").count() == 0


async def test_where_no_stream_comes_through_it_polls(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.streams_allowed = False
        page = await _open(context, gateway)
        await until(lambda: gateway.polls >= 1)
        gateway.offer("one", "notice_bar")
        await page.locator(host("notice_bar")).wait_for()
        gateway.withdraw("one")
        await _gone(page, "notice_bar")


@pytest.mark.parametrize("attributes", ["", 'data-consent="assumed" data-engagements="off"'])
async def test_without_leave_to_show_nobody_is_asked(a_context, attributes: str) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.attributes = attributes
        gateway.offer("one", "notice_bar")
        page = await _open(context, gateway)
        await page.evaluate("mdma.identify('u1')")
        await until(lambda: gateway.of_type("identify"))
        assert not gateway.streams
        assert not gateway.polls


@pytest.mark.parametrize(("wish", "moves"), [("reduce", False), ("no-preference", True)])
async def test_who_wants_no_motion_gets_none(a_context, wish: str, moves: bool) -> None:
    async with a_fake_gateway() as gateway, a_context(reduced_motion=wish) as context:
        page = await _open(context, gateway)
        gateway.offer("one", "notice_bar")
        await page.locator(host("notice_bar")).wait_for()
        name = await page.locator(".box").evaluate("box => getComputedStyle(box).animationName")
        assert (name != "none") is moves
