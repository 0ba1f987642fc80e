"""The pages and the API of trials: ask, wait, cancel, what came of it, and what cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from messaging.gateway.console.trials import SIMULATE, TRY, TryOrder
from scripts.rules_try import PathTold, Side, Told
from scripts.trial_told import tried_told
from scripts.trials import WAITING_MAX, StoredTrials, TrialWork
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN, NOON, StillClock

PATH = "lead-to-customer"


class Runner:
    """Come to what it was given."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result

    async def run(self, kind: str, asked: dict[str, Any], told: Any) -> dict[str, Any]:
        del kind, asked, told
        return dict(self.result)

    def stop(self) -> None:
        raise AssertionError("nobody cancelled it")


def a_told(visitor: str) -> dict[str, Any]:
    """Return what `rules try` came to, as a process tells it."""
    example = {"visitor": visitor, "e_mails": ["invite-hello"], "other_side": []}
    now = Side({"in-cart": 2, "old": 1}, {PATH: PathTold(2, 1, {"invite-hello": 3}, {}, [])})
    draft = Side(
        {"in-cart": 5, "keen": 4},
        {PATH: PathTold(1, 1, {"cart-waiting": 3}, {"weekly_cap": 2}, [example])},
    )
    told = tried_told(Told(9, NOON, NOON, now, draft))
    return {
        **told,
        "since": NOON.isoformat(),
        "until": NOON.isoformat(),
        "version": 1,
        "published_version": 1,
    }


async def _ask(session, kind: str, status: int = 303, **fields: Any) -> str:
    form = {"form_key": await form_key(session), **fields}
    async with session.post(f"/console/{kind}", data=form, allow_redirects=False) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return answer.headers.get("Location", said)


async def _get(session, path: str, status: int = 200) -> str:
    async with session.get(path) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return said


async def test_a_draft_is_asked_for_waited_for_and_shown_beside_the_published_version() -> None:
    store, now = await lived_in()
    [visitor] = await store.visitors("behavior", "", 1)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "Nothing yet" in await _get(session, "/console/try")
        where = await _ask(session, TRY, version=1, days=7)
        html = await _get(session, where)
        assert "Waits for its turn" in html
        assert 'data-seconds="1.0"' in html
        trials = StoredTrials(store)
        await TrialWork(trials, store, Runner(a_told(visitor)), StillClock()).look()
        html = await _get(session, where)
        assert "data-seconds" not in html
        assert "Every e-mail counts as handed over" in html
        for said in ("in-cart", "+3", "gone", "new", "weekly_cap", f"/visitors/{visitor}"):
            assert said in html
        assert "Version 1, 7 days" in await _get(session, "/console/try")
        id_ = where.rpartition("/")[2]
        await _get(session, f"/console/simulate/{id_}", 404)
        async with session.get(f"/api/v1/tries/{id_}", headers=ADMIN) as answer:
            found = await answer.json()
        assert found["trial"]["result"]["cohorts"][0] == {"name": "in-cart", "now": 2, "draft": 5}
        assert found["people"][0]["visitor"] == visitor


async def test_one_that_waits_is_cancelled_once_and_a_viewer_asks_for_nothing() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _ask(session, SIMULATE, version=1, days=3, visitors=20, seed=1)
        form = {"form_key": await form_key(session)}
        async with session.post(f"{where}/cancel", data=form) as answer:
            assert "It was cancelled" in await answer.text()
        async with session.post(f"{where}/cancel", data=form) as answer:
            assert answer.status == 409
        async with session.post(
            f"/api/v1/simulations/{where.rpartition('/')[2]}/cancel", headers=ADMIN
        ) as answer:
            assert answer.status == 409
        await log_in(session, "vic")
        assert "<button>Simulate it" not in await _get(session, "/console/simulate")
        assert "viewer" in await _ask(session, SIMULATE, 403, version=1)


@pytest.mark.parametrize(
    ("kind", "given", "status", "field"),
    [
        (TRY, {"days": 0}, 422, "days"),
        (TRY, {"days": "many"}, 422, "days"),
        (TRY, {"version": 7}, 404, None),
        (TRY, {"version": -1}, 422, "version"),
        (TRY, {"seed": 1}, 422, "seed"),
        (SIMULATE, {"visitors": 1}, 422, "visitors"),
        (SIMULATE, {"visitors": 10**9}, 422, "visitors"),
        (SIMULATE, {"days": 1.5}, 422, "days"),
        (SIMULATE, {"profiles": "mine"}, 422, "profiles"),
        (SIMULATE, {"seed": 10**30}, 422, "seed"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name_in_the_console_and_the_api(
    kind: str, given: dict[str, Any], status: int, field: str | None
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        page = await _ask(session, kind, status, **given)
        path = "/api/v1/tries" if kind == TRY else "/api/v1/simulations"
        async with session.post(path, headers=ADMIN, json=given) as answer:
            problem = await answer.json(content_type=None)
            assert answer.status == status, problem
            assert problem.get("field") == field
        for said in (page, problem["detail"]):
            assert "xpected `" not in said, "words for people, not names of types"
        assert await store.count("trials", {}) == 0


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"[" * 9_999, b"\xff"])
async def test_a_body_that_is_no_order_is_a_400(body: bytes) -> None:
    store, now = await lived_in()
    headers = {**ADMIN, "Content-Type": "application/json"}
    async with (
        a_console(store, now) as (session, _),
        session.post("/api/v1/tries", headers=headers, data=body) as answer,
    ):
        assert answer.status == 400


async def test_when_the_line_is_full_the_next_is_told_so() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        for _ in range(WAITING_MAX):
            async with session.post("/api/v1/tries", headers=ADMIN) as answer:
                assert answer.status == 202
        async with session.post("/api/v1/tries", headers=ADMIN) as answer:
            assert answer.status == 503
            assert "Retry-After" in answer.headers


def a_told_one() -> dict[str, Any]:
    """Return what a trial of one visitor came to, as a process tells it."""
    steps = [
        {"at": NOON.isoformat(), "by": by, "says": says, "side": side}
        for by, says, side in (
            ("Visitor", "viewed a page", "both"),
            ("Rules Manager", f"entered path {PATH} <b>", "draft"),
        )
    ]
    one = {"events": 9, "since": NOON.isoformat(), "until": NOON.isoformat(), "steps": steps}
    return {"one": one, "version": 1, "published_version": 1}


async def test_a_draft_is_tried_on_one_visitor_who_is_named_in_no_row_that_outlives_them() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        async with session.get("/api/v1/visitors/person-21", headers=ADMIN) as answer:
            visitor = (await answer.json())["visitor_id"]
        page = await _get(session, f"/console/visitors/{visitor}")
        assert f'href="/console/try?visitor={visitor}"' in page
        assert f'value="{visitor}"' in await _get(session, f"/console/try?visitor={visitor}")
        where = await _ask(session, TRY, version=1, days=7, visitor=" person-21@example.com ")
        id_ = where.rpartition("/")[2]
        assert "Waits for its turn" in await _get(session, where)
        trials = StoredTrials(store)
        await TrialWork(trials, store, Runner(a_told_one()), StillClock()).look()
        html = await _get(session, where)
        for said in ("only the draft", "viewed a page", "&lt;b&gt;", f"/visitors/{visitor}"):
            assert said in html
        assert "one visitor" in await _get(session, "/console/try")
        async with session.get(f"/api/v1/tries/{id_}", headers=ADMIN) as answer:
            found = await answer.json()
        assert (found["one"]["visitor"], len(found["one"]["steps"])) == (visitor, 2)
        assert found["people"] == []
        assert visitor not in str(await store.get_document("trials", id_))
        [row] = await store.rows("audit_log", {"act": "try.asked"})
        assert (row["by"], row["visitor"], row["of"]) == ("kim", visitor, id_)
        await store.remove_document("trial_people", f"{id_}:one")  # as an erasure does
        html = await _get(session, where)
        assert "was erased since" in html
        assert "viewed a page" not in html


class Erasing(Runner):
    """Erase whom a trial is about while it works."""

    def __init__(self, store: Any) -> None:
        super().__init__(a_told_one())
        self.store = store

    async def run(self, kind: str, asked: dict[str, Any], told: Any) -> dict[str, Any]:
        for row in await self.store.rows("trial_people", {"visitor": asked["visitor"]}):
            await self.store.remove_document("trial_people", row["id"])
        return await super().run(kind, asked, told)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_who_is_erased_while_a_trial_of_them_waits_or_works_is_not_kept(when: str) -> None:
    store, now = await lived_in()
    [visitor] = await store.visitors("behavior", "", 1)
    trials = StoredTrials(store)
    id_ = await trials.ask(TRY, TryOrder(version=1, visitor=visitor), "kim", now)
    if when == "before":
        await store.remove_document("trial_people", f"{id_}:one")
    await TrialWork(trials, store, Erasing(store), StillClock()).look()
    found = await trials.trial(id_)
    assert (found.status, found.why) == ("failed", "who it is about was erased")
    assert await trials.one(id_) is None
    assert await store.rows("trial_people", {"trial": id_}) == []


async def test_nobody_is_tried_who_is_not_known_and_who_asked_and_cancelled_is_noted() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _ask(session, TRY, 404, version=1, days=7, visitor="nobody")
        await _ask(session, TRY, 422, version=1, days=7, visitor="a\0b")
        assert await store.rows("trials", {}) == []
        where = await _ask(session, SIMULATE, version=1, days=3, visitors=20, seed=1)
        form = {"form_key": await form_key(session)}
        async with session.post(f"{where}/cancel", data=form) as answer:
            assert answer.status == 200
        rows = await store.rows("audit_log", {"of": where.rpartition("/")[2]}, newest=False)
        assert sorted((row["by"], row["act"]) for row in rows) == [
            ("kim", "simulation.asked"),
            ("kim", "simulation.cancelled"),
        ]
