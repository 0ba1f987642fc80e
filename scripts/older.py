"""Say who still goes a path by an older version than the one that is published: they must not be forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from messaging.gateway.console.routine import OlderLine

ByVersion = Mapping[str, Mapping[int, Mapping[str, int]]]
"""Path -> version -> stage -> people (`agents.runtime.figures.people_by_version`)."""
Places = Mapping[str, list[str]]
"""Path of the published version -> its stages."""


def older_lines(standing: ByVersion, published: int, places: Places) -> list[OlderLine]:
    """Return a line for each path and version that is not the published one, and has people: the newest first.

    >>> [line] = older_lines({"old": {1: {"cart": 2}, 2: {"cart": 5}}}, 2, {"old": ["hello"]})
    >>> line.version, line.people, line.has_path, line.lost
    (1, 2, True, {'cart': 2})
    """
    return [
        OlderLine(
            path=path,
            version=version,
            people=sum(stages.values()),
            has_path=path in places,
            lost={stage: n for stage, n in stages.items() if stage not in places.get(path, ())},
        )
        for path, versions in sorted(standing.items())
        for version, stages in sorted(versions.items(), reverse=True)
        if version != published
    ]


def still_there(standing: Mapping[int, Mapping[str, int]], stage: str = "") -> str:
    """Return by which versions people are on a path, or stand at one stage of it, in words; empty: nobody is.

    >>> still_there({1: {"cart": 1}, 2: {"cart": 5, "hello": 2}}, "cart")
    'version 2, 5 people still on it; version 1, 1 person still on it'
    """
    counts = {
        version: sum(n for name, n in stages.items() if not stage or name == stage)
        for version, stages in standing.items()
    }
    return "; ".join(
        f"version {version}, {n:,} {'person' if n == 1 else 'people'} still on it"
        for version, n in sorted(counts.items(), reverse=True)
        if n
    )
