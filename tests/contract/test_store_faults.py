"""What MongoDB's own ways of failing become: cut connections, dead owners, transactions that meet."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from pymongo.errors import OperationFailure

from messaging.journal.mongo import MongoJournal
from messaging.ports import BatchRecord, Commit, StateWrite
from messaging.store.connection import (
    Connection,
    blocking_database,
    blocking_session,
    connect,
)
from messaging.store.mongo import MongoStore
from messaging.store.mongo_transaction import _guard, _take_turn
from messaging.vocabulary.errors import CommitUnknown, Fenced, Suppressed, Unavailable
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import derive, position

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class CuttingProxy:
    """Pass bytes between a client and the server; cut the line once a given word has gone to the server."""

    def __init__(self, url):
        self._server = urlsplit(url)
        self.word = b""
        self.down = False
        self.cuts = 0
        self._writers = set()

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.url = self._server._replace(
            netloc=f"{self._server.username}:{self._server.password}@127.0.0.1:{port}"
        ).geturl()
        return self

    async def __aexit__(self, *_):
        self._listener.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0)

    async def _serve(self, reader, writer):
        if self.down:
            writer.close()
            return
        there, out = await asyncio.open_connection(self._server.hostname, self._server.port)
        self._writers |= {writer, out}
        answers = asyncio.ensure_future(self._pass(there, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(2**20):
                out.write(data)
                await out.drain()
                if self.down or (self.word and self.word in data):
                    self.cuts += 1
                    self.down = True
                    answers.cancel()
                    await asyncio.wait({answers})
                    await there.read(2**16)  # the server has done it; nobody hears of it
                    break
        answers.cancel()
        writer.close()
        out.close()

    async def _pass(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(2**20):
                writer.write(data)
                await writer.drain()


async def in_thread(part, connection, session, commit):
    """Run one part of a commit as the store does, in a thread, inside a transaction that a test holds open."""
    database, session = blocking_database(connection.database), blocking_session(session)
    await asyncio.to_thread(part, database, session, commit)


@pytest.fixture
async def proxy(mongo_url):
    async with CuttingProxy(mongo_url) as made:
        yield made


@pytest.fixture
async def cut_off(proxy, connection):
    """Connect through the proxy, with little patience."""
    made = connect(proxy.url, operation_ms=700)
    yield made
    await made.close()


def a_commit(epoch, batch, **changes):
    record = BatchRecord(NOON, "1", 1, {}, [], [], [], b"", [], [])
    state = StateWrite(derive("visitor", "ann"), f"state {batch}".encode(), None)
    fields = {
        "shard": "rules-0",
        "bot": "rules",
        "epoch": epoch,
        "batch": batch,
        "positions": {},
        "sent": {},
        "record": record,
        "states": [state],
        "outbox": [],
        "rows": [],
        "identities": [],
        "guards": [],
    }
    return Commit(**(fields | changes))


def records_of(stream, count):
    return [
        Record(position(stream, n), f"m{n}", n, NOON, NOON, "", b"{}") for n in range(1, count + 1)
    ]


async def test_a_commit_without_an_answer_is_unknown_and_its_repeat_finds_it(
    proxy, cut_off, connection
):
    store = MongoStore(cut_off)
    await store.acquire("rules-0")
    proxy.word = b"commitTransaction"
    with pytest.raises(CommitUnknown):
        await store.commit(a_commit(1, 1))
    assert proxy.cuts == 1
    stored = await MongoStore(connection).load("rules", [derive("visitor", "ann")])
    assert list(stored.values()) == [b"state 1"], "it happened; only the answer was lost"
    proxy.word, proxy.down = b"", False
    await store.commit(a_commit(1, 1))
    await store.commit(a_commit(1, 2))
    assert [number for number, _ in await store.batches("rules-0", 0, 9)] == [1, 2]


async def test_a_commit_cut_before_its_end_did_not_happen_and_can_be_repeated(
    proxy, cut_off, connection
):
    store = MongoStore(cut_off)
    await store.acquire("rules-0")
    proxy.word = b"states_rules"
    with pytest.raises(Unavailable):
        await store.commit(a_commit(1, 1))
    assert await MongoStore(connection).load("rules", [derive("visitor", "ann")]) == {}
    proxy.word, proxy.down = b"", False
    await store.commit(a_commit(1, 1))
    assert (await MongoStore(connection).acquire("rules-0")).batch == 1


async def test_an_append_without_an_answer_reports_the_same_when_repeated(
    proxy, cut_off, connection
):
    journal = MongoJournal(cut_off)
    stream = await journal.open_stream("gateway-1")
    await journal.append(records_of(stream, 2))
    proxy.word = b"insert"
    with pytest.raises(Unavailable):
        await journal.append(records_of(stream, 5))
    proxy.word, proxy.down = b"", False
    assert (await journal.append(records_of(stream, 5))).fresh == [True] * 5
    read, _ = await journal.read(stream, 0, 10, (0, 1))
    assert read == records_of(stream, 5)


async def test_every_call_to_a_dead_server_is_unavailable(proxy, cut_off):
    proxy.down = True
    store, journal = MongoStore(cut_off), MongoJournal(cut_off)
    for call in (
        cut_off.ping(),
        store.acquire("rules-0"),
        store.load("rules", ["00"]),
        store.suppress("m", "unsubscribed", NOON),
        journal.tails(),
        journal.append(records_of(1, 1)),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_an_owner_that_died_inside_a_transaction_does_not_hold_its_shard(connection):
    dead, heir = MongoStore(connection), MongoStore(connection)
    await dead.acquire("rules-0")
    session = dead._sessions["rules-0"]
    session.start_transaction()
    await in_thread(_take_turn, connection, session, a_commit(1, 1))
    async with asyncio.timeout(3):
        owner = await heir.acquire("rules-0")
        assert (owner.epoch, owner.batch) == (2, 0)
        await heir.commit(a_commit(2, 1))
    with pytest.raises(OperationFailure):
        await session.commit_transaction()
    with pytest.raises(Fenced):
        await dead.commit(a_commit(1, 1))


async def test_a_hand_over_that_read_before_a_suppression_conflicts_with_it(connection):
    """A transaction's snapshot is older than the suppression: reading alone would not see it."""
    store, gateway = MongoStore(connection), MongoStore(connection)
    await store.acquire("email-0")
    commit = a_commit(1, 1, shard="email-0", guards=["box"])
    session = store._sessions["email-0"]
    session.start_transaction()
    await in_thread(_take_turn, connection, session, commit)
    await gateway.suppress("box", "unsubscribed", NOON)
    with pytest.raises(OperationFailure) as caught:
        await in_thread(_guard, connection, session, commit)
    assert caught.value.has_error_label("TransientTransactionError")
    await session.abort_transaction()
    with pytest.raises(Suppressed):
        await store.commit(commit)


async def test_a_suppression_waits_for_the_hand_over_that_was_first(connection):
    store, gateway = MongoStore(connection), MongoStore(connection)
    await store.acquire("email-0")
    commit = a_commit(1, 1, shard="email-0", guards=["box"])
    session = store._sessions["email-0"]
    session.start_transaction()
    await in_thread(_take_turn, connection, session, commit)
    await in_thread(_guard, connection, session, commit)
    told = asyncio.ensure_future(gateway.suppress("box", "unsubscribed", NOON))
    done, _ = await asyncio.wait({told}, timeout=0.2)
    assert not done
    await session.commit_transaction()
    await told
    assert await gateway.suppressed(["box"]) == {"box"}


async def test_a_commit_whose_caller_is_cancelled_runs_to_its_end(connection: Connection):
    store = MongoStore(connection)
    await store.acquire("rules-0")
    caller = asyncio.ensure_future(store.commit(a_commit(1, 1)))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await store.commit(a_commit(1, 2))  # waits for its turn in the session
    await store.close()
    assert (await MongoStore(connection).acquire("rules-0")).batch == 2


async def test_due_and_the_journal_are_answered_from_an_index(connection: Connection):
    states = connection.database["states_rules"].find(
        {"d": {"$lte": 5}, "p": {"$gte": 0}}, {"d": 1}
    )
    plan = str((await states.sort([("d", 1), ("_id", 1)]).explain())["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "FETCH" not in plan
    assert "'SORT'" not in plan


async def test_a_stream_left_long_ago_is_asked_once_and_a_live_one_always(connection: Connection):
    journal = MongoJournal(connection)
    old, new = await journal.open_stream("gateway-1"), await journal.open_stream("gateway-1")
    await journal.append(records_of(old, 2))
    assert await journal.tails() == {old: position(old, 2)}
    at = datetime.now(UTC) - timedelta(seconds=61)
    await connection.database["journal_streams"].update_one({"_id": old}, {"$set": {"left": at}})
    await journal.append([Record(position(old, 3), "late", 0, NOON, NOON, "", b"{}")])
    assert await journal.tails() == {old: position(old, 3)}
    await journal.append([Record(position(old, 4), "later", 0, NOON, NOON, "", b"{}")])
    await journal.append([Record(position(new, 1), "live", 0, NOON, NOON, "", b"{}")])
    assert await journal.tails() == {old: position(old, 3), new: position(new, 1)}
    journal._settled_until = 0.0
    assert (await journal.tails())[old] == position(old, 4)


async def test_history_is_kept_longer_only_while_somebody_reads_an_old_moment(connection):
    async def kept():
        asked = {"getParameter": 1, "minSnapshotHistoryWindowInSeconds": 1}
        return (await connection.client.admin.command(asked))["minSnapshotHistoryWindowInSeconds"]

    before = await kept()
    async with MongoStore(connection).standing_still() as still:
        assert await kept() > before
        await still.owner("rules-0")
    assert await kept() == before
