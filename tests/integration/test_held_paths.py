"""Pause, archive and resume a path by API and command line: what is held, and who said so."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from messaging.gateway.acts import PAUSE
from messaging.store.memory import MemoryDatabase
from tests.gateway_builders import ADMIN, a_site
from tests.integration.test_cli_json import _is_system, _mdma


async def test_a_path_is_held_and_goes_on_without_touching_what_else_is_held(
    tmp_path: Path,
) -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        ask = partial(asyncio.to_thread, _mdma, "rules", cwd=tmp_path)
        assert await ask("archive", "lead") == {"archived": ["lead"]}
        assert await ask("pause", "a") == {"paused": ["a"]}
        assert await ask("archive", "b") == {"archived": ["b", "lead"]}
        held = database.tables[PAUSE[0]][PAUSE[1]]
        assert (held["paths"], held["archived"]) == (["a"], ["b", "lead"])
        assert await ask("resume", "a") == {"paused": []}
        assert await ask("unarchive", "lead") == {"archived": ["b"]}
    log = [(row["act"], row["of"]) for row in database.tables["audit_log"].values()]
    assert log == [
        ("path.archived", "lead"),
        ("hand_overs.paused", "a"),
        ("path.archived", "b"),
        ("hand_overs.resumed", "a"),
        ("path.unarchived", "lead"),
    ]


async def test_a_path_of_no_version_and_one_that_is_not_archived_are_told() -> None:
    async with a_site() as (session, _):
        for path, status in (("none/archive", 422), ("lead/unarchive", 409)):
            async with session.post(f"/api/v1/paths/{path}", headers=ADMIN) as answer:
                assert answer.status == status, await answer.text()
