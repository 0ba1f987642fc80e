"""Say what a publication means for the runs under way: who stands where, what may become of them, what was decided.

Rules
1. A group is what stands at one stage (of a flow: step) of a path by one version; each may be decided for on its own.
2. Only what is possible is taken: nobody goes over to a version that has no place for them. Who is decided for with
   everybody stays where they cannot go over.
3. With a publication is kept what was decided for each group, with the counts of that moment: not what was chosen for
   all, where something else comes of it.
4. What was decided has not happened. What came of it is said by the mover's own counts, once it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agents.rules.compiled import CompiledRules
from agents.rules.ruleset import name_of
from agents.rules.source import parse
from agents.rules_manager.editing import (
    EXIT,
    MIGRATE,
    RUNS,
    STAY,
    Choice,
    becomes,
    group_of,
    no_place,
)
from agents.runtime.figures import standing_in
from agents.runtime.mover import DONE, REPLACED, left_of
from agents.runtime.stages_kept import places_of
from agents.runtime.views import VERSIONS
from config.load import compile_files
from messaging.gateway.console.publications import decided_for, happened
from messaging.ports import Store

GROUPS_MAX = 300
"""Groups that one publication decides for on their own."""


class ImpossibleError(ValueError):
    """A publication asks for what cannot become of the runs under way; the text says what, and what can."""


class Group(msgspec.Struct, frozen=True):
    """Count runs that stand at one place, and say what may become of them by a publication."""

    path: str
    version: int
    stage: str
    runs: int
    """Under way."""
    waiting: int
    """Runs there that wait for a person; they go over, and do not end."""
    has_place: bool
    """Whether the version that would be published has this path and stage: only then can a run go over to it."""
    why_not: str = ""
    """What it lacks, where it has not."""

    @property
    def name(self) -> str:
        """Return what the group is called."""
        return group_of(self.path, self.version, self.stage)

    @property
    def choices(self) -> list[Choice]:
        """Return what may become of it."""
        return [
            each
            for each in RUNS
            if (each != MIGRATE or self.has_place) and (each != EXIT or self.runs)
        ]

    def decided(self, choice: str) -> dict[str, int]:
        """Return how many stay, go over and leave by a choice.

        >>> Group("welcome", 1, "cart", runs=5, waiting=2, has_place=True).decided("exit")
        {'stay': 0, 'migrate': 2, 'exit': 5}
        """
        found: dict[str, int] = dict.fromkeys(RUNS, 0)
        for runs, under_way in ((self.runs, True), (self.waiting, False)):
            found[becomes(choice, under_way=under_way, has_place=self.has_place)] += runs
        return found

    def kept(self, choice: str) -> dict[str, Any]:
        """Return what a publication keeps of it: the counts, and what a choice comes to.

        `choice` of those is what becomes of who is under way, or where nobody is of who waits for a person.
        """
        then = becomes(choice, under_way=bool(self.runs), has_place=self.has_place)
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields | {"choice": then, "decided": self.decided(choice)}


async def impact(store: Store, version: int, rules: CompiledRules | None = None) -> list[Group]:
    """Return where runs stand that are on another version than this one, as of each shard's last commit.

    A path's groups stand in the order of its stages, or of its flow's steps.

    `rules`: the version compiled, where somebody has it. Raise KeyError for a version that there is not.
    """
    if rules is None:
        rules = await _compiled(store, version)
    standing = standing_in(await store.figures("rules"))
    others = {other for _, other, _ in standing if other != version}
    paths = {other: await paths_of(store, other) for other in sorted(others)}
    groups = [
        _group(rules, (path, other, stage), counts, in_steps="steps" in paths[other].get(path, {}))
        for (path, other, stage), counts in sorted(standing.items())
        if other != version
    ]
    return sorted(groups, key=lambda each: _place(each, paths[each.version].get(each.path, {})))


async def check_groups(store: Store, version: int, groups: Mapping[str, str]) -> None:
    """Raise ImpossibleError where a choice cannot be made: what it is, no such group, no place to go over to."""
    if len(groups) > GROUPS_MAX:
        raise ImpossibleError(
            f"{len(groups)} groups are decided for on their own, {GROUPS_MAX} can be: choose for the others together"
        )
    if not groups:
        return
    rules = await _compiled(store, version)
    for name, choice in groups.items():
        check_choice(choice, f"group {name}")
        path, other, stage = parted(name)
        row = (await paths_of(store, other)).get(path)
        if row is None or stage not in places_of(row):
            raise ImpossibleError(
                f"group {name}: nobody stands there, version {other} has no such stage"
            )
        why_not = no_place(rules, path, stage, in_steps="steps" in row)
        if choice == MIGRATE and why_not:
            raise ImpossibleError(
                f"group {name} cannot migrate, for version {version} has {why_not}: choose stay or exit"
            )


def check_choice(choice: str, of: str = "runs under way") -> None:
    """Raise ImpossibleError for what nothing can become of runs."""
    if choice not in RUNS:
        raise ImpossibleError(f"{of} can {', '.join(RUNS)}, not {choice!r}")


def parted(name: str) -> tuple[str, int, str]:
    """Return path, version and stage of a group. Raise ImpossibleError for what is the name of none.

    >>> parted("welcome/3/cart")
    ('welcome', 3, 'cart')
    """
    path, _, rest = name.partition("/")
    version, _, stage = rest.partition("/")
    if not (path and stage and version.isascii() and version.isdigit() and len(version) <= 9):
        raise ImpossibleError(
            f"{name!r} is no group: write path/version/stage, as the impact names them"
        )
    return path, int(version), stage


def in_all(groups: Iterable[Mapping[str, Any]], choice: str) -> dict[str, int]:
    """Return how many stay, go over and leave by what a publication keeps of its groups.

    `choice`: what was chosen for all; an older publication says no more.
    """
    found: dict[str, int] = dict.fromkeys(RUNS, 0)
    for each in groups:
        for then, runs in told_of(each, choice)["decided"].items():
            found[then] += runs
    return found


def told_of(kept: Mapping[str, Any], choice: str) -> dict[str, Any]:
    """Return what a publication keeps of a group, as `Group.kept` has it; older ones kept the choice as it was made.

    `choice`: what was chosen for all; the oldest say no more.
    """
    group = msgspec.convert({"why_not": "", **kept}, Group)
    return group.kept(kept.get("choice", choice))


def said_of(kept: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return in words what a publication (`row`) decided for one of its groups, as it is kept."""
    told = told_of(kept, row["runs"])
    name = group_of(told["path"], told["version"], told["stage"])
    chosen = row.get("groups", {}).get(name, row["runs"])
    is_kept_back = chosen != STAY and told["decided"][STAY]
    return decided_for(told["decided"], row["version"], told["why_not"] if is_kept_back else "")


def came_of(row: Mapping[str, Any]) -> str:
    """Return in words what came of a publication, as `scripts.rules.publications` gives it; empty: not yet."""
    move = row.get("move") or {}
    if move.get("status") not in (DONE, REPLACED):
        return ""
    left = sum(left_of(move).values())
    stay = sum(move.get("stay", {}).values())
    came: dict[str, int] = {MIGRATE: sum(move["told"].values()) - left, EXIT: left, STAY: stay}
    if move["status"] == REPLACED:
        return happened(came, is_replaced=True)
    decided_of = sum(in_all(row["impact"], row["runs"]).values())
    more = sum(came.values()) - decided_of
    return happened(came, max(0, -more), entered=max(0, more))


async def paths_of(store: Store, version: int) -> dict[str, dict[str, Any]]:
    """Return path -> what its file says, of a version that was checked when it was made."""
    found = await store.get_document(VERSIONS, str(version))
    files = found["files"] if found is not None else {}
    return {
        name_of(file): parse(file, text).data
        for file, text in files.items()
        if file.startswith("paths/")
    }


async def _compiled(store: Store, version: int) -> CompiledRules:
    """Return a version. Raise KeyError for one that there is not."""
    found = await store.get_document(VERSIONS, str(version))
    if found is None:
        raise KeyError(version)
    return await asyncio.to_thread(compile_files, found["files"], version, found.get("html"))


def _place(group: Group, path: Mapping[str, Any]) -> tuple[str, int, int, str]:
    """Return by what groups stand in order: a path's by version, each as its own version has the stages."""
    stages = places_of(dict(path))
    at = stages.index(group.stage) if group.stage in stages else len(stages)
    return group.path, group.version, at, group.stage


def _group(
    rules: CompiledRules, place: tuple[str, int, str], counts: tuple[int, int], *, in_steps: bool
) -> Group:
    path, version, stage = place
    why_not = no_place(rules, path, stage, in_steps=in_steps)
    return Group(path, version, stage, *counts, has_place=not why_not, why_not=why_not)
