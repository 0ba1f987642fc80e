"""Give the contract tests one real mongod, and each test an empty world on it or in memory."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from messaging.journal.memory import MemoryJournal
from messaging.journal.mongo import MongoJournal
from messaging.ports import Journal, Store
from messaging.store.connection import Connection, connect
from messaging.store.embedded import EmbeddedMongo
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.store.mongo import MongoStore


@dataclasses.dataclass
class Keeping:
    """Make handles on one world's data, as several processes would."""

    store: Callable[[], Store]
    journal: Callable[[], Journal]


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("mongo"))
    yield asyncio.run(mongo.start())
    asyncio.run(mongo.stop())


@pytest.fixture
async def connection(mongo_url: str) -> AsyncIterator[Connection]:
    """Connect to an empty database whose indexes stand."""
    made = await _an_empty_database(mongo_url)
    yield made
    await made.close()


@pytest.fixture(params=["memory", "mongo"])
def kept_at(request: pytest.FixtureRequest) -> str:
    """Return where the data is kept; only "mongo" starts a server."""
    return "" if request.param == "memory" else str(request.getfixturevalue("mongo_url"))


@pytest.fixture
async def keeping(kept_at: str) -> AsyncIterator[Keeping]:
    if not kept_at:
        database = MemoryDatabase()
        yield Keeping(lambda: MemoryStore(database), lambda: MemoryJournal(database))
        return
    made = await _an_empty_database(kept_at)
    stores: list[MongoStore] = []

    def store() -> MongoStore:
        stores.append(MongoStore(made))
        return stores[-1]

    yield Keeping(store, lambda: MongoJournal(made))
    for each in stores:
        await each.close()
    await made.close()


async def _an_empty_database(url: str) -> Connection:
    made = connect(url)
    await MongoStore(made).ensure_indexes()
    await MongoJournal(made).ensure_indexes()
    for name in await made.database.list_collection_names():
        await made.database[name].delete_many({})
    return made
