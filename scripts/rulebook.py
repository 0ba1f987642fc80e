"""Keep the rules' versions for the console: what there is, what is wrong with an edit, what it changes.

Rules
1. A version never changes. An edit makes a new one of the newest; whoever began with an older one is told so, and
   nothing of what they wrote is lost.
2. What is wrong is found by the very check that `mdma rules validate` makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import msgspec

from agents.rules.compiled import CompiledRules, Template, lists_asked
from agents.rules.ruleset import COHORTS, SCORES, SENDERS, name_of
from agents.rules.source import parse
from agents.runtime.figures import by_status, people_by_version, stages_in
from agents.runtime.filler import DONE, percent
from agents.runtime.mover import MOVES, left_of, moves_any
from agents.runtime.stages_kept import places_of
from agents.runtime.views import PUBLISHED, VERSIONS, Versions, read_versions
from config.beginning import beginning_of, words_of
from config.load import RulesInvalid, compile_files, validate_files
from config.templates import lacking_without_event
from messaging.gateway.console.desk import Page
from messaging.gateway.console.publications import (
    GroupLine,
    PublicationLine,
    Published,
    PublishOrder,
    decided,
)
from messaging.gateway.console.rulebook import (
    CohortLine,
    Compared,
    Edit,
    FileLine,
    Finding,
    Matching,
    MoveLine,
    PathLine,
    Place,
    RulesNow,
    Saved,
    VersionLine,
)
from messaging.gateway.paging import After
from messaging.ports import Clock, Store
from messaging.vocabulary.errors import RuleError
from scripts.affected import asks_of
from scripts.being_filled import filling_line, filling_now
from scripts.entering import entering, said
from scripts.impact import GROUPS_MAX, ImpossibleError, came_of, impact, in_all, said_of, told_of
from scripts.matching import matching
from scripts.older import older_lines
from scripts.overview import CALLS, GOING
from scripts.rules import (
    PublishedAlreadyError,
    files_of,
    newest,
    publications,
    publish,
    published,
    push_files,
    version_of,
)
from scripts.rules_diff import changes, sentence, unified
from scripts.visible import shown
from scripts.wording import moment

VERSIONS_SHOWN = 20
COMPARED_MAX = 16
"""Pairs of versions whose differences are remembered."""
LOOKED_MAX = 300
"""Visitors by whom a page says how many enter a path at once: some 30 ms. `mdma rules impact` looks at more."""

SAID_MAX = 200
"""Differences that are said; of more the lines show the rest."""

COUNTED = (COHORTS, SCORES, "paths/", "interactions/")
"""How the files begin of which it is counted who matches."""

KINDS = {
    COHORTS: "Cohorts, scores, senders",
    SCORES: "Cohorts, scores, senders",
    SENDERS: "Cohorts, scores, senders",
    "paths": "Paths",
    "interactions": "Interactions",
    "templates": "Templates",
    "layouts": "Layouts of e-mails",
}
"""File or folder -> the heading under which it stands, in this order."""


class Known(msgspec.Struct, kw_only=True):
    """Hold what the files of one version are called."""

    cohorts: dict[str, str]
    paths: dict[str, str]
    """Name -> title."""
    open_to_api: dict[str, bool]
    """Path that the API lets people onto -> whether its runs are told apart by a key."""
    files: list[tuple[str, list[FileLine]]]
    places: dict[str, list[str]]
    """Path -> its stages."""


class StoredRulebook:
    """Implement `messaging.gateway.console.rulebook.Rulebook`.

    Parameters:
        store: where versions are; one that tells the shards what is published.
        clock: tells world time, for counts of who matches; None: nobody is counted.
        consent: the consent setting in force.
    """

    def __init__(self, store: Store, clock: Clock | None = None, consent: str = "opt-in") -> None:
        self._store = store
        self._clock = clock
        self._consent = consent
        self._counting = asyncio.Lock()
        self._read: dict[int, Known] = {}
        self._versions_read = Versions(compile_files)
        self._by_themselves: dict[int, dict[str, str]] = {}
        self._compared: dict[tuple[int, int], Compared] = {}

    async def now(self) -> RulesNow:
        """Return what the rules are now."""
        number, last = await published(self._store), await newest(self._store)
        known, drafted = await self._known(number), await self._known(last)
        self._read = {number: known, last: drafted}
        people, runs = await self._store.figures("behavior"), await self._store.figures("rules")
        job = await filling_now(self._store, self._compiled)
        return RulesNow(
            published=number,
            newest=last,
            versions=await self._versions(last, number),
            cohorts=_cohorts(known, people, job),
            paths=_paths(known, runs),
            files=drafted.files,
            older=older_lines(people_by_version(runs), number, known.places),
            move=await self._move(),
            filling=filling_line(job) if job is not None and job["cohorts"] else None,
        )

    async def version(self, number: int) -> VersionLine | None:
        """Return a version."""
        rows = await self._store.rows(VERSIONS, {"id": str(number)}, limit=1, only=("at", "by"))
        if not rows:
            return None
        return _version(rows[0], await published(self._store), await self._publications())

    async def versions(self, after: After | None, limit: int, by: str = "") -> Page:
        """Return a page of versions."""
        match = {"by": by} if by else {}
        fields = ("at", "by")
        rows = await self._store.rows(VERSIONS, match, limit=limit + 1, after=after, only=fields)
        page, published_by = rows[:limit], await self._publications()
        number = await published(self._store)
        last = page[-1] if len(rows) > limit else None
        lines = [_version(row, number, published_by) for row in page]
        return Page(lines=lines, after=(last["at"], last["id"]) if last else None)

    async def _publications(self) -> dict[int, list[PublicationLine]]:
        """Return version -> its publications, the newest first."""
        found: dict[int, list[PublicationLine]] = {}
        for each in await publications(self._store):
            found.setdefault(int(each["version"]), []).append(_published_line(each))
        return found

    async def listed(self, number: int) -> list[tuple[str, list[FileLine]]]:
        """Return the files of a version, by their kind."""
        return (await self._known(number)).files

    async def file(self, number: int, name: str) -> str | None:
        """Return a file of a version."""
        return (await files_of(self._store, number) or {}).get(name)

    def beginning(self, name: str) -> str:
        """Return what a new file of this name begins with."""
        return beginning_of(name)

    def words(self, name: str) -> list[tuple[str, str]]:
        """Return what can be written in a file of this name."""
        return words_of(name)

    async def files(self, number: int) -> dict[str, str] | None:
        """Return all files of a version."""
        return await files_of(self._store, number)

    async def by_themselves(self, number: int) -> dict[str, str]:
        """Return the templates of a version that cannot go to a cohort -> why; a version never changes."""
        if number and number not in self._by_themselves:
            templates = (await self._compiled(number)).templates
            found = await asyncio.to_thread(_by_themselves, templates)
            self._by_themselves = {number: found}
        return self._by_themselves.get(number, {})

    async def lists(self) -> frozenset[str]:
        """Return the static lists that the published version asks for."""
        number = await published(self._store)
        return lists_asked(await self._compiled(number)) if number else frozenset()

    async def written(self, kind: str) -> dict[str, Any]:
        """Return name -> what the published version says of each of a kind."""
        files = await files_of(self._store, await published(self._store)) or {}
        if kind == "interactions":
            names = [name for name in files if name.startswith("interactions/")]
            return {PurePosixPath(name).stem: _data(files, name) for name in names}
        found: dict[str, Any] = _data(files, f"{kind}.yaml").get(kind) or {}
        return found

    async def check(self, number: int, name: str, text: str | None) -> list[Finding]:
        """Return what is wrong with a version in which one file is changed."""
        files = _with(await files_of(self._store, number) or {}, name, text)
        return [_finding(each) for each in await asyncio.to_thread(validate_files, files)]

    async def matching(self, number: int, name: str, text: str) -> Matching | None:
        """Return who matches what an edit touches."""
        files, html = await version_of(self._store, number) or ({}, None)
        before = files.get(name, "")
        if before == text or self._clock is None or not name.startswith(COUNTED):
            return None
        async with self._counting:  # one at a time: it takes the interpreter from others
            try:
                draft = _with(files, name, text)
                rules = await asyncio.to_thread(compile_files, draft, number, html)
            except RulesInvalid:
                return None
            old = await self._compiled(number) if files else None
            asks, notes = await asyncio.to_thread(asks_of, old, rules, draft, name, before)
            if not asks and not notes:
                return None
            now = self._clock.now()
            return await matching(
                self._store, rules, asks, now, self._consent, notes, self._versions_read
            )

    async def compare_file(self, number: int, name: str, text: str | None) -> str:
        """Return what an edit changes, as a unified diff."""
        before = await files_of(self._store, number) or {}
        only = {name: before[name]} if name in before else {}
        return unified(only, {name: text} if text is not None else {})

    async def compare(self, before: int, after: int) -> Compared:
        """Return what differs between two versions."""
        known = self._compared.get((before, after))
        if known is not None:
            return known  # a version never changes
        old = await files_of(self._store, before) or {}
        new = await files_of(self._store, after) or {}
        found = await asyncio.to_thread(changes, old, new)
        told = [shown(sentence(each)) for each in found[:SAID_MAX]]
        if len(self._compared) >= COMPARED_MAX:
            self._compared.clear()
        known = self._compared[before, after] = Compared(said=told, text=unified(old, new))
        return known

    async def save(self, edit: Edit, by: str, at: datetime) -> Saved:
        """Make a version of an edit."""
        files = await files_of(self._store, edit.base)
        last = await newest(self._store)
        if files is None or last != edit.seen:
            return Saved(version=last, outcome="late")
        edited = _with(files, edit.file, edit.text)
        if edited == files:
            return Saved(version=edit.base, outcome="same")
        try:
            version, is_new = await push_files(self._store, edited, at=at, by=by, base=edit.seen)
        except RulesInvalid as error:
            found = [_finding(each) for each in error.errors]
            return Saved(version=edit.base, outcome="wrong", findings=found)
        # The edit of an older version may come to what the newest one says.
        outcome = "saved" if is_new else "same" if version == edit.seen else "late"
        return Saved(version=version, outcome=outcome)

    async def impact(self, number: int) -> list[Place]:
        """Return where runs stand that are on other versions than this one."""
        found = await impact(self._store, number, await self._compiled(number))
        return [
            Place(
                path=each.path,
                stage=each.stage,
                version=each.version,
                going=each.runs,
                calls=each.waiting,
                has_place=each.has_place,
                why_not=each.why_not,
                group=each.name,
                choices=list(each.choices) if place < GROUPS_MAX else [],
            )
            for place, each in enumerate(found)
        ]

    async def entering(self, number: int) -> list[str]:
        """Return how many would enter each path at once by a version."""
        found = await entering(self._store, number, sample=LOOKED_MAX, versions=self._versions_read)
        return [said(each) for each in found]

    async def publish(self, number: int, order: PublishOrder, by: str, at: datetime) -> Published:
        """Publish a version in the place of another."""
        try:
            row = await publish(
                self._store,
                number,
                at=at,
                by=by,
                instead_of=order.instead_of,
                runs=order.runs,
                groups=order.groups,
            )
        except ImpossibleError as error:
            return Published(outcome="impossible", said=str(error))
        except PublishedAlreadyError as error:
            return Published(outcome="same", said=str(error))
        if row is None:
            return Published(outcome="late")
        return Published(outcome="published", said=decided(in_all(row["impact"], row["runs"])))

    async def _compiled(self, number: int) -> CompiledRules:
        """Return a version, compiled once."""
        if number not in self._versions_read:
            await read_versions(self._store, self._versions_read)
        rules: CompiledRules = await asyncio.to_thread(self._versions_read.__getitem__, number)
        return rules

    async def _move(self) -> MoveLine | None:
        last = await self._store.get_document(*PUBLISHED)
        if last is None or not moves_any(last):
            return None
        job = await self._store.get_document(MOVES, str(last["number"])) or {}
        left = sum(left_of(job).values())
        return MoveLine(
            version=last["version"],
            is_done=job.get("status") == DONE,
            went=sum(job.get("told", {}).values()) - left,
            left=left,
            stay=sum(job.get("stay", {}).values()),
        )

    async def _known(self, number: int) -> Known:
        """Return what a version's files are called; read once, since a version never changes."""
        if number in self._read:
            return self._read[number]
        files = await files_of(self._store, number) or {}
        return await asyncio.to_thread(_known_of, files)

    async def _versions(self, last: int, number: int) -> list[VersionLine]:
        numbers = {*range(max(1, last - VERSIONS_SHOWN + 1), last + 1), number}
        published_by = await self._publications()
        found = []
        for each in sorted(numbers, reverse=True):
            rows = await self._store.rows(VERSIONS, {"id": str(each)}, limit=1, only=("at", "by"))
            found += [_version(row, number, published_by) for row in rows]
        return found


def _published_line(row: dict[str, Any]) -> PublicationLine:
    told = [told_of(each, row["runs"]) for each in row["impact"]]
    differs = row.get("groups") or any(each["choice"] != row["runs"] for each in told)
    return PublicationLine(
        at=moment(row["at"]),
        by=shown(row["by"]),
        runs=row["runs"],
        said=decided(in_all(row["impact"], row["runs"])),
        came=came_of(row),
        groups=[
            GroupLine(
                path=each["path"],
                stage=each["stage"],
                version=each["version"],
                going=each["runs"],
                calls=each["waiting"],
                choice=each["choice"],
                decided=each["decided"],
                why_not=each["why_not"],
                said=said_of(kept, row),
            )
            for kept, each in zip(row["impact"], told if differs else [], strict=False)
        ],
    )


def _version(
    row: dict[str, Any], number: int, published_by: dict[int, list[PublicationLine]]
) -> VersionLine:
    version = int(row["id"])
    return VersionLine(
        number=version,
        at=moment(row["at"]),
        by=shown(row["by"]),
        is_published=version == number,
        publications=published_by.get(version, []),
    )


def _by_themselves(templates: Mapping[str, Template]) -> dict[str, str]:
    found = {name: lacking_without_event(name, each) for name, each in templates.items()}
    return {name: why for name, why in found.items() if why}


def _with(files: Mapping[str, str], name: str, text: str | None) -> dict[str, str]:
    """Return files with one of them changed, added, or (None) left out."""
    others = {each: old for each, old in files.items() if each != name}
    return dict(sorted({**others, **({name: text} if text is not None else {})}.items()))


def _finding(error: RuleError) -> Finding:
    return Finding(
        file=error.file, line=error.line, problem=shown(error.problem, 500), hint=shown(error.hint)
    )


def _known_of(files: Mapping[str, str]) -> Known:
    named = _data(files, COHORTS).get("cohorts") or {}
    data = {file: _data(files, file) for file in sorted(files) if file.endswith(".yaml")}
    groups: dict[str, list[FileLine]] = {heading: [] for heading in KINDS.values()}
    for file in sorted(files):
        heading = KINDS.get(file.partition("/")[0], "Others")
        line = FileLine(name=file, title=_title(data.get(file)))
        groups.setdefault(heading, []).append(line)
    return Known(
        cohorts={name: _title(each) for name, each in named.items()},
        paths={
            file.removeprefix("paths/").removesuffix(".yaml"): _title(each)
            for file, each in data.items()
            if file.startswith("paths/")
        },
        open_to_api=dict(_open_to_api(data)),
        places={
            name_of(file): places_of(each)
            for file, each in data.items()
            if file.startswith("paths/")
        },
        files=[(heading, lines) for heading, lines in groups.items() if lines],
    )


def _open_to_api(data: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    for file, each in data.items():
        entry = each.get("entry")
        if file.startswith("paths/") and isinstance(entry, dict) and entry.get("api") is True:
            yield name_of(file), each.get("reentry") == "keyed"


def _cohorts(
    known: Known, people: dict[str, float], job: dict[str, Any] | None
) -> list[CohortLine]:
    filling = job["cohorts"] if job is not None else ()
    since = job["since"] if job is not None else {}
    return [
        CohortLine(
            name=name,
            title=title,
            people=int(people.get(f"cohorts/{name}", 0)),
            filled=percent(job) if job is not None and name in filling else 100,
            since=moment(since[name]) if name in since else "",
        )
        for name, title in known.cohorts.items()
    ]


def _paths(known: Known, figures: dict[str, float]) -> list[PathLine]:
    stages = stages_in(figures)
    found = []
    for name, title in known.paths.items():
        counts = by_status({name: stages.get(name, {})})
        line = PathLine(
            name=name,
            title=title,
            going=sum(counts.get(status, 0) for status in GOING),
            calls=sum(counts.get(status, 0) for status in CALLS),
            won=counts.get("won", 0),
            api=name in known.open_to_api,
            keyed=known.open_to_api.get(name, False),
        )
        found.append(line)
    return found


def _data(files: Mapping[str, str], file: str) -> dict[str, Any]:
    """Return what a file holds, empty where it is not there or is no mapping."""
    try:
        data = parse(file, files.get(file, "")).data
    except RuleError:
        return {}
    return data if isinstance(data, dict) else {}


def _title(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    return shown(data.get("title") or data.get("subject") or "")
