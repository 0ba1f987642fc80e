"""Give the contract tests one real mongod, and each test an empty world on it or in memory."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import bson
import msgspec
import pytest

from messaging.journal.memory import MemoryJournal
from messaging.journal.mongo import MongoJournal
from messaging.ports import Journal, Store
from messaging.store.connection import Connection, connect
from messaging.store.embedded import EmbeddedMongo
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.store.memory_sweep import MemorySweep
from messaging.store.mongo import MongoStore
from messaging.store.mongo_sweep import MongoSweep
from messaging.sweep import Sweep


@dataclasses.dataclass
class Keeping:
    """Make handles on one world's data, as several processes would."""

    store: Callable[[], Store]
    journal: Callable[[], Journal]
    sweep: Callable[[], Sweep]
    dump: Callable[[], Awaitable[dict[str, list[bytes]]]]
    """Returns the stored bytes of everything, by collection."""


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
        yield Keeping(
            lambda: MemoryStore(database),
            lambda: MemoryJournal(database),
            lambda: MemorySweep(database),
            lambda: _dump_of_memory(database),
        )
        return
    made = await _an_empty_database(kept_at)
    stores: list[MongoStore] = []

    def store() -> MongoStore:
        stores.append(MongoStore(made))
        return stores[-1]

    yield Keeping(
        store, lambda: MongoJournal(made), lambda: MongoSweep(made), lambda: _dump_of_mongo(made)
    )
    for each in stores:
        await each.close()
    await made.close()


async def _dump_of_memory(database: MemoryDatabase) -> dict[str, list[bytes]]:
    encode = msgspec.msgpack.Encoder(enc_hook=vars).encode
    shards = {name: vars_of(shard) for name, shard in database.shards.items()}
    kept = {**vars(database), "shards": shards}
    states = {f"states_{bot}": each.bodies for bot, each in kept.pop("states").items()}
    outbox = {"outbox": list(kept.pop("outbox").items())}
    return {name: [encode(each)] for name, each in {**kept, **states, **outbox}.items()}


def vars_of(shard: object) -> dict[str, object]:
    """Return the fields of an object that has slots."""
    return {name: getattr(shard, name) for name in type(shard).__slots__}  # type: ignore[attr-defined]


async def _dump_of_mongo(made: Connection) -> dict[str, list[bytes]]:
    names = await made.database.list_collection_names()
    return {
        name: [bson.encode(each) for each in await made.database[name].find().to_list(None)]
        for name in names
    }


async def _an_empty_database(url: str) -> Connection:
    made = connect(url)
    await MongoStore(made).ensure_indexes()
    await MongoJournal(made).ensure_indexes()
    for name in await made.database.list_collection_names():
        await made.database[name].delete_many({})
    return made
