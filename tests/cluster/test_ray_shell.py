"""The shell around a part: actors by name, calls in order, restarts, the gate and the orders."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import ray

from agents.cluster.keeper import Keeper
from agents.cluster.names import PartSpec
from agents.cluster.peers import RayPeers, answer
from agents.cluster.ray_head import start_ray, stop_ray
from agents.cluster.supervisor import Supervisor
from messaging.ports import Chunk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HERE = Path(__file__).parent
FACTORY = "dummy_part:build"
NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    before = dict(os.environ)
    root = HERE.parents[1]
    head = start_ray(data, code_path=f"{root}{os.pathsep}{HERE}")
    yield head
    stop_ray(head)
    os.environ.clear()
    os.environ.update(before)
    assert not head.sessions.exists()


def a_part(name="rules-0", gated=False, **settings) -> PartSpec:
    return PartSpec(name, FACTORY, json.dumps(settings), "test", dozes=True, gated=gated)


@pytest.fixture
async def cluster(head):
    made = []

    async def make(*specs):
        supervisor = Supervisor(list(specs))
        await supervisor.start()
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        supervisor.remove()


async def eventually(ask, seconds=90.0):
    """Ask until the answer is true."""
    async with asyncio.timeout(seconds):
        while not (found := await ask()):
            await asyncio.sleep(0.05)
    return found


async def metrics_of(supervisor, name):
    return (await supervisor.look())[name]


def a_chunk(number: int, body: bytes = b"x") -> Chunk:
    return Chunk("behavior-0", number, number, NOON, body)


async def test_chunks_of_one_sender_arrive_in_order(cluster):
    supervisor = await cluster(a_part())
    await eventually(lambda: metrics_of(supervisor, "rules-0"))
    peers = RayPeers()
    assert await peers.deliver("rules-0", a_chunk(1))  # resolves the name
    tasks = [asyncio.ensure_future(peers.deliver("rules-0", a_chunk(n))) for n in range(2, 30)]
    assert all(await asyncio.gather(*tasks))
    metrics = await metrics_of(supervisor, "rules-0")
    assert metrics["processed_total"] == 29
    assert metrics["in_order"] == 1


async def test_an_idle_actor_dozes_and_hears_the_bell(cluster):
    """A quiet main thread uses next to nothing, and a call that rings is answered at once."""
    supervisor = await cluster(a_part())
    first = await eventually(lambda: metrics_of(supervisor, "rules-0"))
    main = Path(f"/proc/{int(first['pid'])}/task/{int(first['pid'])}/status")
    await asyncio.sleep(2.5)
    before = wakeups(main)
    await asyncio.sleep(2.0)
    assert (wakeups(main) - before) / 2.0 < 20, "Ray alone wakes it 100 times a second"
    peers = RayPeers()
    assert await peers.deliver("rules-0", a_chunk(1))
    waits = []
    for number in range(2, 6):
        await asyncio.sleep(1.6)
        started = time.perf_counter()
        assert await peers.deliver("rules-0", a_chunk(number))
        waits.append(time.perf_counter() - started)
    assert min(waits) < 0.03, waits


async def test_a_part_keeps_its_time_while_ray_may_be_late(cluster):
    supervisor = await cluster(a_part())
    metrics = await eventually(lambda: metrics_of(supervisor, "rules-0"))
    assert metrics["timer_slack"] == 50_000


def wakeups(status: Path) -> int:
    line = next(x for x in status.read_text().splitlines() if x.startswith("voluntary_ctxt"))
    return int(line.split()[1])


async def test_a_chunk_for_nobody_is_an_answer_not_an_error(head):
    assert not await RayPeers().deliver("nobody-0", a_chunk(1))


async def test_a_killed_actor_comes_back_by_itself_and_is_counted(cluster):
    supervisor = await cluster(a_part())
    first = await eventually(lambda: metrics_of(supervisor, "rules-0"))
    peers = RayPeers()
    assert await peers.deliver("rules-0", a_chunk(1))
    os.kill(int(first["pid"]), signal.SIGKILL)
    await eventually(lambda: peers.deliver("rules-0", a_chunk(2)))
    after = await eventually(lambda: metrics_of(supervisor, "rules-0"))
    assert after["pid"] != first["pid"]
    assert after["restarts"] == 1


async def test_one_actor_reaches_another_by_name(cluster):
    supervisor = await cluster(a_part("behavior-0", to="rules-0"), a_part("rules-0"))
    await eventually(lambda: metrics_of(supervisor, "behavior-0"))
    assert await RayPeers().deliver("behavior-0", a_chunk(1, b"forward"))

    async def arrived():
        metrics = await metrics_of(supervisor, "rules-0")
        return metrics and metrics["processed_total"] == 1

    await eventually(arrived)


async def test_a_part_that_raises_is_started_again_and_again(cluster):
    supervisor = await cluster(a_part("email-0", fails_at_start=True))

    async def restarted():
        await supervisor.look()
        return supervisor.watched["email-0"].restarts >= 2

    await eventually(restarted)


async def test_orders_reach_every_part_and_a_drained_part_is_silent(cluster):
    supervisor = await cluster(a_part("rules-0"), a_part("gateway-1"))
    await eventually(lambda: metrics_of(supervisor, "rules-0"))
    await eventually(lambda: metrics_of(supervisor, "gateway-1"))
    assert await supervisor.pause(frozenset({"leads"})) == []
    assert await supervisor.refresh() == []
    metrics = await supervisor.look()
    assert metrics["rules-0"]["paused"] == metrics["rules-0"]["refreshed"] == 1
    assert metrics["gateway-1"]["others"] >= 1
    assert await supervisor.drain() == []
    assert (await supervisor.look())["rules-0"] is None


async def test_the_gate_moves_gated_parts_from_due_to_due(cluster):
    """Parts wait for the first grant, then the clock runs through their wake-ups."""
    supervisor = await cluster(
        a_part("rules-0", gated=True, due_minutes=60), a_part("email-0", gated=True, due_minutes=90)
    )
    saved = []

    async def save(at, speed):
        saved.append(at)

    keeper = Keeper(NOON, float("inf"), supervisor.gate, save)
    running = asyncio.ensure_future(keeper.run())

    async def a_day_later():
        return keeper.clock.now() > NOON + timedelta(days=1)

    await eventually(a_day_later)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert saved[-1] == keeper.clock.now()


async def test_the_dashboard_lists_actors_by_name_and_asks_for_a_token(head, cluster):
    await cluster(a_part("sales-0"))
    url = f"http://{head.dashboard}/api/v0/actors?detail=1"
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(urllib.request.urlopen, url)
    assert refused.value.code == 401
    refused.value.close()
    token = head.token_file.read_text()

    async def listed():
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with await asyncio.to_thread(urllib.request.urlopen, request) as response:
            found = json.load(response)["data"]["result"]["result"]
        return [row for row in found if row["name"] == "sales-0" and row["state"] == "ALIVE"]

    actor = (await eventually(listed))[0]
    assert actor["ray_namespace"] == "mdma"
    assert "sales-0, code test" in actor["repr_name"]


def test_only_we_can_read_the_token_and_the_sessions(head):
    assert head.token_file.stat().st_mode & 0o077 == 0
    assert head.sessions.stat().st_mode & 0o077 == 0


async def test_a_call_that_nobody_waits_for_leaves_no_warning(head):
    @ray.remote(num_cpus=0)
    class Slow:
        def no(self):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await answer(Slow.remote().no.remote())
    assert msgspec.msgpack.encode(1)
