"""Move the runs under way to a version that was published, or end them: the second half of a publication.

The published document says what becomes of the runs (`runs`), and of those in some groups otherwise (`groups`); a
document of the table `moves`, under the publication's number, says how far that has come. Whoever stands on another
version is told so by a fact in the journal, and everybody is looked at again until nobody is left: a shard that had not
seen the publication lets a fact pass, and may open a run on the old version meanwhile.

Rules
1. Every look can be repeated: a fact that is told again finds nothing more to do. After a crash a move goes on.
2. A newer publication replaces one whose move is not done.
3. A run that stays where it is, by choice or since the new version has no place for its stage, is counted, and is
   told why: also where nothing is moved, and only for some groups it was chosen that they stay.
4. Where groups differ, a fact holds only for the groups in which its visitor was seen: who has gone on since is looked
   at again, and told by what was chosen for where they stand then.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from agents.rules.compiled import CompiledRules
from agents.rules_manager.editing import EXIT, STAY, becomes, group_of, has_place
from agents.rules_manager.state import Run
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


class Standing(NamedTuple):
    """Say where one run stands, and what becomes of it there."""

    visitor: str
    path: str
    run: str
    group: str
    place: str
    choice: str
    """What was chosen for its group."""
    then: str
    """What that comes to: `stay`, `migrate` or `exit`."""
    is_told: bool
    """Whether the visitor knows it, or has nothing to be told."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return by what it is known again on the next look."""
        return self.visitor, self.path, self.run


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
        if last is None or not (moves_any(last) or groups_of(last)):
            return 0
        job = await self._to.store.get_document(MOVES, str(last["number"])) or _begun(last)
        job.setdefault("groups", {})  # a move that other code began
        if job["status"] != UNDER_WAY:
            return 0
        await self._move(job)
        return 1

    async def _move(self, job: dict[str, Any]) -> None:
        """Tell everybody who stands elsewhere, until nobody is left to be told."""
        count = Count(job)
        await self._passage.settled(2)
        for _ in range(LOOKS_MAX):
            await self._to.clock.sleep(AGAIN_SECONDS)
            if not await self._is_newest(job):
                return await self._end(job, REPLACED, count)
            if not await self._look_through(job, count):
                return await self._end(job, DONE, count)
            await self._passage.settled(2)
        self._to.log.error("move.unfinished", version=job["version"])
        return None

    async def _look_through(self, job: dict[str, Any], count: Count) -> bool:
        """Tell everybody once; return whether anybody was told."""
        rules = await self._rules(int(job["version"]))
        count.stay.clear()
        told_any, after = False, ""
        while page := await self._to.store.visitors("rules", after, PAGE):
            after = page[-1]
            standing = await self._elsewhere(page, job, rules)
            going = [each for each in standing if each.then != STAY]
            count.stay.update(each.place for each in standing if each.then == STAY)
            count.tell(going)
            if going:
                telling = {"telling": [(*each.key, each.place, each.then) for each in going]}
                await self._save(job | count.fields() | telling)  # before: none is told uncounted
            if untold := [each for each in standing if not each.is_told]:
                told_any = True
                await self._tell(untold, job)
        return told_any

    async def _elsewhere(
        self, visitors: list[str], job: dict[str, Any], rules: CompiledRules
    ) -> list[Standing]:
        """Return the runs of some visitors that stand on other versions and that the move concerns."""
        version = int(job["version"])
        found: list[Standing] = []
        for visitor, body in (await self._to.store.load("rules", visitors)).items():
            held = self._codec.decode(body)
            if not held.moved:
                found += [
                    _standing(visitor, run, job, rules)
                    for run in held.state.runs.values()
                    if run.version != version
                    and run.broadcast is None
                    and (run.active or run.alert_id)
                ]
        return found

    async def _tell(self, untold: list[Standing], job: dict[str, Any]) -> None:
        """Tell each of these visitors; what is chosen for all needs no groups."""
        chosen: dict[str, dict[str, str]] = {each.visitor: {} for each in sorted(untold)}
        if job["groups"]:
            for each in untold:
                chosen[each.visitor][each.group] = each.choice
        facts = [
            RulesPublished(
                visitor=visitor,
                version=int(job["version"]),
                action=STAY if job["groups"] else job["action"],
                by=job["by"],
                choices=choices,
            )
            for visitor, choices in chosen.items()
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

    async def _end(self, job: dict[str, Any], status: str, count: Count) -> None:
        stay = {} if status == REPLACED else dict(count.stay)
        ended = {"status": status, **count.fields(), "telling": [], "stay": stay}
        await self._save(job | ended | {"completed_at": self._to.clock.now()})
        self._to.log.info("move.ended", version=job["version"], status=status)

    async def _save(self, job: dict[str, Any]) -> None:
        fields = {name: value for name, value in job.items() if name != "id"}
        await self._to.store.put_document(MOVES, job["id"], fields)


class Count:
    """Count who was told, each run once, by place.

    Parameters:
        job: the move's document; after a crash it goes on from there.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.told: Counter[str] = Counter(job["told"])
        self.left: Counter[str] = Counter(left_of(job))
        """Of those told, who left."""
        self.stay: Counter[str] = Counter()
        # After a crash: whoever was told before it has moved by then, but for the page that was being told.
        self._known: dict[tuple[str, ...], tuple[str, str] | None] = {
            (visitor, path, run): (where[0], where[1]) if where else None
            for visitor, path, run, *where in job["telling"]
        }

    def tell(self, going: list[Standing]) -> None:
        """Count those who are told; who went on before they took it, where they stand by now."""
        for each in going:
            where = each.place, each.then
            if each.key in self._known:
                before = self._known[each.key]
                if before is None or before == where:  # None: other code told them
                    continue
                self._add(*before, -1)
            self._add(*where, 1)
            self._known[each.key] = where

    def _add(self, place: str, then: str, runs: int) -> None:
        self.told[place] += runs
        if then == EXIT:
            self.left[place] += runs

    def fields(self) -> dict[str, dict[str, int]]:
        """Return the counts as they are kept."""
        return {"told": dict(+self.told), "left": dict(+self.left)}


def moves_any(publication: dict[str, Any]) -> bool:
    """Say whether a publication moves or ends any runs under way."""
    return any(each != STAY for each in (publication["runs"], *groups_of(publication).values()))


def groups_of(publication: dict[str, Any]) -> dict[str, str]:
    """Return group -> what was chosen for it otherwise than for all; older publications knew one choice for all."""
    return dict(publication.get("groups", {}))


def left_of(job: dict[str, Any]) -> dict[str, int]:
    """Return place -> how many of those told left; a move of before told everybody the same."""
    told: dict[str, int] = job.get("told", {})
    found: dict[str, int] = job.get("left", told if job.get("action") == EXIT else {})
    return found


def _begun(publication: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a move that begins."""
    kept = {name: publication[name] for name in ("version", "at", "by")}
    asked = {"action": publication["runs"], "groups": groups_of(publication)}
    begun = {"status": UNDER_WAY, "told": {}, "left": {}, "telling": []}
    return {"id": str(publication["number"])} | kept | asked | begun


def _standing(visitor: str, run: Run, job: dict[str, Any], rules: CompiledRules) -> Standing:
    group = group_of(run.path, run.version, run.stage)
    choice = job["groups"].get(group, job["action"])
    is_there = has_place(rules, run.path, run.stage, in_steps=bool(run.came))
    then = becomes(choice, under_way=run.active, has_place=is_there)
    was_chosen = group in job["groups"] or choice != STAY
    return Standing(
        visitor,
        run.path,
        run.run,
        group,
        f"{run.path}/{run.stage}",
        choice=choice,
        then=then,
        is_told=then == STAY and (not was_chosen or run.stays_by == int(job["version"])),
    )
