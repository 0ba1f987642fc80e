"""Say which actors there are, and see that each one is there: made once, found again by name.

Rules
1. Every bot has as many actors as it has shards; the visitors' partitions are cut into that many ranges.
2. An actor that exists is used as it is, also after this process was killed: Ray kept it alive.
3. Ray may hand out an actor that is just dying: what was resolved is asked for a sign of life first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import ray
from ray.exceptions import ActorDiedError, RayError

from agents.cluster.actor import actor_class
from agents.cluster.names import NAMESPACE, PartSpec
from agents.cluster.peers import call
from messaging.vocabulary.errors import Unavailable

RESOLVE_TRIES = 5
SIGN_SECONDS = 30.0
"""For an actor to answer at all: a new one needs a process first."""

_encode = msgspec.msgpack.Encoder().encode


def part_names(shards: dict[str, int], gateways: int = 1) -> list[str]:
    """Return the names of all parts, gateways last.

    >>> part_names({"rules": 2, "email": 1})
    ['rules-0', 'rules-1', 'email-0', 'gateway-1']
    """
    names = [f"{bot}-{index}" for bot, of in shards.items() for index in range(of)]
    return names + [f"gateway-{number}" for number in range(1, gateways + 1)]


def _make(spec: PartSpec) -> Any:
    return (
        actor_class(spec.kind)
        .options(
            name=spec.name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
        )
        .remote(_encode(spec))
    )


async def place(spec: PartSpec, make: Callable[[PartSpec], Any] = _make) -> Any:
    """Return a handle to the actor of a part, made where there is none. Raise `Unavailable`."""
    reason = ""
    for _ in range(RESOLVE_TRIES):
        try:
            handle = await asyncio.to_thread(make, spec)
            async with asyncio.timeout(SIGN_SECONDS):
                await call(handle, spec.name, "process")
        except (ActorDiedError, TimeoutError) as error:
            reason = _first_words(error)  # it is gone, or the machine is slow: the name tells
            continue
        except RayError as error:
            reason = _first_words(error)
            await asyncio.sleep(0.2)  # it is being started again
            continue
        return handle
    raise Unavailable(f"the actor {spec.name} does not start ({reason}): start again")


def _first_words(error: Exception) -> str:
    """Return what an error says, without the traceback that Ray adds."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"no answer in {SIGN_SECONDS:.0f} s"
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__} {first}"[:300]


def remove(name: str) -> None:
    """End an actor for good, if there is one."""
    with contextlib.suppress(ValueError, RayError):
        ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=True)
