"""Reach other shards through Ray: names are resolved once, every call ends in time.

Rules
1. A failure is an answer (`False`): the chunk stands in the sender's outbox and is tried again.
2. `ActorDiedError` drops the handle: the name may belong to a new actor. `ActorUnavailableError` keeps it:
   Ray is starting the same actor again.
3. The loop never waits for Ray: a name is resolved in a thread, a call's result comes as a future.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
from typing import Any

import msgspec
import ray
from ray.exceptions import GetTimeoutError, RayError

from agents.cluster.doorbell import Ringer
from agents.cluster.names import NAMESPACE
from messaging.ports import Chunk

DELIVER_SECONDS = 5.0
RESOLVE_SECONDS = 5.0

_encode = msgspec.msgpack.Encoder().encode


class RayPeers:
    """Deliver chunks to actors by name."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        """Hand a chunk to a shard; True when it holds it, False to try again later."""
        try:
            async with asyncio.timeout(DELIVER_SECONDS):
                handle = await self._handle(to)
                return bool(await call(handle, to, "deliver", _encode(chunk)))
        except (ray.exceptions.ActorDiedError, ValueError):
            self._handles.pop(to, None)
        except (RayError, GetTimeoutError, TimeoutError):
            pass
        return False

    async def tell(self, name: str, order: str) -> bool:
        """Give an order without arguments (`refresh`) to a part; True when it was carried out."""
        try:
            async with asyncio.timeout(DELIVER_SECONDS):
                handle = await self._handle(name)
                return bool(await call(handle, name, order))
        except (ray.exceptions.ActorDiedError, ValueError):
            self._handles.pop(name, None)
        except (RayError, GetTimeoutError, TimeoutError):
            pass
        return False

    async def _handle(self, name: str) -> Any:
        handle = self._handles.get(name)
        if handle is None:
            # Raises ValueError where nobody has the name (yet).
            handle = await asyncio.to_thread(ray.get_actor, name, namespace=NAMESPACE)
            self._handles[name] = handle
        return handle


async def call(handle: Any, name: str, method: str, *arguments: Any) -> Any:
    """Ring at an actor's door, call it and wait for its answer."""
    _ringer(ray.get_runtime_context().gcs_address).ring(name)
    return await answer(getattr(handle, method).remote(*arguments))


@functools.cache
def _ringer(cluster: str) -> Ringer:
    ringer = Ringer(cluster)
    atexit.register(ringer.close)
    return ringer


async def answer(reference: Any) -> Any:
    """Wait for a call's result on this loop, without stopping the call when the wait is given up."""
    future = asyncio.wrap_future(reference.future())
    future.add_done_callback(_seen)
    return await asyncio.shield(future)


def _seen(future: asyncio.Future[Any]) -> None:
    """Look at an error that nobody waits for any more, so that asyncio does not warn of it."""
    if not future.cancelled():
        future.exception()
