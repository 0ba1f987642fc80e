"""A template is shown as a chosen reader gets it while somebody writes it, before anything is saved."""

from __future__ import annotations

from typing import Any

from messaging.mail.reading import parse_mail
from scripts.rules import newest
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN
from tests.integration.test_console_templates import Taking, _get, _post

FILE = "templates/invite-hello.yaml"
EDIT = f"rules/edit?file={FILE}"
DRAFT = (
    "subject: >-\n"
    '  Brand new for {{ first_name | default: "you" }}\n'
    "preheader: Come and see\n"
    "text: |\n"
    "  Words that say as much as the HTML does: https://shop.example/new.\n"
    "html: |\n"
    '  <p>All new</p><a href="https://shop/x">Go</a>\n'
)


def a_form(**more: Any) -> dict[str, Any]:
    return {"file": FILE, "base": "1", "text": DRAFT, "q": "", "to": "", **more}


async def test_the_editor_shows_the_e_mail_its_text_and_its_checks_beside_the_file() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, EDIT)
        assert 'data-live="/console/templates/invite-hello/draft"' in html
        assert 'src="/console/templates/invite-hello/body"' in html
        assert "Text part" in html
        assert "What is to be said of it" in html
        [visitor] = await store.visitors("behavior", "", 1)
        assert "gets it." in await _get(session, f"{EDIT}&visitor={visitor}")
        await _get(session, f"{EDIT}&visitor=x", 422)
        assert "What a reader gets" not in await _get(session, "rules/edit?file=scores.yaml")
        await log_in(session, "vic")
        html = await _get(session, EDIT)
        assert "data-live" not in html
        assert "Text part" in html


async def test_what_is_being_written_is_shown_as_a_real_visitor_and_kept_nowhere() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        path = "templates/invite-hello/draft"
        html = await _post(session, path, 200, **a_form(q="person-21@example.com"))
        assert "As person-21@example.com gets it" in html
        assert "Brand new for" in html
        assert "“https://shop/x” has a malformed host" in html
        assert "Words that say as much" in html
        async with session.post(
            f"/console/{path}/body", data={"form_key": await form_key(session), **a_form()}
        ) as answer:
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert "All new" in await answer.text()
        html = await _post(session, path, 200, **a_form(q="nobody@nowhere.example"))
        assert "Nobody is known by this" in html
        html = await _post(session, path, 200, **a_form(text="subject: x\nsubjet: y\n"))
        assert "line 2" in html
        assert "did you mean subject?" in html
        html = await _post(
            session, path, 200, **a_form(text=DRAFT.replace('first_name | default: "you"', "nmae"))
        )
        assert "nmae" in html
        assert await newest(store) == 1
        assert not await store.count("audit_log", {"act": "rules.saved"})
        await log_in(session, "vic")
        await _post(session, path, 403, **a_form())


async def test_without_a_script_a_button_shows_it_and_gives_the_text_back() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _post(session, "rules/check", 200, **a_form(q="person-21@example.com"))
        assert "Brand new for" in html
        assert "As person-21@example.com gets it" in html
        assert "data-unsaved" in html
        assert 'formtarget="letter"' in html
        html = await _post(session, "rules/save", 422, **a_form(text=DRAFT + "more: x\n", q="x"))
        assert "nothing was saved" in html
        assert "more: x" in html


async def test_a_test_of_what_is_being_written_goes_to_one_address() -> None:
    store, now = await lived_in()
    taking = Taking()
    async with a_console(store, now, transport=taking) as (session, _):
        await log_in(session)
        path = "templates/invite-hello/draft/test"
        html = await _post(session, path, 200, **a_form(to="kim@shop.example"))
        assert "The test is handed over" in html
        assert "All new" in html, "the text is given back"
        [(_, recipient, raw)] = taking.mails
        assert recipient == "kim@shop.example"
        assert parse_mail(raw).subject == "Brand new for you"
        html = await _post(session, path, 422, **a_form(to="nobody"))
        assert "cannot be written to" in html
        assert "All new" in html
        html = await _post(session, path, 422, **a_form(text="subject: [", to="kim@shop.example"))
        assert "cannot be read" in html
        assert len(taking.mails) == 1
        order = {"to": "kim@shop.example", "base": 1, "text": DRAFT}
        api = "/api/v1/templates/invite-hello/test"
        async with session.post(api, json=order, headers=ADMIN) as answer:
            assert answer.status == 200
        assert parse_mail(taking.mails[1][2]).subject == "Brand new for you"


async def test_a_template_that_is_not_there_yet_can_be_seen_as_well() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _post(session, "templates/brand-new/draft", 200, **a_form())
        assert "Brand new for you" in html
        html = await _post(session, "templates/no%20such/draft", 200, **a_form())
        assert "Wrong" in html
