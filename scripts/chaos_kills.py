"""Kill a part of a running system and watch how long it takes until it is back and has caught up.

Rules
1. SIGKILL, to the one process that is that part: see `process_of`.
2. *Recovered*: the shard has a new owner, and what was written for it until a moment is taken within a second
   of that moment; the gateway: a request sent after the kill is acknowledged; mongod: both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import msgspec
from pymongo.errors import PyMongoError

from messaging.vocabulary.errors import WorldError
from scripts.bench_system import MONGOD, Running, process_of
from scripts.chaos_client import Client

GATEWAY = "gateway-1"
PARTS = (
    "behavior-0",
    "rules-0",
    "engagement-0",
    "email-0",
    "sales-0",
    "learner-0",
    GATEWAY,
    MONGOD,
)
RECOVER_SECONDS_MAX = 60.0
LAG_SECONDS = 1.0
LOOK_SECONDS = 0.05


class Kill(msgspec.Struct):
    """Say what was killed and how long it took to recover; None: it did not."""

    part: str
    seconds: float | None


async def kill(system: Running, part: str, client: Client) -> Kill:
    """Kill a part and wait until it has recovered."""
    pid = process_of(system.folder, part)
    while pid is None:  # it is being started again
        await asyncio.sleep(LOOK_SECONDS)
        pid = process_of(system.folder, part)
    epoch = await _epoch(system, part)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    try:
        async with asyncio.timeout(RECOVER_SECONDS_MAX):
            await _recovered(system, part, client, epoch, began)
    except TimeoutError:
        return Kill(part, None)
    return Kill(part, time.monotonic() - began)


async def _recovered(system: Running, part: str, client: Client, epoch: int, began: float) -> None:
    if part in (GATEWAY, MONGOD):
        await client.taken_after(began)
    if part == GATEWAY:
        return
    shard = "behavior-0" if part == MONGOD else part
    while True:
        with contextlib.suppress(WorldError, PyMongoError):
            if part == MONGOD or await _epoch(system, shard) > epoch:
                asked = time.monotonic()
                await _taken_until_now(system, shard)
                if time.monotonic() - asked < LAG_SECONDS:
                    return
        await asyncio.sleep(LOOK_SECONDS)


async def _taken_until_now(system: Running, shard: str) -> None:
    """Wait until a shard has taken what is written for it at this moment."""
    wanted = await system.inputs(shard)
    while True:
        owner = await system.store.owner(shard)
        assert owner is not None, "a shard that was killed had an owner"
        if all(owner.positions.get(name, 0) >= last for name, last in wanted.items()):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _epoch(system: Running, shard: str) -> int:
    if shard in (GATEWAY, MONGOD):
        return 0
    owner = await system.store.owner(shard)
    return owner.epoch if owner is not None else 0
