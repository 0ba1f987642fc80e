"""Templates in the console: as a real reader gets them, what is wrong with them, and tests that touch nobody."""

from __future__ import annotations

import re
from html import unescape

import pytest

from agents.behavior_bot.state import put
from messaging.mail.asking import LinkAnswer
from messaging.mail.judging import judged
from messaging.mail.reading import Mail, parse_mail
from messaging.mail.tokens import mailbox_hash
from messaging.ports import MailOutcomeCode
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.mailings import StoredMailings
from scripts.rules import files_of, push_files
from tests.console_builders import (
    POST,
    TEMPLATES,
    a_console,
    a_lived_world,
    fill,
    form_key,
    lived_in,
    log_in,
)
from tests.gateway_builders import ADMIN, NOON, SECRET, StillClock


class Taking:
    """Take every mail, or answer as told."""

    def __init__(self, outcome: str = "handed over") -> None:
        self.mails: list[tuple[str, str, bytes]] = []
        self.outcome = outcome

    async def send(self, sender: str, recipient: str, message: bytes) -> MailOutcomeCode:
        self.mails.append((sender, recipient, message))
        return MailOutcomeCode(self.outcome, 250, "no room")


async def _get(session, path: str, status: int = 200) -> str:
    async with session.get(f"/console/{path}") as answer:
        html = await answer.text()
        assert answer.status == status, html
        return unescape(html)


async def _post(session, path: str, status: int, **form: str) -> str:
    data = {"form_key": await form_key(session), **form}
    async with session.post(f"/console/{path}", data=data, allow_redirects=False) as answer:
        html = await answer.text()
        assert answer.status == status, html
        return answer.headers.get("Location", "") or unescape(html)


async def test_every_template_of_the_routine_can_be_seen_and_nothing_is_wrong_with_it() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        names = re.findall(r'href="/console/templates/([\w-]+)"', await _get(session, "templates"))
        assert len(names) == TEMPLATES
        for name in names:
            html = await _get(session, f"templates/{name}")
            assert "Wrong</b>" not in html, name
            assert "Send a test" not in html, "a viewer sends none"
            assert "http://127.0.0.1:1/u/" in html, "it can be left"


async def test_a_template_is_seen_as_a_real_visitor_gets_it_and_its_links_do_nothing() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        path = "templates/invite-hello"
        where = await _post(session, f"{path}/as", 303, q="person-21@example.com")
        assert re.fullmatch(r"/console/templates/invite-hello\?visitor=[0-9a-f]{24}", where)
        html = await _get(session, where.removeprefix("/console/"))
        assert "As person-21@example.com gets it" in html
        body = where.removeprefix("/console/").replace("?", "/body?")
        async with session.get(f"/console/{body}&scheme=dark") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert policy.endswith("sandbox"), "nothing in it runs, whoever opens it"
            letter = unescape(await answer.text())
        before = await store.count("story", {})
        assert "/o/" not in letter, "a preview is no open"
        for kind in ("c", "u"):
            token = re.search(rf"http://127.0.0.1:1/{kind}/([\w.~-]+)", letter)
            assert token is not None, kind
            async with session.get(f"/{kind}/{token[1]}", allow_redirects=False) as answer:
                assert answer.status in (200, 404)
                assert "Location" not in answer.headers
            async with session.post(f"/u/{token[1]}") as answer:
                assert answer.status == 404
        assert await store.count("story", {}) == before
        await _post(session, f"{path}/as", 404, q="nobody")
        assert await _post(session, f"{path}/as", 303, q="") == "/console/templates/invite-hello"


async def test_a_reader_is_shown_what_their_e_mail_would_say_and_no_more() -> None:
    """What the bot that sends is told of them is short and has no link: the preview goes by the same."""
    world = a_lived_world()
    for _, held in world.bots.everybody("behavior"):
        at = world.bots.now.timestamp()
        for name, value in {"plan": "gold", "firstName": "A" * 100, "site": "http://x.io"}.items():
            put(held.state.traits, name, value, at, 1 << 60)
    store, now = MemoryStore(MemoryDatabase()), world.bots.now
    await fill(store, world)
    files = await files_of(store, 1)
    files["templates/invite-hello.yaml"] = (
        "subject: 'Hello {{ firstName | default: \"you\" }}'\n"
        'text: \'plan {{ plan | default: "none" }}, site {{ site | default: "nowhere" }}\'\n'
        "html: '<p>Hi</p>'\n"
    )
    await push_files(store, files, at=now, by="kim")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _post(session, "templates/invite-hello/as", 303, q="person-21@example.com")
        html = await _get(session, where.removeprefix("/console/"))
        assert f"Hello {'A' * 80}" in html
        assert "A" * 81 not in html
        assert "plan gold, site nowhere" in html


async def test_a_draft_is_what_is_shown_and_what_is_wrong_with_it_is_said() -> None:
    store, now = await lived_in()
    files = await files_of(store, 1)
    files["templates/invite-hello.yaml"] = (
        "subject: HURRY UP AND BUY NOW!!! This subject goes on and on and on, past what fits\n"
        "text: Short.\n"
        "html: |\n"
        '  <p>Hi there <a href="#">Buy</a> <a href="/offer">Offer</a> <img src="https://x.example/a.png"></p>\n'
    )
    await push_files(store, files, at=now, by="kim")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "templates/invite-hello")
        assert "version 2" in html
        for said in ("“#”", "“/offer”", "text part", "shouts", "a phone shows", "alt", "preheader"):
            assert said in html, said
        assert "it is not published" in await _get(session, "templates")


async def test_a_test_goes_to_one_address_and_is_written_down_without_it() -> None:
    store, now = await lived_in()
    taking, before = Taking(), await store.count("sends", {})
    async with a_console(store, now, transport=taking) as (session, _):
        await log_in(session)
        where = await _post(session, "templates/invite-hello/test", 303, to="kim@shop.example")
        assert where.endswith("said=tested")
        [(sender, recipient, raw)] = taking.mails
        assert (sender, recipient) == ("hello@shop.example", "kim@shop.example")
        assert "Unsubscribe" in parse_mail(raw).text
        rows = await store.rows("sends", {}, limit=1)
        seen = {"to": "kim@shop.example", "visitor": rows[0]["visitor"]}
        await _post(session, "templates/invite-hello/test", 303, **seen)
        mine, theirs = (parse_mail(each[2]) for each in taking.mails)
        first, second = (each.text.partition("http")[0] for each in (mine, theirs))
        assert first == second, "what is known of a visitor goes to nobody else"
        row, _ = await store.rows("audit_log", {"act": "template.tested"})
        assert (row["by"], row["of"]) == ("kim", "invite-hello")
        assert "shop.example" not in str(row)
        assert await store.count("sends", {}) == before, "it is no send of the ledger"


@pytest.mark.parametrize("to", ["", "no address", "a@b@c", "kim@shop.example\r\nBcc: x@y.example"])
async def test_a_test_to_no_address_is_refused(to: str) -> None:
    store, now = await lived_in()
    taking = Taking()
    async with a_console(store, now, transport=taking) as (session, _):
        await log_in(session)
        html = await _post(session, "templates/invite-hello/test", 422, to=to)
        assert "the test was not sent" in html.lower()
        assert not taking.mails


async def test_nobody_who_left_gets_a_test_and_nobody_gets_hundreds() -> None:
    store, now = await lived_in()
    taking = Taking()
    await store.suppress(mailbox_hash(SECRET, "ann@example.com"), "unsubscribed", NOON)
    async with a_console(store, now, transport=taking) as (session, _):
        await log_in(session)
        html = await _post(session, "templates/invite-hello/test", 422, to="ann@example.com")
        assert "its owner left" in html
        for _ in range(20):
            await _post(session, "templates/invite-hello/test", 303, to="kim@shop.example")
        html = await _post(session, "templates/invite-hello/test", 422, to="kim@shop.example")
        assert "within an hour" in html
        assert len(taking.mails) == 20


async def test_what_the_server_says_of_a_test_is_told() -> None:
    store, now = await lived_in()
    async with a_console(store, now, transport=Taking("deferred")) as (session, _):
        await log_in(session)
        html = await _post(session, "templates/invite-hello/test", 422, to="kim@shop.example")
        assert "deferred: no room" in html


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("templates/none", 404),
        ("templates/none/body", 404),
        ("templates/invite-hello?visitor=x", 422),
        (f"templates/invite-hello?visitor={'0' * 24}", 404),
        ("templates/invite-hello?width=wide&scheme=pink", 200),
    ],
)
async def test_what_is_not_there_is_said_to_be_not_there(path: str, status: int) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _get(session, path, status)


def a_mail(html: str, text: str = "Words that say as much as the HTML does.", **more: str) -> Mail:
    kept = {"subject": "Hello", "preheader": "First words", "sender": "", "to": "", "date": ""}
    return Mail(number=0, headers=[], html=html, text=text, send_id="", size=0, **{**kept, **more})


def test_an_e_mail_that_gmail_would_cut_is_wrong_and_a_good_one_has_nothing() -> None:
    good = '<a href="https://shop.example/x">Go</a><a href="mailto:hi@shop.example">Write</a>'
    assert judged(a_mail(good), postal_address="1 Street") == []
    [large] = judged(a_mail(good + "x" * 105_000), postal_address="1 Street")
    assert (large.level, "Gmail" in large.said) == ("wrong", True)
    for link in ("", "#top", "javascript:alert(1)", "http://", "shop.example", "ftp://x"):
        [wrong] = judged(a_mail(f'<a href="{link}">Go</a>'), postal_address="1 Street")
        assert wrong.level == "wrong"


@pytest.mark.parametrize(
    ("html", "level", "said"),
    [
        ("<SCRIPT>alert(1)</SCRIPT><script src='x'></script>", "wrong", "<script> (2x)"),
        ("<iframe src='https://shop.example'></iframe>", "wrong", "<iframe>"),
        ("<object data='x'></object><embed src='x'>", "wrong", "<embed>, <object>"),
        ("<img alt='' src='x' onError='y()'><p onclick=z()>Hi</p>", "wrong", "onclick=, onerror="),
        ("<svg onload='y()'/>", "wrong", "onload="),
        ("<form action='https://shop.example'><input name='a'></form>", "look", "<form>"),
    ],
)
def test_what_readers_programs_do_not_run_is_said(html: str, level: str, said: str) -> None:
    [found] = judged(a_mail(html), postal_address="1 Street")
    assert found.level == level
    assert said in found.said


def test_what_only_looks_so_is_not() -> None:
    html = "<!-- <script> onload= --><p title='onclick=x'>&lt;form&gt; on=off</p>"
    assert judged(a_mail(html), postal_address="1 Street") == []


class Answers:
    """Answer for links without asking anybody."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, links: list[str]) -> list[LinkAnswer]:
        self.asked += links
        return [
            LinkAnswer(link=each, outcome="wrong", said="answers 404: there is no such page")
            for each in links
        ]


BROKEN = (
    "subject: Something new\n"
    "preheader: The first words of it\n"
    "text: |\n"
    "  Words that say as much as the HTML does, https://shop.example/words as well.\n"
    "html: |\n"
    '  <p><a href="https://shop.example/hello">A</a> <a href="https://shop/b">B</a>\n'
    '  <a href="https://shop.example/{{ first_name | default: "" }}">C</a></p>\n'
    "  <!-- {{ unsubscribe_url }} -->\n"
)


async def test_targets_are_judged_behind_the_tracked_links_and_asked_only_at_a_button() -> None:
    store, now = await lived_in()
    files = await files_of(store, 1)
    files["templates/invite-hello.yaml"] = BROKEN
    await push_files(store, files, at=now, by="kim")
    asks = Answers()
    mailings = StoredMailings(store, StillClock(now), POST, Taking, asks)
    async with a_console(store, now, mailings=mailings) as (session, _):
        await log_in(session)
        html = await _get(session, "templates/invite-hello")
        for said in ("“https://shop/b” has a malformed host", "comes to nothing", "unsubscribing"):
            assert said in html, said
        assert asks.asked == [], "nobody is asked by looking"
        html = await _post(session, "templates/invite-hello/links", 200, visitor="")
        assert asks.asked[0] == "https://shop.example/hello", "the target, not the tracked link"
        assert "answers 404: there is no such page" in html
        assert "https://shop.example/words" in asks.asked
        [row] = await store.rows("audit_log", {"act": "template.links_checked"})
        assert (row["by"], row["of"]) == ("kim", "invite-hello")
    async with a_console(store, now, mailings=mailings) as (session, _):
        await log_in(session, "vic")
        assert "Check links" not in await _get(session, "templates/invite-hello")
        await _post(session, "templates/invite-hello/links", 403, visitor="")


async def test_links_are_not_asked_hundreds_of_times() -> None:
    store, now = await lived_in()
    mailings = StoredMailings(store, StillClock(now), POST, Taking, Answers())
    async with a_console(store, now, mailings=mailings) as (session, _):
        await log_in(session)
        for _ in range(30):
            await _post(session, "templates/invite-hello/links", 200, visitor="")
        html = await _post(session, "templates/invite-hello/links", 429, visitor="")
        assert "try again" in html


async def test_the_api_shows_a_draft_and_asks_links() -> None:
    store, now = await lived_in()
    asks = Answers()
    mailings = StoredMailings(store, StillClock(now), POST, Taking, asks)
    async with a_console(store, now, mailings=mailings) as (session, _):
        path = "/api/v1/templates/invite-hello"
        draft = {"base": 1, "text": BROKEN}
        async with session.post(f"{path}/preview", json=draft, headers=ADMIN) as answer:
            told = (await answer.json())["template"]
            assert answer.status == 200, told
            assert told["mail"]["subject"] == "Something new"
            assert any("unsubscribing" in each["said"] for each in told["judgements"])
        draft = {"base": 1, "text": "subject: x\nsubjet: y\n"}
        async with session.post(f"{path}/preview", json=draft, headers=ADMIN) as answer:
            told = (await answer.json())["template"]
            assert told["mail"] is None
            assert told["failed"].startswith("line ")
        async with session.post(f"{path}/links", json={}, headers=ADMIN) as answer:
            assert answer.status == 200
            assert len((await answer.json())["links"]) == len(asks.asked) > 0
        async with session.post(f"{path}/links", json={"visitor": "x"}, headers=ADMIN) as answer:
            assert answer.status == 422
    assert (await store.rows("rules_versions", {}, limit=9))[0]["id"] == "1", "nothing is written"


async def test_what_is_a_draft_is_said_and_what_goes_out_can_be_seen_beside_it() -> None:
    store, now = await lived_in()
    files = dict(await files_of(store, 1) or {})
    hello, new = "templates/invite-hello.yaml", "templates/newcomer.yaml"
    files[new] = files[hello]
    files[hello] = re.sub(r"(?m)^subject: .*$", "subject: Only a draft says this", files[hello])
    await push_files(store, files, at=now, by="kim")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "templates/invite-hello")
        assert "of version 2, a draft" in html
        assert "Only a draft says this" in html
        assert "Send the published one (version 1) to a cohort" in html
        assert "This draft goes to nobody before it is published." in html
        assert "Draft (version 2)" in html
        html = await _get(session, "templates/invite-hello?of=published")
        assert "of version 1 ·" in html
        assert "Only a draft says this" not in html
        assert "Send it to a cohort" in html
        assert "of=published" in html.partition("<iframe")[2].partition(">")[0]
        html = await _get(session, "templates/newcomer")
        assert "once a version that has it is published" in html
        assert "broadcasts?template=" not in html
        await _get(session, "templates/newcomer?of=published", 404)
        html = await _get(session, "templates/invite-short")
        assert "Send it to a cohort" in html, "the draft left it as it is"
        async with session.get(
            "/api/v1/templates/invite-hello?of=published", headers=ADMIN
        ) as answer:
            told = (await answer.json())["template"]
        assert (told["version"], told["newest"], told["goes_out"]) == (1, 2, 1)
        assert told["is_what_goes_out"]


async def test_pictures_come_when_they_are_asked_for_and_the_one_that_tells_of_an_open_never() -> (
    None
):
    store, now = await lived_in()
    files = await files_of(store, 1)
    file = "templates/invite-hello.yaml"
    picture = '<mj-image src="https://shop.example/lamp.png" alt="A lamp" />'
    with_picture = files[file].replace("<mj-text", f"{picture}<mj-text", 1)
    await push_files(store, files | {file: with_picture}, at=now, by="kim")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        page = await _get(session, "templates/invite-hello")
        assert "?pictures=on" in page
        for query, sources in (
            ("", "img-src data:;"),
            ("?pictures=on", "img-src https: http: data:;"),
        ):
            async with session.get(f"/console/templates/invite-hello/body{query}") as answer:
                html = await answer.text()
                assert sources in answer.headers["Content-Security-Policy"]
            assert "lamp.png" in html
            assert "/o/" not in html
        assert "?pictures=on" not in await _get(session, "templates/invite-help"), "it has none"
        data = {"form_key": await form_key(session), "text": with_picture, "pictures": "on"}
        where = "/console/templates/invite-hello/draft/body"
        async with session.post(where, data={**data, "file": file, "base": "1"}) as answer:
            assert "img-src https:" in answer.headers["Content-Security-Policy"]
