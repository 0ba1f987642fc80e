"""Move the runs under way to a version that was published, or end them: the second half of a publication.

The published document says what becomes of the runs; a document of the table `moves`, under the publication's number,
says how far that has come. Whoever stands on another version is told so by a fact in the journal, and everybody is
looked at again until nobody is left: a shard that had not seen the publication lets a fact pass, and may open a run
on the old version meanwhile.

Rules
1. Every look can be repeated: a fact that is told again finds nothing more to do. After a crash a move goes on.
2. A newer publication replaces one whose move is not done.
3. A run for whose stage the new version has no place stays where it is, and is counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from agents.rules.compiled import CompiledRules
from agents.rules_manager.editing import EXIT, STAY
from agents.runtime.held import Codec
from agents.runtime.passing import Passage, Ways, look_always
from agents.runtime.registry import WIRING
from agents.runtime.views import PUBLISHED, Compile, Versions, read_versions
from messaging.vocabulary.events import RulesPublished

MOVES, UNDER_WAY, DONE, REPLACED = "moves", "under way", "done", "replaced"

PAGE = 500
"""Visitors read, and told, at once."""
AGAIN_SECONDS = 25.0
"""Pause before everybody is looked at (again): by then every shard should have seen the publication."""
LOOKS_MAX = 100

Told = tuple[str, str, str, str, bool, bool]
"""(visitor, path, run, stage, whether it goes through steps, whether it is under way: else a person has it)."""


class Mover:
    """Work off the open moves.

    Parameters:
        ways: ports.
        compile_: makes rules of files.
    """

    def __init__(self, ways: Ways, compile_: Compile) -> None:
        self._to = ways
        self._versions = Versions(compile_)
        self._passage = Passage(ways, "mover")
        self._codec = Codec(WIRING["rules"].make())

    async def run(self) -> None:
        """Work until cancelled; what a move meets on its way is met again after a pause."""
        await look_always(self._to, self.look, "move.interrupted")

    async def look(self) -> int:
        """Carry the move of the newest publication to its end; return how many there were to carry."""
        last = await self._to.store.get_document(*PUBLISHED)
        if last is None or last["runs"] == STAY:
            return 0
        job = await self._to.store.get_document(MOVES, str(last["number"])) or _begun(last)
        if job["status"] != UNDER_WAY:
            return 0
        await self._move(job)
        return 1

    async def _move(self, job: dict[str, Any]) -> None:
        """Tell everybody who stands elsewhere, until nobody is left to be told."""
        told: Counter[str] = Counter(job["told"])
        # After a crash: whoever was told before it has moved by then, but for the page that was being told.
        known: set[tuple[str, ...]] = {tuple(each) for each in job["telling"]}
        await self._passage.settled(2)
        for _ in range(LOOKS_MAX):
            await self._to.clock.sleep(AGAIN_SECONDS)
            if not await self._is_newest(job):
                return await self._end(job, REPLACED, told, Counter())
            told_any, stay = await self._look_through(job, told, known)
            if not told_any:
                return await self._end(job, DONE, told, stay)
            await self._passage.settled(2)
        self._to.log.error("move.unfinished", version=job["version"])
        return None

    async def _look_through(
        self, job: dict[str, Any], told: Counter[str], known: set[tuple[str, ...]]
    ) -> tuple[bool, Counter[str]]:
        """Tell everybody once; return whether anybody was told, and how many runs stay, by place."""
        rules = await self._rules(int(job["version"]))
        stay: Counter[str] = Counter()
        told_any, after = False, ""
        while page := await self._to.store.visitors("rules", after, PAGE):
            after = page[-1]
            runs = await self._elsewhere(page, job)
            ends = job["action"] == EXIT
            going = [each for each in runs if (ends and each[5]) or _has_place(rules, each)]
            counted = [
                each for each in going if each[5] or not ends
            ]  # who is with a person does not end
            stay.update(_place(each) for each in runs if each not in going)
            told.update(_place(each) for each in counted if each[:3] not in known)
            known.update(each[:3] for each in going)
            if going:
                told_any = True
                so_far = {"told": dict(told), "telling": [each[:3] for each in going]}
                await self._save(job | so_far)  # before: what is told is never told uncounted
                await self._tell(sorted({each[0] for each in going}), job)
        return told_any, stay

    async def _elsewhere(self, visitors: list[str], job: dict[str, Any]) -> list[Told]:
        """Return the runs of some visitors that stand on other versions and that the move concerns."""
        version = int(job["version"])
        runs: list[Told] = []
        for visitor, body in (await self._to.store.load("rules", visitors)).items():
            held = self._codec.decode(body)
            if not held.moved:
                runs += [
                    (visitor, run.path, run.run, run.stage, bool(run.came), run.active)
                    for run in held.state.runs.values()
                    if run.version != version
                    and run.broadcast is None
                    and (run.active or run.alert_id)
                ]
        return runs

    async def _tell(self, visitors: list[str], job: dict[str, Any]) -> None:
        facts = [
            RulesPublished(
                visitor=each, version=int(job["version"]), action=job["action"], by=job["by"]
            )
            for each in visitors
        ]
        await self._passage.records([self._passage.fact(each) for each in facts])

    async def _rules(self, version: int) -> CompiledRules:
        if version not in self._versions:
            await read_versions(self._to.store, self._versions)
        rules: CompiledRules = self._versions[version]
        return rules

    async def _is_newest(self, job: dict[str, Any]) -> bool:
        last = await self._to.store.get_document(*PUBLISHED)
        return last is not None and str(last["number"]) == job["id"]

    async def _end(
        self, job: dict[str, Any], status: str, told: Counter[str], stay: Counter[str]
    ) -> None:
        ended = {"status": status, "told": dict(told), "telling": [], "stay": dict(stay)}
        await self._save(job | ended | {"completed_at": self._to.clock.now()})
        self._to.log.info("move.ended", version=job["version"], status=status)

    async def _save(self, job: dict[str, Any]) -> None:
        fields = {name: value for name, value in job.items() if name != "id"}
        await self._to.store.put_document(MOVES, job["id"], fields)


def _begun(publication: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a move that begins."""
    kept = {name: publication[name] for name in ("version", "at", "by")}
    action = {"id": str(publication["number"]), "action": publication["runs"]}
    return kept | action | {"status": UNDER_WAY, "told": {}, "telling": []}


def _has_place(rules: CompiledRules, told: Told) -> bool:
    """Say whether a version has the place at which a run stands; a loop's run has none in a flow, nor the reverse."""
    _, name, _, stage, in_steps, _ = told
    path = rules.paths.get(name)
    return path is not None and stage in path.places and bool(path.steps) == in_steps


def _place(told: Told) -> str:
    _, path, _, stage, _, _ = told
    return f"{path}/{stage}"
