"""Build consoles for tests: a world that was lived in by a simulated audience, behind the real readers."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime
from functools import cache
from typing import Any

import aiohttp

from agents.protocol.bot import View
from agents.runtime.held import Codec, groups_of
from agents.runtime.looking import Looking
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from config.load import DEFAULTS, compile_folder
from learning.audience.audience import Audience
from messaging.gateway.console import passwords
from messaging.gateway.console.users import EDITOR, VIEWER, User, put_user
from messaging.ports import BatchRecord, Commit, IdentityWrite, RowWrite, StateWrite, Store
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.ids import anonymous_key, email_key, user_key
from scripts.desk import ConsoleDesk
from scripts.mailings import Post, StoredMailings
from scripts.rulebook import StoredRulebook
from scripts.rules import publish, push
from scripts.simulating import START, Simulated, end_of
from scripts.telling import Reading
from scripts.trials import StoredTrials
from tests.gateway_builders import SECRET, StillClock, a_site

PASSWORD = "a password of the tests"
USERS = {"kim": EDITOR, "vic": VIEWER}
PARTS = {
    f"{bot}-0": {
        "ready": 1.0,
        "rate": 3.5,
        "lag_seconds": 0.4,
        "inbox_chunks": 0.0,
        "batch_size": 120.0,
        "commit_ms": 31.5,
        "visitors_in_memory": 80.0,
        "restarts": 0.0,
    }
    for bot in WIRING
    if bot != "social"
}
DAYS = 24
TEMPLATES = len(list((DEFAULTS / "templates").glob("*.yaml")))
POST = Post(SECRET, "http://127.0.0.1:1", "Your Shop <hello@shop.example>", "1 Street, Town")


class Lived(Simulated):
    """Keep the rows that a simulation lets go of."""

    def __init__(self, view: View, audience: Audience) -> None:
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        super().__init__(view, audience)

    def _take_row(self, row: RowWrite) -> None:
        super()._take_row(row)
        self.kept[row.table, row.id] = dict(row.fields)


@cache
def a_lived_world(people: int = 80, days: int = DAYS) -> Lived:
    """Return what some weeks of some people left: all bots, the default routine, learning on."""
    rules = compile_folder(DEFAULTS, 1)
    view = View(
        rules=rules,
        rules_version=1,
        pinned={1: rules},
        snapshots={},
        holdout=0.2,
        learning=True,
        publication=1,  # `fill` publishes it
    )
    world = Lived(view, Audience(7, people, START, days))
    world.run(end_of(days))
    return world


async def fill(store: Store, world: Lived) -> None:
    """Put what a world left into a store, with the rules it lived by."""
    await push(store, DEFAULTS, at=START, by="kim")
    await publish(store, 1, at=START, by="kim")
    rows = [RowWrite(table, key, fields) for (table, key), fields in world.kept.items()]
    for bot in PARTS:
        await _commit(store, bot.removesuffix("-0"), world, rows)
        rows = []


async def _commit(store: Store, bot: str, world: Lived, rows: list[RowWrite]) -> None:
    codec = Codec(WIRING[bot].make())
    states, identities, figures = [], [], {}
    for visitor, held in world.bots.states(bot).items():
        listed = groups_of(codec.figures(held))
        states.append(StateWrite(visitor, codec.encode(held), held.due(), listed))
        for name, value in codec.figures(held).items():
            figures[name] = figures.get(name, 0) + value
        if bot == "behavior" and not held.moved:
            identities += [IdentityWrite(key, visitor, 1, None) for key in _keys_of(held.state)]
    owner = await store.acquire(f"{bot}-0")
    record = BatchRecord(world.bots.now, "", 1, {}, [], [], [], b"", [], [])
    commit = Commit(
        f"{bot}-0", bot, owner.epoch, 1, {}, {}, record, states, [], rows, identities, []
    )
    commit.figures = figures
    await store.commit(commit)


def _keys_of(state: Any) -> set[str]:
    keys = {user_key(each) for each in state.user_ids}
    keys |= {anonymous_key(each) for each in state.anonymous_ids}
    return keys | ({email_key(state.address)} if state.address else set())


async def add_users(store: Store) -> None:
    """Add an editor and a viewer."""
    for name, role in USERS.items():
        await put_user(store, User(name=name, role=role, password=_stored(PASSWORD), by="test"))


@cache
def _stored(password: str) -> str:
    return passwords.hashed(password, b"salt of the tests")


def a_desk(store: Store, clock: StillClock) -> ConsoleDesk:
    return ConsoleDesk(store, lambda: PARTS, clock)


@asynccontextmanager
async def a_console(store: Store | None = None, now: datetime | None = None, **changes: Any):
    """Serve a console on a free port; give a session bound to it, and the store."""
    database = MemoryDatabase()
    transport = changes.pop("transport", None)
    store = store if store is not None else MemoryStore(database)
    await add_users(store)
    clock = changes.pop("clock", None) or (StillClock(now) if now is not None else StillClock())
    reader = StoreReader(store, now=clock.now)
    given = {
        "database": database,
        "store": store,
        "clock": clock,
        "reader": Reading(reader, Looking(store, reader), lambda: PARTS, clock),
        "desk": a_desk(store, clock),
        "rulebook": StoredRulebook(store, clock),
        "trials": StoredTrials(store),
        "mailings": StoredMailings(store, clock, POST, lambda: transport),
        **changes,
    }
    async with a_site(**given) as (session, _), a_browser(session) as browser:
        yield browser, store


@asynccontextmanager
async def a_browser(session: aiohttp.ClientSession):
    """Give a further session on the same site, with cookies of its own."""
    jar = aiohttp.CookieJar(unsafe=True)  # it takes cookies of an address without a name too
    async with aiohttp.ClientSession(session._base_url, cookie_jar=jar) as browser:
        yield browser


async def log_in(
    session: aiohttp.ClientSession, user: str = "kim", password: str = PASSWORD, status: int = 303
) -> aiohttp.ClientResponse:
    """Log in; the session's own cookie jar keeps what is given."""
    form = {"user": user, "password": password}
    async with session.post("/console/login", data=form, allow_redirects=False) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return answer


async def form_key(session: aiohttp.ClientSession) -> str:
    """Return the key that forms of this session carry back."""
    async with session.get("/console/changes") as answer:
        found = re.search(r'name="form_key" value="([0-9a-f]{64})"', await answer.text())
        assert found is not None
        return found[1]


async def lived_in() -> tuple[Store, datetime]:
    """Return a store with a lived world in it, and the time it has there."""
    database, now = await a_lived_database()
    return MemoryStore(database), now


async def a_lived_database() -> tuple[MemoryDatabase, datetime]:
    """Return a database of the caller's own with a lived world in it, and the time it has there."""
    filled = await asyncio.to_thread(_filled)
    return deepcopy(filled), a_lived_world().bots.now


@cache
def _filled() -> MemoryDatabase:
    """Fill one that nobody writes to: a copy of it costs a fifth of filling another."""
    database = MemoryDatabase()
    asyncio.run(fill(MemoryStore(database), a_lived_world()))
    return database
