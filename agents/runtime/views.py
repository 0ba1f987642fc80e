"""Make the view that bots see: the published rules, every version a visitor may stand on, policies, settings.

Rules
1. A version of the rules never changes: it is compiled once, and only when somebody asks for it.
2. Whether there is anything new costs two small reads (`stamp`); the view is built anew only then.
3. Of each policy the newest snapshot counts; older ones stay in the store for replays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from agents.protocol.bot import View
from learning.serving import split_test
from learning.serving.probability import POLICIES
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot

VERSIONS, PUBLISHED, SNAPSHOTS = "rules_versions", ("control", "published"), "snapshots"
PUBLICATIONS = "publications"
"""Table of what was published before, by number."""
PAUSE = ("control", "pause")
"""`messaging.gateway.acts.PAUSE`: named again, since a shard loads nothing of the gateway."""

VERSIONS_MAX = 10_000
"""The newest so many are read."""

COMPILED_MAX = 16
"""Versions that are held as rules: the published one, and those on which somebody acted lately."""

Compile = Callable[[Mapping[str, str], int, Mapping[str, str] | None], Any]
"""(files, version, template -> HTML as it was compiled when the version was made) -> compiled rules."""

Stamp = tuple[int, int, str, str]


class ViewSettings(msgspec.Struct, frozen=True):
    """Hold the part of a view that settings decide."""

    mailbox: Callable[[str], str]
    veil: Callable[[str], str] = lambda key: key
    holdout: float = 0.05
    consent: str = "opt-in"
    learning: bool = True
    social: bool = False


class Versions(dict[int, Any]):
    """Map a version to its compiled rules, compiling those that are asked for.

    Every version may be asked for (somebody may stand on it), few are: their files are held packed, a tenth of their
    size, and of what was compiled the versions that were asked for last.

    Parameters:
        compile_: makes rules of files.
    """

    def __init__(self, compile_: Compile) -> None:
        super().__init__()
        self._packed: dict[int, bytes] = {}
        self._compile = compile_

    def hold(self, version: int, files: Mapping[str, str], html: Mapping[str, str] | None) -> None:
        """Have a version's files, and the HTML that was made of its e-mails, for when somebody asks."""
        self._packed.setdefault(version, zlib.compress(msgspec.json.encode((files, html))))

    def lacks(self, versions: Iterable[int]) -> list[int]:
        """Return those of these versions whose files are not here, sorted."""
        return sorted(set(versions) - self._packed.keys())

    def __missing__(self, version: int) -> Any:
        files, html = msgspec.json.decode(zlib.decompress(self._packed[version]))
        rules = self[version] = self._compile(files, version, html)
        while len(self) > COMPILED_MAX:
            del self[next(iter(self))]
        return rules

    def __getitem__(self, version: int) -> Any:
        rules = super().__getitem__(version)
        if next(reversed(self)) != version:
            self[version] = self.pop(version)  # the last one asked for stands last
        return rules

    def __contains__(self, version: object) -> bool:
        return version in self._packed

    def get(self, version: int, default: Any = None) -> Any:
        """Return a version, the default where there is none."""
        return self[version] if version in self._packed else default


async def read_versions(store: Store, versions: Versions) -> None:
    """Read the versions that were made since the last look: one holds all its files and e-mails."""
    rows = await store.rows(VERSIONS, {}, limit=VERSIONS_MAX, only=())
    for version in versions.lacks(int(row["id"]) for row in rows):
        row = await store.get_document(VERSIONS, str(version))
        if row is not None:
            versions.hold(version, row["files"], row.get("html"))


"""The published version, the newest snapshot, and the paths that are held (`held_text`)."""


def held_text(paused: frozenset[str], archived: frozenset[str]) -> str:
    """Return which paths are held as one word, for a batch's record; empty for none.

    >>> held_text(frozenset({"b", "a"}), frozenset({"c"}))
    'a,b/c'
    """
    return f"{','.join(sorted(paused))}/{','.join(sorted(archived))}" if paused or archived else ""


def held_paths(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return (paused, archived) paths of what `held_text` made.

    >>> held_paths("") == (frozenset(), frozenset())
    True
    """
    paused, _, archived = text.partition("/")
    return frozenset(filter(None, paused.split(","))), frozenset(filter(None, archived.split(",")))


class ViewLoader:
    """Load views for one process.

    Parameters:
        store: where versions and snapshots are.
        settings: what does not come from the store.
        compile_: makes rules of files (`config.load.compile_files`).
    """

    def __init__(self, store: Store, settings: ViewSettings, compile_: Compile) -> None:
        self._store = store
        self._settings = settings
        self._versions = Versions(compile_)
        self._stamp: Stamp | None = None
        self._newest: dict[str, Snapshot] = {}
        self._kept: dict[str, Snapshot] = {}
        """Snapshots that replays asked for."""
        self._goals: dict[int, dict[str, dict[str, tuple[int, ...]]]] = {}
        """Publication -> goals that only older versions have: what was published never changes."""

    async def changed(self) -> View | None:
        """Return a new view if there is anything new since the last one, else None."""
        found = await self.stamp()
        return None if found == self._stamp else await self.load(found)

    async def load(self, stamp: Stamp | None = None) -> View:
        """Return the view of this moment."""
        found = stamp if stamp is not None else await self.stamp()
        publication, version, _, held = found
        if version and version not in self._versions:
            await read_versions(self._store, self._versions)
        settings = self._settings
        paused, archived = held_paths(held)
        view = View(
            rules=self._versions.get(version),
            rules_version=version,
            pinned=self._versions,
            snapshots=await self._snapshots(),
            mailbox=settings.mailbox,
            veil=settings.veil,
            holdout=settings.holdout,
            consent=settings.consent,
            learning=settings.learning,
            social=settings.social,
            publication=publication,
            paused=paused,
            archived=archived,
            older_goals=await self._older_goals(publication),
        )
        self._stamp = found
        return view

    async def at(self, rules_version: int, snapshots: Mapping[str, int], settings: str) -> View:
        """Return the view of an earlier moment, as a batch record names it (`agents.runtime.batch.describe`).

        Raise KeyError where a version that the record names is not kept any more.
        """
        if rules_version and rules_version not in self._versions:
            await read_versions(self._store, self._versions)
        held: dict[str, Snapshot] = {}
        for policy, version in snapshots.items():
            key = f"{policy}@{version}"
            if key not in self._kept:
                row = await self._store.get_document(SNAPSHOTS, key)
                if row is None:
                    raise KeyError(f"snapshot {key} is not kept any more")
                self._kept[key] = msgspec.convert(row, Snapshot)
            held[policy] = self._kept[key]
        said = dict(part.split("=", 1) for part in settings.split())
        publication = int(said.get("publication", "0"))
        paused, archived = held_paths(said.get("held", ""))
        return View(
            rules=self._versions.get(rules_version),
            rules_version=rules_version,
            pinned=self._versions,
            snapshots=held,
            mailbox=self._settings.mailbox,
            veil=self._settings.veil,
            holdout=float(said.get("holdout", self._settings.holdout)),
            consent=said.get("consent", self._settings.consent),
            learning=said.get("learning", "1") == "1",
            social=said.get("social", "0") == "1",
            publication=publication,
            paused=paused,
            archived=archived,
            older_goals=await self._older_goals(publication),
        )

    async def stamp(self) -> Stamp:
        """Return what changes whenever a view would: publication, version, newest snapshot, what is held."""
        published = await self._store.get_document(*PUBLISHED)
        newest = await self._store.rows(SNAPSHOTS, {}, limit=1)
        held = await self._store.get_document(*PAUSE) or {}
        paths = held.get("paths", [])
        # Everything paused holds the hand-overs alone: what is due is planned, and goes as soon as it may.
        paused = frozenset(paths) if paths != "all" else frozenset[str]()
        text = held_text(paused, frozenset(held.get("archived", [])))
        number, version = (published["number"], published["version"]) if published else (0, 0)
        return int(number), int(version), newest[0]["id"] if newest else "", text

    async def _older_goals(self, publication: int) -> dict[str, dict[str, tuple[int, ...]]]:
        """Return what a publication says of goals that only older versions have (`View.older_goals`)."""
        found = self._goals.get(publication)
        if found is None and publication:
            row = await self._store.get_document(*PUBLISHED)
            if row is None or row["number"] != publication:
                row = await self._store.get_document(PUBLICATIONS, str(publication))
            said = row.get("older_goals", {}) if row is not None else {}
            found = {
                event: {path: tuple(versions) for path, versions in paths.items()}
                for event, paths in said.items()
            }
            self._goals[publication] = found
        return found or {}

    async def _snapshots(self) -> dict[str, Snapshot]:
        """Return policy -> newest snapshot; the newest rows name the policies that are alive."""
        newest = dict(self._newest)
        limit = SNAPSHOT_ROWS_NEW_MAX if newest else SNAPSHOT_ROWS_MAX
        rows = await self._store.rows(SNAPSHOTS, {}, limit=limit)
        if not newest:
            # Published seldom, or never again: others fill the newest rows many times over.
            for policy in (*POLICIES, *await self._split_tests()):
                rows += await self._store.rows(SNAPSHOTS, {"policy": policy}, limit=1)
        for row in rows:
            snapshot = msgspec.convert(row, Snapshot)
            known = newest.get(snapshot.policy)
            if known is None or snapshot.version > known.version:
                newest[snapshot.policy] = snapshot
        self._newest = newest
        return newest

    async def _split_tests(self) -> list[str]:
        """Return the split tests of which anything was ever published: a verdict is served for good."""
        names = await self._store.tally(SNAPSHOTS, "policy")
        return sorted(name for name in names if split_test.is_policy(name))


SNAPSHOT_ROWS_MAX = 500
"""A policy that published nothing while others published so often is one that nobody decides by."""

SNAPSHOT_ROWS_NEW_MAX = 50
"""Rows read when a view is refreshed: what was published since the last one, with room."""
