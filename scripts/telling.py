"""Stand between the gateway and what it is given: tell shards of a pause, show how the parts fare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agents.runtime.looking import Looking
from messaging.gateway.acts import PAUSE
from messaging.gateway.told import Line, Overview, Story
from messaging.ports import Clock
from messaging.store.mongo import MongoStore
from scripts.experiments import verdict_words
from scripts.known import facts
from scripts.overview import overview
from scripts.policies import line_of
from scripts.refused import LATELY_DAYS, Refusals, failing
from scripts.story import by_whom, sentence
from scripts.visible import shown
from scripts.wording import moment

TOLD = {PAUSE, ("control", "published")}
"""Documents whose writing concerns every shard."""

REST_SECONDS = 1.0
REST_SHARE = 10.0
"""An overview holds for a second, and ten times as long as it took to make: at most a tenth of one core."""

Numbers = dict[str, dict[str, float]]


class Telling(MongoStore):
    """Be the store, and tell every shard when a document of concern was written.

    Parameters:
        store: what is stood in for; its connection is shared.
        peers: has `tell(name, order)`.
        names: the shards.
    """

    def __init__(self, store: MongoStore, peers: Any, names: list[str]) -> None:
        super().__init__(store._connection)  # noqa: SLF001 - the same store under another name
        self._peers = peers
        self._names = names

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        """Upsert a document; when it concerns the shards, return after each was told (or did not answer)."""
        await super().put_document(collection, key, fields)
        await self._tell(collection, key)

    async def swap_document(
        self, collection: str, key: str, fields: dict[str, Any], expected: dict[str, Any] | None
    ) -> bool:
        """Write a document where it stands as expected; tell the shards as above."""
        done = await super().swap_document(collection, key, fields, expected)
        if done:
            await self._tell(collection, key)
        return done

    async def _tell(self, collection: str, key: str) -> None:
        if (collection, key) in TOLD:
            await asyncio.gather(*(self._peers.tell(name, "refresh") for name in self._names))


class Reading:
    """Read visitors, and put into words what is read; add to the system's counts how each part fares.

    Parameters:
        reader: reads what is stored.
        looking: gathers what the overview shows.
        parts: gives how each part fares.
        clock: tells world time.
    """

    def __init__(
        self, reader: Any, looking: Looking, parts: Callable[[], Numbers], clock: Clock
    ) -> None:
        self._reader = reader
        self._looking = looking
        self._parts = parts
        self._clock = clock
        self._refusals = Refusals(looking.refusals, clock, LATELY_DAYS)
        self._turn = asyncio.Lock()
        self._seen: tuple[float, Overview] | None = None
        self._counting = asyncio.Lock()
        self._counts: tuple[float, dict[str, Any]] | None = None

    async def visitor(self, id_: str) -> dict[str, Any] | None:
        """Return one visitor."""
        found: dict[str, Any] | None = await self._reader.visitor(id_)
        return found

    async def find(self, id_: str) -> str | None:
        """Return the visitor id that an id leads to."""
        found: str | None = await self._reader.find(id_)
        return found

    async def people(self, id_: str) -> list[str]:
        """Return the visitor that an id leads to and those merged into them."""
        found: list[str] = await self._reader.people(id_)
        return found

    async def timeline(self, id_: str) -> list[dict[str, Any]] | None:
        """Return one visitor's story, each line with its sentence (`says`)."""
        found: list[dict[str, Any]] | None = await self._reader.timeline(id_)
        return None if found is None else [{**row, "says": sentence(row)} for row in found]

    async def page(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return a page of visitors."""
        found: list[dict[str, Any]] = await self._reader.page(after, limit)
        return found

    async def of_cohort(self, cohort: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return a page of a cohort's visitors."""
        found: list[dict[str, Any]] = await self._reader.of_cohort(cohort, after, limit)
        return found

    async def at_stage(self, path: str, stage: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return a page of who stands at a stage."""
        found: list[dict[str, Any]] = await self._reader.at_stage(path, stage, after, limit)
        return found

    async def counted(self, *, cohort: str = "", path: str = "", stage: str = "") -> int:
        """Return how many are in a cohort, or stand at a stage."""
        return int(await self._reader.counted(cohort=cohort, path=path, stage=stage))

    async def unwritable(self, id_: str) -> str:
        """Return why no marketing e-mail may be sent to a visitor; empty: it may."""
        found: str = await self._reader.unwritable(id_)
        return found

    async def stages(self, version: int | None = None) -> dict[str, list[str]]:
        """Return path -> names of its stages; with a version, where a run of it may go on."""
        found: dict[str, list[str]] = await self._reader.stages(version)
        return found

    async def paths(self) -> list[str]:
        """Return the paths of every version that is or was published, by name."""
        found: list[str] = await self._reader.paths()
        return found

    async def experiments(self) -> list[dict[str, Any]]:
        """Return every split test, each with what it says in words (`says`)."""
        found: list[dict[str, Any]] = await self._reader.experiments()
        return [{**each, "says": verdict_words(each)} for each in found]

    async def policies_held(self) -> int:
        """Return of how many policies what was learned last is held."""
        return int(await self._reader.policies_held())

    async def stats(self) -> dict[str, Any]:
        """Return counts, with `parts`: name -> numbers. The counts hold ten times as long as they took."""
        async with self._counting:
            began = self._clock.machine()
            if self._counts is None or began >= self._counts[0]:
                as_of = self._clock.now()
                found: dict[str, Any] = {"as_of": as_of, **await self._reader.stats()}
                ended = self._clock.machine()
                self._counts = (ended + REST_SHARE * (ended - began), found)
            return {**self._counts[1], "parts": self._parts()}

    async def overview(self) -> Overview:
        """Return what all bots do; whoever looks meanwhile gets the same, so that looking cannot be a load."""
        async with self._turn:
            began = self._clock.machine()
            if self._seen is None or began >= self._seen[0]:
                seen = await self._looking.look()
                tests = await self._looking.without_alert(await self._reader.experiments())
                fails = failing(await self._refusals.now())
                policies = [line_of(each) for each in await self._looking.policies()]
                told = overview(seen, self._parts(), self._clock.now(), tests, fails, policies)
                ended = self._clock.machine()
                rest = max(REST_SECONDS, REST_SHARE * (ended - began))
                self._seen = (ended + rest, told)
            return self._seen[1]

    async def story(self, id_: str) -> Story | None:
        """Return one visitor's facts and story in words, the newest line first."""
        found, timeline = await self.visitor(id_), await self.timeline(id_)
        if found is None or timeline is None:
            return None
        name = found["email"] or next(iter(found["user_ids"]), "A visitor without a name")
        lines = [
            Line(at=moment(row["at"]), by=by_whom(row), said=row["says"])
            for row in reversed(timeline)
        ]
        return Story(
            name=shown(name),
            facts=list(facts(found)),
            lines=lines,
            visitor=found["visitor_id"],
        )


def prometheus(parts: Numbers) -> str:
    """Return the parts' numbers in Prometheus' text format.

    >>> print(prometheus({"rules-0": {"rate": 2.0}}), end="")
    # TYPE mdma_rate gauge
    mdma_rate{bot="rules",shard="rules-0"} 2.0
    """
    keys = sorted({key for numbers in parts.values() for key in numbers})
    lines = []
    for key in keys:
        lines.append(f"# TYPE mdma_{key} gauge")
        for name in sorted(parts):
            if key in parts[name]:
                bot = name.rpartition("-")[0]
                lines.append(f'mdma_{key}{{bot="{bot}",shard="{name}"}} {parts[name][key]}')
    return "".join(f"{line}\n" for line in lines)
