"""Ask the store until it answers: with pauses that grow, within a bound, and a line in the log for each failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.runtime.courier import backoff
from agents.runtime.spec import ShardSpec
from messaging.vocabulary.errors import CommitUnknown, Unavailable

T = TypeVar("T")


async def patiently(spec: ShardSpec, call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call of the store comes to; a commit is known by its number, so that a repeat is harmless.

    Raise `Unavailable` or `CommitUnknown` when `commit_tries` are used up.
    """
    limits = spec.limits
    for tries in range(1, limits.commit_tries + 1):
        try:
            return await call()
        except (Unavailable, CommitUnknown) as error:
            if tries == limits.commit_tries:
                raise
            spec.log.warning("store.unavailable", shard=spec.name, tries=tries, reason=str(error))
            await spec.clock.sleep(backoff(limits, tries, spec.jitter))
    raise AssertionError("unreachable: the loop returns or raises")
