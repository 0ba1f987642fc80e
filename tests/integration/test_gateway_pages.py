"""The pages for people over a real socket: who may look, what they show, and that nothing in it can act."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from messaging.gateway.limits import Limits
from messaging.gateway.route import VIEWER
from messaging.gateway.routes import all_routes
from messaging.gateway.viewing import viewing_key
from messaging.store.memory import MemoryDatabase
from tests.gateway_builders import ADMIN, SECRET, a_site
from tests.page_builders import EVIL, TellingReader, a_ledger_row, a_mail, an_inbox

KEY = viewing_key(SECRET, "the-token")
PATHS = [
    route.path.replace("{id}", "ann").replace("{number}", "1")
    for route in all_routes()
    if route.access == VIEWER
]


def a_paged_site(folder: Path | None = None, who: str = "ann@example.com", **more: object):
    return a_site(reader=TellingReader(who), mail_folder=folder, **more)


async def _page(session: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with session.get(path, headers=ADMIN) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "text/html"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        return await answer.text()


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_shown_to_nobody_without_the_key(path: str, tmp_path: Path) -> None:
    """Not to a wrong key, an old cookie, or the write key of the site, which stands in public pages."""
    folder = an_inbox(tmp_path, a_mail(subject="Private"))
    async with a_paged_site(folder, shop=True) as (session, _):
        for query in ("", "?key=", "?key=wrong", "?key=a-key", "?key=%ff", f"?key={KEY}x"):
            headers = {
                "Cookie": "mdma_view=x; mdma_view_00000000=y",
                "Authorization": "Bearer \xff",
            }
            async with session.get(
                f"{path}{query}", headers=headers, allow_redirects=False
            ) as answer:
                assert answer.status == 401
                said = await answer.text()
                assert "Admin token" in said
                assert "Private" not in said
                assert "ann@example.com" not in said


@pytest.mark.parametrize("path", ["/overview", "/inbox?before=9", "/overview/visitors/ann"])
async def test_a_link_with_the_key_leads_in_and_leaves_the_key_in_no_address(
    path: str, tmp_path: Path
) -> None:
    async with a_paged_site(an_inbox(tmp_path, a_mail())) as (session, _):
        link = f"{path}{'&' if '?' in path else '?'}key={KEY}"
        async with session.get(link, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == path
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            [cookie] = answer.cookies.values()
            assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        jar = {cookie.key: cookie.value}
        async with session.get(path, cookies=jar) as answer:
            assert answer.status == 200
        async with session.get("/api/v1/stats", cookies=jar) as answer:
            assert answer.status == 401, "who may look may not act"


async def test_another_admin_token_has_another_key() -> None:
    assert viewing_key(SECRET, "other") != KEY != viewing_key(b"other", "the-token")
    assert len(KEY) == 32


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/inbox", "/inbox"),
        ("/overview/visitors/ann", "/overview/visitors/ann"),
        ("https://evil.example/", "/overview"),
        ("//evil.example/overview", "/overview"),
        ("/overviewer", "/overview"),
        ("/api/v1/pause", "/overview"),
        ("", "/overview"),
    ],
)
async def test_the_form_takes_the_admin_token_and_leads_to_pages_only(
    to: str, location: str
) -> None:
    async with a_paged_site() as (session, _):
        for token, status in (("the-token", 303), (KEY, 303), ("wrong", 401), ("", 401)):
            form = {"to": to, "token": token}
            async with session.post("/enter", data=form, allow_redirects=False) as answer:
                assert answer.status == status
                if status == 303:
                    assert answer.headers["Location"] == location
                else:
                    assert not answer.cookies


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 400),
        (b"x" * 5_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 401),
        (b"{}", "image/png", 415),
        (b"\xff\xfe%ff&&&===", "application/x-www-form-urlencoded", 401),
    ],
)
async def test_a_form_that_no_page_sends_is_refused(
    body: bytes, content_type: str, status: int
) -> None:
    async with (
        a_paged_site() as (session, _),
        session.post("/enter", data=body, headers={"Content-Type": content_type}) as answer,
    ):
        assert answer.status == status


async def test_the_overview_says_what_each_bot_does_and_shows_no_markup_of_others() -> None:
    async with a_paged_site(who=EVIL) as (session, _):
        said = await _page(session, "/overview")
        for title in ("Behavior", "Engagement", "Email", "Rules Manager", "Sales", "Learner"):
            assert f"<h3>{title} " in said
        assert EVIL not in said
        assert said.count(escape(EVIL)) == 2
        story = await _page(session, "/overview/visitors/ann")
        assert EVIL not in story
        assert escape(EVIL) in story


@pytest.mark.parametrize("id_", ["bob", "%00", "x" * 513, "%ED%A0%80", quote(EVIL, safe="")])
async def test_a_story_of_nobody_is_a_404_that_says_so(id_: str) -> None:
    async with a_paged_site() as (session, _):
        assert "Nobody is known by this" in await _page(session, f"/overview/visitors/{id_}", 404)


async def test_the_inbox_lists_the_newest_first_with_whom_and_why(tmp_path: Path) -> None:
    database = MemoryDatabase()
    database.tables["sends"] = {"send-2": a_ledger_row()}
    folder = an_inbox(tmp_path, *(a_mail(n, subject=f"Subject {n}") for n in range(1, 61)))
    async with a_paged_site(folder, database=database) as (session, _):
        said = await _page(session, "/inbox")
        assert said.index("Subject 60") < said.index("Subject 11")
        assert "Subject 10<" not in said
        assert "ann@<wbr>example.com" in said
        assert "First words of 60" in said
        assert "Thu 1 Jun 2017, 13:00 UTC" in said, "its time in plain words"
        assert "no send of a path" in said
        older = await _page(session, "/inbox?before=11")
        assert "Subject 10<" in older
        assert "attempt 1 on the path lead-to-customer: who stands at “invited”" in older
        assert "data-seconds" not in older, "what is old has no news"
        for hostile in ("-1", "x", "%00", "9" * 40, "²"):
            assert "Subject 60" in await _page(session, f"/inbox?before={hostile}")


async def test_one_mail_is_shown_with_its_text_headers_and_reason(tmp_path: Path) -> None:
    database = MemoryDatabase()
    database.tables["sends"] = {"send-1": a_ledger_row()}
    async with a_paged_site(an_inbox(tmp_path, a_mail()), database=database) as (session, _):
        said = await _page(session, "/inbox/1?width=phone&scheme=dark")
        for part in (
            "The text part.",
            "List-Unsubscribe",
            "invite-hello",
            "who stands at “invited”",
            "sheet phone",
        ):
            assert part in said
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in said
        assert 'src="/inbox/1/body?scheme=dark&amp;pictures="' in said
        assert "sheet <" not in await _page(session, '/inbox/1?width="><b>&scheme=<')


@pytest.mark.parametrize(
    "number", ["0", "2", "-1", "1.5", "x", "%00", "9" * 30, "..%2f..%2fsecret", "0000000001.eml"]
)
async def test_a_mail_that_is_not_there_is_a_404_that_says_so(number: str, tmp_path: Path) -> None:
    async with a_paged_site(an_inbox(tmp_path, a_mail())) as (session, _):
        for path in (f"/inbox/{number}", f"/inbox/{number}/body"):
            assert "This e-mail is not here" in await _page(session, path, 404)


async def test_a_hostile_mail_is_shown_as_text_and_its_html_under_a_policy_that_runs_nothing(
    tmp_path: Path,
) -> None:
    html = (
        f"<html><head></head><body>{EVIL}<form action=//evil.example><input></form></body></html>"
    )
    raw = a_mail(subject=EVIL, html=html)
    async with a_paged_site(an_inbox(tmp_path, raw, b"\xff\x00 no mail at all", b"")) as (
        session,
        _,
    ):
        for path in ("/inbox", "/inbox/1", "/inbox/2", "/inbox/3"):
            assert EVIL not in await _page(session, path)
        for query, pictures in (("", "img-src data:;"), ("?pictures=on", "img-src 'self' data:;")):
            async with session.get(f"/inbox/1/body{query}", headers=ADMIN) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src" not in policy
                assert "allow-scripts" not in policy
                assert "sandbox allow-popups" in policy
                assert "form-action 'none'" in policy
                assert pictures in policy
                assert '<base target="_blank">' in await answer.text()


async def test_without_a_sink_or_a_shop_the_pages_say_so() -> None:
    async with a_paged_site() as (session, _):
        assert "No inbox here" in await _page(session, "/inbox", 404)
        assert "No demo here" in await _page(session, "/demo", 404)
    async with a_paged_site(shop=True) as (session, _):
        said = await _page(session, "/demo")
        assert all(f'href="{path}"' in said for path in ("/overview", "/inbox", "/"))


async def test_who_tries_tokens_is_held_up_and_who_has_it_gets_the_attempts_back() -> None:
    limits = Limits(logins_max=2)
    async with a_paged_site(limits=limits) as (session, _):
        given = ["wrong", "the-token", "wrong", "wrong", "the-token"]
        for token, status in zip(given, (401, 303, 401, 401, 429), strict=True):
            form = {"to": "/overview", "token": token}
            async with session.post("/enter", data=form, allow_redirects=False) as answer:
                assert answer.status == status
                assert ("Retry-After" in answer.headers) == (status == 429)
                assert answer.content_type == "text/html" or status == 303


@pytest.mark.parametrize(("public_url", "secure"), [("https://mdma.example", True), ("", False)])
async def test_the_keys_cookie_is_a_secure_one_where_people_come_by_https(
    public_url: str, secure: bool
) -> None:
    async with (
        a_paged_site(public_url=public_url) as (session, _),
        session.get(f"/overview?key={KEY}", allow_redirects=False) as answer,
    ):
        assert answer.status == 303
        [cookie] = answer.cookies.values()
        assert bool(cookie["secure"]) == secure
