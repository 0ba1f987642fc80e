"""Pause, archive and resume a path by API and command line: what is held, and who said so."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from messaging.gateway.acts import PAUSE
from messaging.store.memory import MemoryDatabase
from scripts.rules import files_of, publish, push_files
from tests.console_builders import a_console, lived_in
from tests.gateway_builders import ADMIN, NOON, a_site
from tests.integration.test_cli_json import _is_system, _mdma

FILE = "paths/lead-to-customer.yaml"


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


async def test_only_what_is_or_was_published_can_be_held_and_what_is_held_goes_on() -> None:
    store, _ = await lived_in()
    files = await files_of(store, 1)
    await push_files(store, files | {"paths/draft.yaml": files[FILE]}, at=NOON, by="kim")
    async with a_console(store, NOON) as (session, _):
        for what in ("paths/draft/archive", "paths/draft/unarchive", "pause", "resume"):
            body = {"path": "draft"} if "/" not in what else None
            async with session.post(f"/api/v1/{what}", headers=ADMIN, json=body) as answer:
                assert answer.status == 422, what
                problem = await answer.json(content_type=None)
                assert problem["detail"].endswith("; there are lead-to-customer"), what
        held = {"paths": ["draft"], "archived": ["draft"], "at": NOON, "by": "kim"}
        await store.put_document(*PAUSE, held)
        for what in ("paths/draft/unarchive", "resume"):
            body = {"path": "draft"} if "/" not in what else None
            async with session.post(f"/api/v1/{what}", headers=ADMIN, json=body) as answer:
                assert answer.status == 200, f"{what}: an older version let it be held"
        await publish(store, 2, at=NOON, by="kim")
        await publish(store, 1, at=NOON, by="kim")
        async with session.post("/api/v1/paths/draft/archive", headers=ADMIN) as answer:
            assert answer.status == 200, "somebody may be on it since"


async def test_a_path_of_no_version_and_one_that_is_not_archived_are_told() -> None:
    async with a_site() as (session, _):
        for path, status in (("none/archive", 422), ("lead/unarchive", 409)):
            async with session.post(f"/api/v1/paths/{path}", headers=ADMIN) as answer:
                assert answer.status == status, await answer.text()
