"""What sdk.js tells of a visit, in a real Chromium: pages, events, forms, consent, also over a bad network."""

from __future__ import annotations

import asyncio
import json

from tests.browser_site import a_fake_gateway, holds, until

STORED = "Object.keys(localStorage).filter(name => name.startsWith('mdma.'))"
KEPT = "Object.keys(localStorage).filter(name => name.startsWith('mdma.q.')).length"
UNTOLD = KEPT.replace("mdma.q.", "mdma.untold.")
SECRETS = """password passwd userpass user_pass new-password pass passWord pwd2 pw passport card_number
cardNumber cardnumber creditcard credit_card creditCard2 debitcard cardholder giftcard visacard cc-exp ccexp
cc_number ccnum cvv cvc2 cardcvv ccv csc security_code securityCode expiry expiry_date expirationMonth
exp_month iban bankIban ssn otp pin userPin client_secret secretKey accesstoken api-token"""
TOLD = """discard passenger passengers expiry_of_offer compass cardigan postcard secretary shipping opinion
businessname footprint company spin"""


async def test_a_visit_is_told_with_its_pages_depth_and_time(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(f"{gateway.url}/start?utm_source=letter&utm_campaign=spring")
        [first] = await until(lambda: gateway.of_type("page"))
        assert first["context"]["page"]["path"] == "/start"
        assert first["context"]["page"]["title"] == "A page"
        assert first["context"]["campaign"] == {"source": "letter", "name": "spring"}
        assert first["context"]["consent"] == {"categoryPreferences": {"site": True}}
        assert first["context"]["timezone"]
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await holds(page, "scrollY > 100")
        await page.evaluate("history.pushState({}, '', '/second'); document.title = 'Second'")
        await until(lambda: len(gateway.of_type("page")) == 2)
        second = gateway.of_type("page")[1]
        assert (second["context"]["page"]["path"], second["name"]) == ("/second", "Second")
        assert second["context"]["page"]["referrer"].startswith(f"{gateway.url}/start")
        assert second["anonymousId"] == first["anonymousId"]
        [left] = gateway.tracked("Page Left")
        assert left["properties"]["path"] == "/start"
        assert left["properties"]["scroll_percent"] == 100
        assert left["properties"]["seconds_visible"] > 0
        await page.go_back()
        await until(lambda: len(gateway.of_type("page")) == 3)
        await page.goto("about:blank")
        await until(lambda: len(gateway.tracked("Page Left")) == 3)


async def test_what_a_site_says_before_the_script_has_come_is_not_lost(a_context) -> None:
    early = (
        "window.mdma = []; mdma.push(['identify', 'user-7', {firstName: 'Ann'}]);"
        "mdma.push(['cart', 'added', {product_id: 'p1', price: 20}]);"
        "mdma.push(['nonsense']); mdma.push(['track']); mdma.push(['cart', 'eaten']);"
    )
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.add_init_script(early)
        gateway.body = (
            "<button data-mdma-track='Guide Asked' data-mdma-properties='{\"n\": 1}'>Go</button>"
        )
        await page.goto(gateway.url)
        await page.click("button")
        [asked] = await until(lambda: gateway.tracked("Guide Asked"))
        assert asked["properties"] == {"n": 1}
        assert asked["userId"] == "user-7"
        [known] = gateway.of_type("identify")
        assert (known["userId"], known["traits"]) == ("user-7", {"firstName": "Ann"})
        [added] = gateway.tracked("Product Added")
        assert added["properties"] == {"product_id": "p1", "price": 20}
        assert next(iter(gateway.calls.values()))["type"] == "page"


async def test_before_consent_nothing_is_kept_or_told_and_with_it_the_page_is(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.attributes = ""
        page = await context.new_page()
        await page.goto(f"{gateway.url}/first?mdma_v={'t' * 40}")
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("mdma.track('Looked', {})")
        await page.evaluate("mdma.flush()")
        assert await page.evaluate(STORED) == []
        assert await context.cookies() == []
        assert not gateway.batches
        assert not gateway.streams
        await page.evaluate("mdma.consent({site: true})")
        await until(lambda: gateway.of_type("page") and gateway.tracked("Looked"))
        [view] = gateway.of_type("page")
        assert view["context"]["consent"] == {"categoryPreferences": {"site": True}}
        assert f"mdma_v={'t' * 40}" in view["context"]["page"]["url"], "the click is not lost"
        [said] = gateway.of_type("identify")
        assert said["anonymousId"] == view["anonymousId"]
        await page.goto(f"{gateway.url}/second")
        await until(lambda: len(gateway.of_type("page")) == 2)
        assert len({call["anonymousId"] for call in gateway.calls.values()}) == 1


async def test_a_refusal_erases_what_was_kept_and_is_remembered(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page") and gateway.streams)
        await page.evaluate("mdma.consent({site: false})")
        [said] = await until(lambda: gateway.of_type("identify"))
        assert said["context"]["consent"] == {"categoryPreferences": {"site": False}}
        assert said["anonymousId"] == gateway.of_type("page")[0]["anonymousId"]
        await holds(page, f"String({STORED}) === 'mdma.consent'")
        await page.reload()
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("mdma.track('Looked', {}); mdma.flush()")
        assert await page.evaluate(STORED) == ["mdma.consent"]
        assert len(gateway.of_type("page")) == 1
        assert not gateway.tracked("Looked")


async def test_a_refusal_in_one_tab_holds_in_the_others(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.offer("one", "notice_bar")
        first, second = await context.new_page(), await context.new_page()
        for tab in (first, second):
            await tab.goto(gateway.url)
        await until(lambda: len(gateway.of_type("page")) == 2 and gateway.answered("one", "shown"))
        await first.evaluate("mdma.consent({site: false})")
        await until(lambda: not gateway.streams)
        await second.evaluate("mdma.track('Looked', {}); mdma.flush()")
        for tab in (first, second):
            await tab.locator("[data-mdma-engagement]").wait_for(state="detached")
            await holds(tab, f"String({STORED}) === 'mdma.consent'")
        assert not gateway.tracked("Looked")
        await second.evaluate("mdma.consent({site: true}); mdma.track('Back', {})")
        await until(lambda: gateway.tracked("Back") and len(gateway.streams) == 2)


async def test_two_tabs_that_were_open_before_consent_are_one_browser(a_context) -> None:
    """Each had an id of its own in memory: the one that the device has stays, whoever comes to it later."""
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.attributes = ""
        first, second = await context.new_page(), await context.new_page()
        for page in (first, second):
            await page.goto(gateway.url)
            await holds(page, "window.mdma && mdma.version")
        for again in ("", "again "):
            await second.evaluate(f"mdma.track('{again}before, in the second')")
            await first.evaluate(
                "mdma.consent({site: true}); mdma.identify('user-7', {email: 'ann@example.com'})"
            )
            own = await first.evaluate("mdma.anonymousId()")
            [held] = await until(lambda a=again: gateway.tracked(f"{a}before, in the second"))
            await first.evaluate(f"mdma.track('{again}after, in the first')")
            await second.evaluate(f"mdma.track('{again}after, in the second')")
            ones = await until(lambda a=again: gateway.tracked(f"{a}after, in the first"))
            others = await until(lambda a=again: gateway.tracked(f"{a}after, in the second"))
            assert [each["anonymousId"] for each in (held, *ones, *others)] == [own] * 3
            assert [each.get("userId") for each in (*ones, *others)] == ["user-7"] * 2
            assert await first.evaluate("mdma.anonymousId()") == own
            await first.evaluate("mdma.consent({site: false})")
            await asyncio.sleep(0.3)  # the other tab hears of it
            await first.evaluate("localStorage.removeItem('mdma.consent')")
            for page in (first, second):
                await page.reload()
                await holds(page, "window.mdma && mdma.version")


async def test_a_refusal_that_could_not_be_told_is_told_by_the_next_page(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await page.evaluate(
            "mdma.consent({site: true, email: true}); mdma.identify('user-7', {firstName: 'Ann'})"
        )
        await until(lambda: len(gateway.of_type("identify")) == 2 and gateway.of_type("page"))
        await holds(page, f"{KEPT} === 0")
        own = await page.evaluate("mdma.anonymousId()")
        other = await context.new_page()  # hears of it, and must not erase it
        await other.goto(gateway.url)
        await until(lambda: len(gateway.of_type("page")) == 2)
        gateway.refusals = [503] * 1_000
        await page.evaluate("mdma.track('Before', {}); mdma.consent({site: false, email: false})")
        await until(lambda: gateway.batches[-1]["status"] == 503)
        await asyncio.sleep(0.3)
        kept = await page.evaluate(f"{STORED}.sort().map(name => localStorage[name])")
        assert len(kept) == 2, "the decision, and the call that tells it"
        untold = json.loads(kept[1])["body"]
        assert (untold["anonymousId"], untold["userId"]) == (own, "user-7")
        refused = {"categoryPreferences": {"site": False, "email": False}}
        assert untold["context"] == {"consent": refused}, "and nothing of the page"
        await page.evaluate("mdma.consent({site: false, email: false})")  # a site may say it again
        await page.goto("about:blank")
        await other.close()
        gateway.refusals = []
        await page.goto(f"{gateway.url}/next")
        told = await until(lambda: gateway.calls.get(untold["messageId"]))
        assert told["context"] == {"consent": refused}
        await holds(page, f"String({STORED}) === 'mdma.consent'")
        assert len(gateway.of_type("identify")) == 3
        assert len(gateway.of_type("page")) == 2
        assert not gateway.tracked("Before")


async def test_refusals_that_could_not_be_told_come_before_a_new_consent(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        await holds(page, f"{KEPT} === 0")
        own = await page.evaluate("mdma.anonymousId()")
        gateway.refusals = [503] * 1_000
        await page.evaluate("mdma.consent({email: true})")
        await asyncio.sleep(0.01)
        await page.evaluate("mdma.consent({email: false})")
        await asyncio.sleep(0.01)
        await page.evaluate("mdma.consent({site: false})")
        await page.goto(f"{gateway.url}/second")
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("mdma.consent({site: true, email: true})")
        await page.goto("about:blank")
        gateway.refusals = []
        await page.goto(f"{gateway.url}/third")
        said = await until(
            lambda: len(gateway.of_type("identify")) == 3 and gateway.of_type("identify")
        )
        preferences = [call["context"]["consent"]["categoryPreferences"] for call in said]
        assert preferences == [
            {"site": True, "email": False},
            {"site": False},
            {"site": True, "email": True},
        ]
        assert [call["anonymousId"] == own for call in said] == [True, True, False]
        await holds(page, f"{UNTOLD} === 0")


async def test_a_refusal_that_the_gateway_cannot_read_is_given_up(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        await holds(page, f"{KEPT} === 0")
        gateway.refusals = [503, 400]
        await page.evaluate("mdma.consent({site: false})")
        await until(lambda: gateway.batches[-1]["status"] == 400)
        await holds(page, f"String({STORED}) === 'mdma.consent'")
        await page.reload()
        await holds(page, "window.mdma && mdma.version")
        await asyncio.sleep(0.5)
        assert not gateway.of_type("identify")


async def test_a_refusal_waits_for_a_day_and_longer(a_context) -> None:
    aged = """for (const name of Object.keys(localStorage)) if (name.startsWith("mdma.untold.")) {
      const parts = name.split(".");
      parts[2] = (Date.now() - 3 * 86400000).toString(36) + "00";
      localStorage[parts.join(".")] = localStorage[name];
      localStorage.removeItem(name);
    }"""
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        gateway.refusals = [503] * 1_000
        await page.evaluate("mdma.consent({site: false})")
        await page.goto(f"{gateway.url}/next")
        await page.evaluate(aged)
        assert await page.evaluate(UNTOLD) == 1
        gateway.refusals = []
        await page.reload()
        await until(lambda: gateway.of_type("identify"))


async def test_who_refuses_at_once_is_told_to_nobody(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.attributes = ""
        page = await context.new_page()
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("mdma.consent({site: false}); mdma.flush()")
        await page.goto(f"{gateway.url}/other")
        await holds(page, "window.mdma && mdma.version")
        assert not gateway.batches


async def test_a_form_gives_traits_and_consent_and_never_a_secret(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.attributes = ""  # sending a form is an act: it needs no consent to be followed
        gateway.body = """<form data-mdma-form="contact" action="/done">
          <input type=email name=mail value="ann@example.com"><input name=firstName value=" Ann ">
          <input type=password name=word value=hunter2><input name=card_number value=1234>
          <input name=plain autocomplete="billing cc-number" value=5678>
          <input name=note value="4111 1111 1111 1111"><input type=hidden name=csrf value=zzz>
          <input name=own data-mdma-ignore value=mine><input name=empty>
          <input name=dots value="4111.1111.1111.1111"><input name=security_code value=737>
          <input name=pw type=text value=hunter2><input name=account value="DE89 3704 0044 0532 0130 00">
          <input name=expiry value="12/29"><textarea name=said>It is 4111-1111-1111-1111, Ann</textarea>
          <input name=phone value="+49 30 1234567890"><input name=order value="1234567890123">
          <input name=elements value=4><fieldset name=address><output name=sum>12</output></fieldset>
          <object name=drawing></object>
          <input data-mdma-trait=company name=x9 value=ACME>
          <input type=radio name=size value=s><input type=radio name=size value=m checked>
          <select name=topic><option>lamps</select><input type=checkbox name=gift checked>
          <input type=checkbox data-mdma-consent=email checked>
          <input type=checkbox data-mdma-consent=site><button>Send</button></form>
          <form><input name=other value=nothing></form>"""
        page = await context.new_page()
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.click("button")
        [said] = await until(lambda: gateway.of_type("identify"))
        assert said["traits"] == {
            "email": "ann@example.com",
            "firstName": "Ann",
            "elements": "4",
            "phone": "+49 30 1234567890",
            "order": "1234567890123",
            "company": "ACME",
            "size": "m",
            "topic": "lamps",
            "gift": True,
        }
        assert said["context"]["consent"] == {"categoryPreferences": {"email": True}}
        [sent] = await until(lambda: gateway.tracked("Form Submitted"))
        assert sent["properties"] == {"form": "contact"}
        await page.wait_for_url("**/done?*")  # a form says where it goes with what is in it


async def test_a_long_form_gives_the_address_and_what_is_marked_first(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        questions = "".join(f"<input name=q{n} value={n}>" for n in range(24))
        gateway.body = f"""<form data-mdma-form="long" action="/done">{questions}
          <input name=firma data-mdma-trait=company value=ACME><input type=email value=a@example.com>
          <input name=company value="not this"><button>Send</button></form>"""
        page = await context.new_page()
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.click("button")
        [said] = await until(lambda: gateway.of_type("identify"))
        assert (said["traits"]["email"], said["traits"]["company"]) == ("a@example.com", "ACME")
        assert len(said["traits"]) == 20
        assert said["traits"]["q17"] == "17"


async def test_of_boxes_with_one_name_and_of_lists_all_that_is_ticked_is_told(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.body = """<form data-mdma-form="likes" action="/done">
          <input type=checkbox name=interests value=shoes checked>
          <input type=checkbox name=interests value=hats>
          <input type=checkbox name=interests value=bags checked>
          <input type=checkbox name=none value=a><input type=checkbox name=none value=b>
          <input type=checkbox name=gift checked><input type=checkbox name=wrapped>
          <input type=checkbox name=agreed value=1 checked>
          <input type=checkbox name=colour value=red checked>
          <select name=sizes multiple><option selected>S<option>M<option selected>L</select>
          <select name=numbers multiple><option selected>a<option selected>4111111111111111</select>
          <select name=topic><option>lamps</select><select name=nothing multiple><option>x</select>
          <input type=radio name=size value=s><input type=radio name=size value=m checked>
          <button>Send</button></form>"""
        page = await context.new_page()
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.click("button")
        [said] = await until(lambda: gateway.of_type("identify"))
        assert said["traits"] == {
            "interests": "shoes, bags",
            "none": False,
            "gift": True,
            "wrapped": False,
            "agreed": True,
            "colour": "red",
            "sizes": "S, L",
            "topic": "lamps",
            "size": "m",
        }


async def test_a_name_is_secret_by_its_words_and_not_by_parts_of_them(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        secrets, told = SECRETS.split(), TOLD.split()
        # No more than 20 fields of a form are taken: the last of each shows that none was.
        parts = [[*secrets[at : at + 18], "last"] for at in range(0, len(secrets), 18)]
        forms = [*parts, told]
        gateway.body = "".join(
            f"<form data-mdma-form=f{at} action=javascript:void(0)>"
            + "".join(f"<input name={name} value=x>" for name in names)
            + f"<button id=b{at}>Send</button></form>"
            for at, names in enumerate(forms)
        )
        page = await context.new_page()
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate("addEventListener('submit', event => event.preventDefault())")
        for at in range(len(forms)):
            await page.click(f"#b{at}")
        said = await until(
            lambda: len(gateway.of_type("identify")) == len(forms) and gateway.of_type("identify")
        )
        assert [list(call["traits"]) for call in said] == [["last"]] * len(parts) + [told]


async def test_consent_to_email_is_told_with_the_act_alone(a_context) -> None:
    """Stamped on later calls, it would undo an unsubscribe that came between."""
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        await page.evaluate("mdma.consent({email: true}); mdma.track('After', {})")
        [after] = await until(lambda: gateway.tracked("After"))
        assert after["context"]["consent"] == {"categoryPreferences": {"site": True}}
        [said] = gateway.of_type("identify")
        assert said["context"]["consent"]["categoryPreferences"]["email"] is True


async def test_the_tag_of_a_click_is_told_once_and_taken_out_of_the_address(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(f"{gateway.url}/landing?a=1&mdma_v={'t' * 40}#part")
        [view] = await until(lambda: gateway.of_type("page"))
        assert f"mdma_v={'t' * 40}" in view["context"]["page"]["url"]
        assert page.url == f"{gateway.url}/landing?a=1#part"
        await page.evaluate("mdma.track('Later', {})")
        [later] = await until(lambda: gateway.tracked("Later"))
        assert "mdma_v" not in str(later)


async def test_a_busy_gateway_gets_the_same_calls_again(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        gateway.refusals = [503, 429]
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        assert [batch["status"] for batch in gateway.batches] == [503, 429, 200]
        ids = [[call["messageId"] for call in batch["batch"]] for batch in gateway.batches]
        assert ids[0] == ids[1] == ids[2]
        gateway.refusals = [400]
        await page.evaluate("mdma.track('Refused', {})")
        await until(lambda: gateway.batches[-1]["status"] == 400)
        await page.evaluate("mdma.track('Next', {})")
        await until(lambda: gateway.tracked("Next"))
        assert not gateway.tracked("Refused"), "what cannot be read is not told again"


async def test_calls_outlive_their_page_and_are_bounded(a_context) -> None:
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        await holds(page, f"{KEPT} === 0")
        gateway.refusals = [503] * 1_000
        await page.evaluate("for (let n = 0; n < 250; n++) mdma.track('Numbered', {n})")
        assert await page.evaluate(KEPT) == 200
        await page.evaluate("mdma.track('Huge', {text: 'x'.repeat(40000)})")
        assert await page.evaluate(KEPT) == 200
        await page.goto(f"{gateway.url}/other")
        gateway.refusals = []
        await until(lambda: gateway.tracked("Numbered"))
        await until(lambda: len(gateway.of_type("page")) == 2)
        numbers = [call["properties"]["n"] for call in gateway.tracked("Numbered")]
        assert 195 <= len(numbers) <= 200
        assert numbers == sorted(numbers)
        assert numbers[-1] == 249, "the oldest go first"


async def test_a_site_that_says_it_wrongly_breaks_nothing(a_context) -> None:
    wrong = "window.mdma = [null, 7, 'track', ['track', 5], ['consent', null], ['push', []], {}];"
    cyclic = (
        "const knot = {}; knot.knot = knot; mdma.track('Knot', knot); mdma.push(null, ['cart'])"
    )
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.add_init_script(wrong)
        await page.goto(gateway.url)
        await holds(page, "window.mdma && mdma.version")
        await page.evaluate(cyclic)
        await page.evaluate("mdma.track('Right', {n: 1n})")
        await page.evaluate("mdma.track('Right', null)")
        [right] = await until(lambda: gateway.tracked("Right"))
        assert right["properties"] == {}
        assert len(gateway.calls) == 2


async def test_a_page_made_ready_in_advance_is_told_once_it_is_seen(a_context) -> None:
    pretend = "Object.defineProperty(document, 'prerendering', {value: true})"
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.add_init_script(pretend)
        await page.goto(gateway.url)
        await page.wait_for_load_state("networkidle")
        assert not gateway.batches
        assert not gateway.streams
        await page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
        await until(lambda: gateway.of_type("page"))


async def test_without_local_storage_the_id_lives_in_a_cookie(a_context) -> None:
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    async with a_fake_gateway() as gateway, a_context() as context:
        page = await context.new_page()
        await page.add_init_script(forbid)
        await page.goto(gateway.url)
        await until(lambda: gateway.of_type("page"))
        await page.goto(f"{gateway.url}/other")
        await until(lambda: len(gateway.of_type("page")) == 2)
        assert len({call["anonymousId"] for call in gateway.calls.values()}) == 1
        await page.evaluate("mdma.reset(); mdma.track('Anew', {})")
        [anew] = await until(lambda: gateway.tracked("Anew"))
        assert anew["anonymousId"] != gateway.of_type("page")[0]["anonymousId"]
        await page.evaluate("mdma.consent({site: false})")
        [said] = await until(lambda: gateway.of_type("identify"))
        assert said["anonymousId"] == anew["anonymousId"]
        assert await context.cookies() == []
