"""Every version can be asked for, though few are held as rules at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.runtime import views
from agents.runtime.tables import stamped
from agents.runtime.views import COMPILED_MAX, VERSIONS, Versions, read_versions
from messaging.ports import RowWrite
from messaging.store.memory import MemoryDatabase, MemoryStore

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def compiled() -> tuple[Versions, list[int]]:
    asked: list[int] = []

    def compile_(files: Any, version: int, html: Any) -> Any:
        asked.append(version)
        return files["a.yaml"], version, html

    return Versions(compile_), asked


def test_a_version_is_compiled_when_it_is_asked_for_and_once():
    versions, asked = compiled()
    versions.hold(1, {"a.yaml": "as it was"}, {"hello": "<p>"})
    versions.hold(1, {"a.yaml": "a version never changes"}, None)
    assert asked == []
    assert versions[1] == versions.get(1) == ("as it was", 1, {"hello": "<p>"})
    assert asked == [1]
    assert 2 not in versions
    assert versions.get(2) is None
    with pytest.raises(KeyError):
        versions[2]


def test_the_versions_that_were_asked_for_last_are_held_and_the_others_compiled_again():
    versions, asked = compiled()
    for version in range(1, 101):
        versions.hold(version, {"a.yaml": ""}, None)
    for version in range(2, 101):
        assert versions[1][1] == 1, "the published one is asked for all the time"
        assert versions[version][1] == version
        assert len(versions) <= COMPILED_MAX
    assert asked == list(range(1, 101))
    assert versions[2][1] == 2
    assert asked[-1] == 2


async def test_the_newest_versions_are_read_where_there_are_more_than_are_read(monkeypatch):
    monkeypatch.setattr(views, "VERSIONS_MAX", 3)
    store = MemoryStore(MemoryDatabase())
    for version in range(1, 6):
        await store.put_document(VERSIONS, str(version), {"files": {"a.yaml": ""}, "at": NOW})
    versions, _ = compiled()
    await read_versions(store, versions)
    assert [version for version in range(1, 6) if version in versions] == [3, 4, 5]


def test_a_snapshot_says_how_far_the_streams_were_read_that_it_was_learned_from():
    snapshot = RowWrite("snapshots", "send_time@1", {"learned_to": {"rewards": 7}}, "put")
    other = RowWrite("decisions", "d", {"kind": "template"})
    rows = stamped([other, snapshot], {"rules-0": 12, "behavior-0": 40})
    assert rows[1].fields["learned_to"] == {"rules-0": 12, "behavior-0": 40, "rewards": 7}
    assert rows[0].fields == {"kind": "template"}
