"""Who gets into the console, what they may do there, and that nobody else can make them do it."""

from __future__ import annotations

import asyncio
import io
import re
from datetime import datetime, timedelta

import pytest

from messaging.gateway.console.drawing import ASSETS
from messaging.gateway.console.entrance import Entrance
from messaging.gateway.console.sessions import SESSION_MAX, SESSIONS
from messaging.gateway.console.users import USERS, User, put_user, remove_user
from messaging.gateway.limits import Limits
from messaging.gateway.problems import ProblemError
from messaging.gateway.route import SESSION
from messaging.gateway.routes import all_routes
from messaging.store.audit_log import AUDIT_LOG
from messaging.store.memory import MemoryDatabase, MemoryStore
from tests.console_builders import (
    PASSWORD,
    a_browser,
    a_console,
    add_users,
    form_key,
    lived_in,
    log_in,
)
from tests.gateway_builders import ADMIN, NOON

ROUTES = [
    (route.method, re.sub(r"{\w+}", "x", route.path))
    for route in all_routes()
    if route.access == SESSION
]
HEADERS = {
    "Content-Security-Policy": "script-src 'self'; style-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
}


NOWHERE = ["/console/nowhere", "/console/rules/nowhere/9", "/console/static/nowhere.css"]


@pytest.mark.parametrize("path", NOWHERE)
async def test_an_address_of_the_console_that_there_is_not_is_a_page_with_a_way_home(
    path: str,
) -> None:
    async with a_console() as (session, _):
        html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        async with session.get(path, headers=html) as answer:
            assert answer.status == 401, "as every page of the console is without a session"
            assert "Log in" in await answer.text()
        await log_in(session)
        async with session.get(path, headers=html) as answer:
            page = await answer.text()
            assert (answer.status, answer.content_type) == (404, "text/html")
            assert '<a href="/console/">To the overview</a>' in page
            assert "There is no page at this address" in page
            assert HEADERS["Content-Security-Policy"].split(";")[0] in str(answer.headers)
        for accept in ("application/json", "*/*"):
            async with session.get(path, headers={"Accept": accept}) as answer:
                assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_the_address_of_a_form_is_a_page_as_well_where_it_is_looked_at() -> None:
    async with a_console() as (session, _):
        await log_in(session)
        async with session.get("/console/pause", headers={"Accept": "text/html"}) as answer:
            assert (answer.status, answer.content_type) == (405, "text/html")
            assert answer.headers["Allow"] == "POST"
            assert "To the overview" in await answer.text()


async def test_outside_the_console_nothing_is_a_page() -> None:
    async with a_console() as (session, _):
        await log_in(session)
        async with session.get("/consoles", headers={"Accept": "text/html"}) as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nothing_is_shown_or_done_without_a_session(method: str, path: str) -> None:
    """Nor with the write key, the admin token as bearer, or a cookie that somebody made up."""
    async with a_console() as (session, store):
        before = await store.count(AUDIT_LOG, {})
        for headers in ({}, ADMIN, {"Cookie": "mdma_console_00000000=x; mdma_console=y"}):
            async with session.request(
                method, path, headers=headers, data={} if method == "POST" else None
            ) as answer:
                assert answer.status == 401
                assert "Log in" in await answer.text()
        assert await store.count(AUDIT_LOG, {}) == before


async def test_every_answer_has_the_headers_that_keep_a_page_to_itself() -> None:
    async with a_console() as (session, _):
        await log_in(session)
        for path in ("", "login", "changes", "visitors?cohort=none"):
            async with session.get(f"/console/{path}") as answer:
                for name, value in HEADERS.items():
                    assert value in answer.headers[name], name
                html = await answer.text()
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html)


async def test_the_admin_token_and_a_users_password_let_in_and_nothing_else_does() -> None:
    async with a_console() as (session, store):
        await log_in(session, "admin", "the-token")
        await log_in(session, " KIM ", PASSWORD)
        for user, password in (
            ("admin", PASSWORD),
            ("kim", "the-token"),
            ("kim", PASSWORD + "x"),
            ("nobody", PASSWORD),
            ("kim", ""),
            ("", ""),
            ("$ne", "x"),
            ("k\0m", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")),
        ):
            answer = await log_in(session, user, password, status=401)
            assert not answer.cookies
        assert await store.count(SESSIONS, {}) == 2


async def test_the_cookie_is_kept_from_scripts_and_other_sites_and_opens_the_other_pages() -> None:
    async with a_console(public_url="https://shop.example") as (session, store):
        answer = await log_in(session)
        [cookie] = [each for name, each in answer.cookies.items() if "console" in name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        assert (cookie["path"], cookie["secure"]) == ("/", True)
        assert 0 < int(cookie["max-age"]) <= 12 * 3600
        [row] = await store.rows(SESSIONS, {})
        assert cookie.value not in str(row), "only its hash is stored"
    async with a_console() as (session, _):
        answer = await log_in(session)
        assert not any(each["secure"] for each in answer.cookies.values()), "http has no secure one"


async def test_a_session_ends_with_its_time_its_user_its_password_or_by_the_button() -> None:
    now = [NOON]
    async with a_console(wall_now=lambda: now[0]) as (session, store):

        async def status() -> int:
            async with session.get("/console/changes") as answer:
                return answer.status

        await log_in(session)
        assert await status() == 200
        now[0] = NOON + SESSION_MAX
        assert await status() == 401, "its time is over"
        await log_in(session)
        kept = await store.get_document(USERS, "kim")
        assert kept is not None
        await put_user(store, User(name="kim", role="editor", password=kept["password"][:-4]))
        assert await status() == 401, "another password"
        await put_user(store, User(name="kim", role="editor", password=kept["password"]))
        assert await status() == 200
        await remove_user(store, "kim")
        assert await status() == 401, "no such user any more"
        await log_in(session, "vic")
        form = {"form_key": await form_key(session)}
        async with session.post("/console/logout", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        assert await status() == 401
        assert await store.count(SESSIONS, {"user": "vic"}) == 0


async def test_a_user_has_a_bounded_number_of_sessions_and_old_ones_go() -> None:
    async with a_console() as (session, store):
        for number in range(25):
            fields = {
                "user": "kim",
                "mark": "x",
                "at": NOON - timedelta(hours=number),
                "expires_at": NOON + timedelta(hours=12 - number),
            }
            await store.put_document(SESSIONS, f"s{number}", fields)
        await log_in(session)
        rows = await store.rows(SESSIONS, {"user": "kim"})
        assert all(row["expires_at"] > NOON for row in rows)
        assert len(rows) <= 20


async def test_a_form_from_elsewhere_does_nothing() -> None:
    """Without the key, with another session's, or with one that was made up; whatever Origin it names."""
    async with a_console() as (session, store):
        await log_in(session)
        async with a_browser(session) as other:
            await log_in(other, "kim")
            theirs = await form_key(other)
        before = await store.count(AUDIT_LOG, {})
        for given in ({}, {"form_key": ""}, {"form_key": theirs}, {"form_key": "é" * 64}):
            for path in ("pause", "resume", "logout", "alerts/a1/close", "visitors/find"):
                async with session.post(f"/console/{path}", data=given) as answer:
                    assert answer.status == 403, path
        assert await store.count(AUDIT_LOG, {}) == before
        assert await store.get_document("control", "pause") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_nobody_is_logged_in_by_another_site(site: str) -> None:
    async with a_console() as (session, store):
        form = {"user": "kim", "password": PASSWORD}
        headers = {"Sec-Fetch-Site": site}
        async with session.post("/console/login", data=form, headers=headers) as answer:
            assert answer.status == 403
            assert not answer.cookies
        assert await store.count(SESSIONS, {}) == 0


async def test_a_viewer_reads_and_changes_nothing() -> None:
    async with a_console() as (session, store):
        await log_in(session, "vic")
        form = {"form_key": await form_key(session)}
        for path in ("pause", "resume", "alerts/a1/close"):
            async with session.post(f"/console/{path}", data=form) as answer:
                assert answer.status == 403
                assert "viewer" in await answer.text()
        assert await store.get_document("control", "pause") is None
        async with session.get("/console/") as answer:
            assert answer.status == 200
            assert "Pause" not in await answer.text()


async def test_too_many_attempts_are_answered_429_until_the_window_is_over() -> None:
    async with a_console(limits=Limits(logins_max=3, logins_window_seconds=300.0)) as (session, _):
        for _attempt in range(3):
            await log_in(session, "admin", "wrong", status=401)
        answer = await log_in(session, "admin", "the-token", status=429)
        assert 0 < int(answer.headers["Retry-After"]) <= 301
        assert "try again in" in await answer.text()


async def test_a_user_name_is_limited_over_all_addresses_and_success_gives_back() -> None:
    limits = Limits(logins_max=100, logins_of_user_max=2)
    async with a_console(limits=limits) as (session, _):
        await log_in(session, "kim", "wrong", status=401)
        await log_in(session, "kim", PASSWORD)
        await log_in(session, "kim", "wrong", status=401)
        await log_in(session, "kim", "wrong", status=401)
        await log_in(session, "kim", PASSWORD, status=429)
        await log_in(session, "vic", PASSWORD)
        for _attempt in range(4):
            await log_in(session, "admin", "wrong", status=401)
        await log_in(session, "admin", "the-token")  # it cannot be guessed: nobody shuts it out


async def test_what_an_address_may_not_try_shuts_nobody_out() -> None:
    """One client without any password must not lock a user out of everywhere else."""
    store = MemoryStore(MemoryDatabase())
    await add_users(store)
    entrance = Entrance(Limits(logins_max=3, logins_of_user_max=5))
    outcomes = []
    for _attempt in range(20):
        try:
            await entrance.let_in(
                store, "kim", "wrong", address="192.0.2.1", admin_token="t", now=0.0
            )
        except ProblemError as problem:
            outcomes.append(problem.status)
    assert outcomes == [429] * 17
    user = await entrance.let_in(
        store, "kim", PASSWORD, address="192.0.2.2", admin_token="t", now=1.0
    )
    assert user is not None


async def test_who_may_not_log_in_any_more_sees_no_page_any_more() -> None:
    """The session opens the other pages too, and nothing that outlives it does."""
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        for path, status in (("/overview", 200), ("/inbox", 404)):
            async with session.get(path) as answer:
                assert answer.status == status
        await remove_user(store, "vic")
        for path in ("/overview", "/inbox", "/console/"):
            async with session.get(path) as answer:
                assert answer.status == 401, path


async def test_a_crowd_at_the_door_is_bounded() -> None:
    limits = Limits(logins_max=100, logins_of_user_max=100, logins_waiting_max=1)
    async with a_console(limits=limits) as (session, _):
        form = {"user": "kim", "password": "wrong"}

        async def attempt() -> int:
            async with session.post("/console/login", data=form) as answer:
                return answer.status

        statuses = await asyncio.gather(*(attempt() for _ in range(4)))
        assert set(statuses) == {401, 503}


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/console/alerts?status=closed", "/console/alerts?status=closed"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/console//evil.example", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("/consoles", "/console/"),
        ("/console/logout", "/console/"),
        ("", "/console/"),
    ],
)
async def test_a_login_leads_to_pages_of_the_console_only(to: str, location: str) -> None:
    async with a_console() as (session, _):
        form = {"user": "admin", "password": "the-token", "to": to}
        async with session.post("/console/login", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == location


async def test_the_page_that_is_asked_for_is_kept_through_attempts_that_fail() -> None:
    async with a_console(limits=Limits(logins_max=1)) as (session, _):
        form = {"user": "kim", "password": "wrong", "to": "/console/alerts?status=closed"}
        for status in (401, 429):
            async with session.post("/console/login", data=form) as answer:
                assert answer.status == status
                assert 'name="to" value="/console/alerts?status=closed"' in await answer.text()


async def test_a_form_whose_session_is_over_is_told_from_a_page_that_is_asked_for() -> None:
    async with a_console() as (session, _):
        async with session.post("/console/rules/save", data={"text": "x"}) as answer:
            assert answer.status == 401
            assert " data-ended" in await answer.text()
        async with session.get("/console/rules") as answer:
            html = await answer.text()
            assert 'name="to" value="/console/rules"' in html
            assert " data-ended" not in html


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=1&" * 500, "application/x-www-form-urlencoded", 400),
        (b"x" * 1_100_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"\xff\xfe%ff&&&===", "application/x-www-form-urlencoded", 401),
    ],
)
async def test_a_form_that_no_page_sends_is_refused(
    body: bytes, content_type: str, status: int
) -> None:
    async with a_console() as (session, _):
        headers = {"Content-Type": content_type}
        given = io.BytesIO(body)
        async with session.post("/console/login", data=given, headers=headers) as answer:
            assert answer.status == status


async def test_files_are_kept_for_a_year_under_the_name_of_their_content() -> None:
    async with a_console() as (session, _):
        async with session.get("/console/login") as answer:
            names = re.findall(r"/console/static/([\w.]+)", await answer.text())
        assert sorted(names) == sorted(ASSETS)
        for name in names:
            async with session.get(f"/console/static/{name}") as answer:
                assert answer.status == 200
                assert "immutable" in answer.headers["Cache-Control"]
        async with session.get("/console/static/console.000000000000.css") as answer:
            assert answer.status == 404
        async with session.get("/console", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/console/"


async def test_what_was_done_is_written_down_with_who_and_when() -> None:
    later = datetime(2030, 1, 1, tzinfo=NOON.tzinfo)
    async with a_console(wall_now=lambda: later) as (session, store):
        await log_in(session)
        form = {"form_key": await form_key(session), "to": "/console/system"}
        async with session.post("/console/pause", data=form, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/console/system?said=paused"
        assert (await store.get_document("control", "pause"))["paths"] == "all"
        async with session.get("/console/system?said=paused") as answer:
            html = await answer.text()
            assert "Everything is paused" in html
            assert "Paused: everything" in html
        async with session.post("/console/resume", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        async with session.post("/api/v1/pause", headers=ADMIN) as answer:
            assert answer.status == 200
        async with session.get("/api/v1/audit-log", headers=ADMIN) as answer:
            rows = (await answer.json())["audit-log"]
        assert sorted((row["by"], row["act"]) for row in rows) == [
            ("admin", "hand_overs.paused"),
            ("kim", "hand_overs.paused"),
            ("kim", "hand_overs.resumed"),
            ("kim", "session.opened"),
        ]
        assert {row["at"] for row in rows} == {"2030-01-01T00:00:00Z"}
