"""The webhooks of paths over real HTTP: signed, tried again under one id, answered once, nothing private reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from messaging.alerts.signing import key_of, signed_headers
from messaging.alerts.webhook import WebhookClient
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import Fact, WebhookAnswered
from messaging.webhooks.answers import TRAITS_MAX, traits_of
from messaging.webhooks.caller import Caller, Pace
from tests.gateway_builders import NOON, StillClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PACE = Pace(pause_seconds_first=0.0, look_seconds=0.01, tries_max=3)
PLAN = '{"traits": {"plan": "gold"}}'


class Receiver:
    """Answer by script, then 200 with a plan; hold what came."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        status, text = self.answers.pop(0) if self.answers else (200, PLAN)
        headers = {"Location": "/other"} if status in (302, 307) else {}
        return web.Response(status=status, text=text, headers=headers)


class Journaled:
    """Take facts, each message id once; fail as often as told."""

    def __init__(self, failing: int = 0) -> None:
        self.facts: dict[str, WebhookAnswered] = {}
        self.failing = failing

    async def __call__(self, fact: Fact, message_id: str) -> bool:
        if self.failing:
            self.failing -= 1
            raise Unavailable("no journal")
        assert isinstance(fact, WebhookAnswered)
        return self.facts.setdefault(message_id, fact) is fact


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


def a_row(url: str, **changes: Any) -> dict[str, Any]:
    """Return a queued call."""
    return {
        "visitor": "v",
        "url": url,
        "path": "welcome",
        "run": "1",
        "step": "ask",
        "at": NOON,
        "data": {"visitor_id": "v", "traits": {"firstName": "Ann"}},
        "status": "waiting",
        "tries": 0,
        "reason": "",
    } | changes


def a_caller(database: MemoryDatabase, journal: Journaled, client: WebhookClient | None) -> Caller:
    return Caller(
        MemoryStore(database),
        StillClock(),  # type: ignore[arg-type]
        client,
        journal,
        lambda: 0.5,
        wall_now=lambda: NOON,
        pace=PACE,
    )


async def called(
    receiver: Receiver, journal: Journaled | None = None, *, private: bool = True
) -> tuple[dict[str, Any], Journaled]:
    """Call what is queued until nothing waits; return the row and what was journaled."""
    database, told = MemoryDatabase(), journal or Journaled()
    async with listening(receiver) as url:
        database.tables["webhooks"] = {"c1": a_row(url)}
        client = WebhookClient("", SECRET, allow_private=private)
        caller = a_caller(database, told, client)
        await caller.start()
        while await caller.look():
            pass
        await client.close()
    return database.tables["webhooks"]["c1"], told


async def test_a_call_is_signed_and_its_answer_journaled_once() -> None:
    receiver = Receiver()
    row, told = await called(receiver)
    ((headers, body),) = receiver.got
    wanted = signed_headers(key_of(SECRET), "c1", int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == wanted["webhook-signature"]
    assert b'"firstName":"Ann"' in body
    (fact,) = told.facts.values()
    assert (fact.outcome, fact.traits, fact.step) == ("answered", {"plan": "gold"}, "ask")
    assert (row["status"], row["tries"], row["data"]) == ("answered", 1, {})


async def test_what_a_call_tells_of_somebody_is_kept_until_nothing_more_comes_of_it() -> None:
    database, receiver = MemoryDatabase(), Receiver((503, ""), (404, ""))
    async with listening(receiver) as url:
        database.tables["webhooks"] = {"c1": a_row(url)}
        client = WebhookClient("", SECRET, allow_private=True)
        caller = a_caller(database, Journaled(), client)
        for status in ("waiting", "failed"):
            await caller.look()
            row = database.tables["webhooks"]["c1"]
            assert (row["status"], "Ann" in str(row["data"])) == (status, status == "waiting")
        await client.close()
    assert [b'"firstName":"Ann"' in body for _, body in receiver.got] == [True, True]


async def test_what_may_be_better_later_is_tried_again_under_one_id_and_not_for_ever() -> None:
    receiver = Receiver((500, ""), (429, ""))
    row, told = await called(receiver)
    assert (row["status"], row["tries"]) == ("answered", 3)
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {"c1"}
    never = Receiver(*[(503, "")] * 9)
    row, told = await called(never)
    (fact,) = told.facts.values()
    assert (fact.outcome, fact.reason) == ("failed", "status 503")
    assert (row["status"], len(never.got)) == ("failed", PACE.tries_max)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302, 307])
async def test_what_will_not_be_better_is_not_tried_again_and_no_redirect_followed(
    status: int,
) -> None:
    receiver = Receiver((status, ""))
    row, told = await called(receiver)
    assert ([f.outcome for f in told.facts.values()], len(receiver.got)) == (["failed"], 1)
    assert row["reason"] == f"status {status}"


async def test_a_private_address_is_not_called() -> None:
    receiver = Receiver()
    row, told = await called(receiver, private=False)
    assert (receiver.got, row["status"]) == ([], "failed")
    assert [fact.outcome for fact in told.facts.values()] == ["failed"]


async def test_without_a_secret_nothing_is_called_and_the_path_goes_on() -> None:
    database, told = MemoryDatabase(), Journaled()
    database.tables["webhooks"] = {"c1": a_row("https://crm.example")}
    await a_caller(database, told, None).look()
    (fact,) = told.facts.values()
    assert (fact.outcome, "MDMA_WEBHOOK_SECRET" in fact.reason) == ("failed", True)


async def test_a_crash_in_the_middle_calls_again_under_the_same_id_and_journals_once() -> None:
    """The journal is away after the answer: the row says `calling`, and another caller takes it up."""
    database, told, receiver = MemoryDatabase(), Journaled(failing=1), Receiver()
    async with listening(receiver) as url:
        database.tables["webhooks"] = {"c1": a_row(url)}
        client = WebhookClient("", SECRET, allow_private=True)
        with pytest.RaisesGroup(Unavailable):
            await a_caller(database, told, client).look()
        assert database.tables["webhooks"]["c1"]["status"] == "calling"
        again = a_caller(database, told, client)
        assert await again.look() == 0, "it may be under way"
        await again.start()
        await again.look()
        await client.close()
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {"c1"}
    assert len(told.facts) == 1
    assert database.tables["webhooks"]["c1"]["status"] == "answered"


async def test_of_somebody_who_was_erased_nothing_is_told_or_written() -> None:
    database, told = MemoryDatabase(), Journaled()

    class Erasing(Receiver):
        async def take(self, request: web.Request) -> web.Response:
            del database.tables["webhooks"]["c1"]
            return await super().take(request)

    async with listening(Erasing()) as url:
        database.tables["webhooks"] = {"c1": a_row(url)}
        client = WebhookClient("", SECRET, allow_private=True)
        await a_caller(database, told, client).look()
        await client.close()
    assert (told.facts, database.tables["webhooks"]) == ({}, {})


@pytest.mark.parametrize(
    ("body", "traits", "left_out"),
    [
        (b"", {}, False),
        (b"{}", {}, False),
        (b"not json", {}, True),
        (b"[1]", {}, True),
        (b'{"traits": [1]}', {}, True),
        (b'{"traits": {"a": null, "b": {"c": 1}, "d": 1e400}}', {}, True),
        (b'{"traits": {"a": true, "b": 1.5, "c": "x"}}', {"a": True, "b": 1.5, "c": "x"}, False),
        (b'{"traits": {"a": "' + b"x" * 121 + b'", "": 1}}', {}, True),
        (b'{"traits": {"a": 123456789012345678901234567890}}', {}, True),
        (b"[" * 100_000, {}, True),
    ],
)
def test_an_answer_is_read_within_bounds(
    body: bytes, traits: dict[str, Any], *, left_out: bool
) -> None:
    found, reason = traits_of(body)
    assert (found, bool(reason)) == (traits, left_out)


def test_an_answer_of_many_traits_is_cut() -> None:
    body = "{" + ",".join(f'"t{n}": {n}' for n in range(100)) + "}"
    assert len(traits_of(f'{{"traits": {body}}}'.encode())[0]) == TRAITS_MAX


async def test_a_long_answer_is_an_answer_and_not_read() -> None:
    row, told = await called(Receiver((200, " " * 70_000 + PLAN)))
    (fact,) = told.facts.values()
    assert (row["status"], fact.traits) == ("answered", {})


async def test_an_address_that_no_client_can_read_fails_and_holds_nobody_up() -> None:
    database, told = MemoryDatabase(), Journaled()
    receiver = Receiver()
    async with listening(receiver) as url:
        bad = {f"c{n}": a_row(each) for n, each in enumerate(("https://a..b/x", "https://[oops"))}
        database.tables["webhooks"] = {**bad, "good": a_row(url)}
        client = WebhookClient("", SECRET, allow_private=True)
        caller = a_caller(database, told, client)
        await caller.look()
        await client.close()
    statuses = {id_: row["status"] for id_, row in database.tables["webhooks"].items()}
    assert statuses == {"c0": "failed", "c1": "failed", "good": "answered"}
    assert len(told.facts) == 3


async def test_what_was_cut_off_again_and_again_is_given_up() -> None:
    database, told = MemoryDatabase(), Journaled()
    database.tables["webhooks"] = {"c1": a_row("http://x/", tries=PACE.tries_max)}
    caller = a_caller(database, told, None)
    await caller.look()
    (fact,) = told.facts.values()
    assert (fact.outcome, fact.reason) == ("failed", "given up")


async def test_after_a_hiccup_of_the_journal_nothing_is_left_in_the_middle_of_a_try() -> None:
    database, told = MemoryDatabase(), Journaled(failing=1)
    async with listening(Receiver()) as url:
        database.tables["webhooks"] = {f"c{n}": a_row(url) for n in range(3)}
        client = WebhookClient("", SECRET, allow_private=True)
        running = asyncio.create_task(a_caller(database, told, client).run())
        async with asyncio.timeout(20):
            while len(told.facts) < 3:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()


async def test_calls_that_are_held_or_in_their_pause_stand_before_nobody() -> None:
    database, told = MemoryDatabase(), Journaled()
    async with listening(Receiver()) as url:
        held = {f"h{n:03}": a_row(url, path="paused") for n in range(250)}
        database.tables["webhooks"] = {**held, "z": a_row(url)}
        database.tables["control"] = {"pause": {"paths": ["paused"], "archived": []}}
        client = WebhookClient("", SECRET, allow_private=True)
        assert await a_caller(database, told, client).look() == 1
        await client.close()
    assert [fact.call_id for fact in told.facts.values()] == ["z"]
