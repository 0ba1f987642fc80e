"""Say how the filling of the publication that stands fares, also in the moment before anybody has begun with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agents.rules.compiled import CompiledRules
from agents.rules.flow import named
from agents.runtime.filler import DONE, FILLINGS, UNDER_WAY, changed, filling_of, percent
from agents.runtime.views import PUBLICATIONS, PUBLISHED
from messaging.gateway.console.rulebook import FillingLine
from messaging.ports import Store


async def filling_now(
    store: Store, compiled: Callable[[int], Awaitable[CompiledRules]]
) -> dict[str, Any] | None:
    """Return the filling as it is stored or as it will begin; None where there is nothing to fill.

    `compiled`: gives the rules of a version.
    """
    job = await filling_of(store)
    if job is not None:
        return job
    last = await store.get_document(*PUBLISHED)
    if last is None:
        return None
    before = await store.get_document(PUBLICATIONS, str(int(last["number"]) - 1))
    if before is None:
        return None  # the first publication meets nobody who was looked at otherwise
    rules, known = await compiled(int(last["version"])), await compiled(int(before["version"]))
    left = await store.get_document(FILLINGS, before["id"])
    unfinished = left["cohorts"] if left is not None and left["status"] != DONE else ()
    new = changed(rules, known)
    return {
        "version": rules.version,
        "status": UNDER_WAY,
        "cohorts": [name for name in rules.cohorts if name in new or name in unfinished],
        "done": {},
        "of": {},
        "since": {},
    }


def filling_line(job: dict[str, Any]) -> FillingLine:
    """Return how far a back-filling has come."""
    return FillingLine(
        version=job["version"],
        cohorts=named(job["cohorts"]),
        percent=percent(job),
        shards={shard: [job["done"].get(shard, 0), of] for shard, of in job["of"].items()},
        is_done=job["status"] == DONE,
    )
