"""The mongod that we start ourselves: first start, killed, orphaned, asked for twice."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import time

import psutil
import pytest
from pymongo.errors import OperationFailure

from messaging.store import embedded
from messaging.store.connection import connect
from messaging.store.embedded import EmbeddedMongo, find_mongod
from messaging.store.mongo import MongoStore
from messaging.vocabulary.errors import Unavailable


@contextlib.asynccontextmanager
async def store_at(url):
    connection = connect(url)
    try:
        yield MongoStore(connection)
    finally:
        await connection.close()


async def write(url, key):
    async with store_at(url) as store:
        await store.put_document("control", key, {"seen": True})


async def read(url, key):
    async with store_at(url) as store:
        return await store.get_document("control", key)


@pytest.fixture
async def mongo(tmp_path):
    made = EmbeddedMongo(tmp_path / "mongo")
    yield made
    await made.stop()


async def test_it_takes_writes_after_the_first_start_and_stops_without_a_trace(mongo):
    url = await mongo.start()
    assert mongo.alive()
    assert await mongo.start() == url, "a second start of what runs changes nothing"
    await write(url, "a")
    process = psutil.Process(mongo.pid)
    assert {address.laddr.ip for address in process.net_connections("inet")} == {"127.0.0.1"}
    await mongo.stop()
    assert not mongo.alive()
    assert mongo.pid is None
    assert not process.is_running()
    started = time.monotonic()
    assert await mongo.start() == url
    assert time.monotonic() - started < 5
    assert await read(url, "a") == {"id": "a", "seen": True}


async def test_secrets_are_for_our_eyes_and_nobody_comes_in_without_them(mongo):
    url = await mongo.start()
    for name in ("password", "keyfile"):
        assert stat.S_IMODE((mongo.folder / name).stat().st_mode) == 0o600
    password = (mongo.folder / "password").read_text()
    assert password not in " ".join(psutil.Process(mongo.pid).cmdline())
    with pytest.raises(Unavailable):
        await read(url.replace(password, "guess"), "a")


async def test_after_kill_9_it_comes_back_with_what_was_acknowledged_and_clients_go_on(mongo):
    url = await mongo.start()
    async with store_at(url) as store:
        await store.put_document("control", "a", {"number": 1})
        os.kill(mongo.pid, signal.SIGKILL)
        await asyncio.to_thread(mongo._process.wait)
        assert not mongo.alive()
        # Under way while the server is down: the driver's own retries bring it through.
        waiting = asyncio.ensure_future(store.put_document("control", "b", {"number": 2}))
        started = time.monotonic()
        assert await mongo.start() == url
        await waiting
        assert time.monotonic() - started < 8
        assert (await store.get_document("control", "a"))["number"] == 1


async def test_one_that_is_slow_to_answer_at_its_start_is_waited_for(mongo, monkeypatch):
    """After a crash it recovers first, on a disk that others use, too."""
    answers = iter([OperationFailure("too late", 50), OperationFailure("too late", 50)])
    is_primary = mongo._is_primary

    async def slow(client):
        if (late := next(answers, None)) is not None:
            raise late
        return await is_primary(client)

    monkeypatch.setattr(mongo, "_is_primary", slow)
    assert await mongo.start() == mongo.url


async def test_an_orphan_of_a_killed_run_is_stopped_and_its_data_taken_over(mongo):
    await mongo.start()
    orphan = mongo.pid
    mongo._lock.close()  # as the kernel does when its holder is killed
    heir = EmbeddedMongo(mongo.folder)
    try:
        url = await heir.start()
        assert heir.pid != orphan
        assert mongo._process.wait(5) is not None
        await write(url, "a")
    finally:
        await heir.stop()


async def test_a_second_copy_on_the_same_data_is_refused_in_one_line(mongo):
    await mongo.start()
    with pytest.raises(Unavailable, match="another process uses the data in"):
        await EmbeddedMongo(mongo.folder).start()
    assert mongo.alive()


async def test_when_a_stranger_took_its_port_it_moves_to_another(mongo):
    url = await mongo.start()
    await mongo.stop()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        # As if the port of last time were the stranger's: the one in the replica set's configuration is free.
        (mongo.folder / "port").write_text(str(stranger.getsockname()[1]))
        moved = await mongo.start()
    assert moved != url
    await write(moved, "a")


def test_a_lock_file_that_names_a_stranger_is_not_believed(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "mongod.lock").write_text(str(stranger.pid))
        assert embedded._running_on(tmp_path) is None
        stranger.kill()
    (tmp_path / "mongod.lock").write_text("")
    assert embedded._running_on(tmp_path) is None


def test_a_mongod_is_found_and_can_be_run():
    assert os.access(find_mongod(), os.X_OK)
