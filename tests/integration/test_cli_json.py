"""Commands that change something say with `--json` what they did, in the same run as the words."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messaging.store.embedded import EmbeddedMongo
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import partition_of, position
from scripts.cli_record import opened
from scripts.compose import Made, wiring_of
from scripts.folder import WIRING, write_private, write_run
from scripts.simulating import visitor_of
from tests.console_builders import a_lived_world, fill
from tests.gateway_builders import KEY, a_site

ROOT = Path(__file__).parents[2]
MDMA = [sys.executable, "-P", "-m", "scripts.cli"]
CALL = {"type": "track", "event": "Lead", "userId": "u", "timestamp": "2017-05-01T00:00:00Z"}
STOPPED = """
import signal, sys, time
from pathlib import Path
from scripts.folder import clear_run, write_run
data = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (clear_run(data), sys.exit(0)))
write_run(data, {"url": "x"})
print("runs", flush=True)
time.sleep(60)
"""


def _environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MDMA_")}
    return clean | {"PYTHONPATH": str(ROOT)}


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MDMA, *arguments],
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _mdma(*arguments: str, cwd: Path, code: int = 0) -> Any:
    done = _run(*arguments, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def _is_system(data: Path, *, url: str = "", mongo_url: str = "", **settings: Any) -> None:
    """Write what `up` writes of a running system: this process, how its parts are reached, and its settings."""
    from config.settings import read_settings

    data.mkdir(exist_ok=True)
    made = Made()
    made.mongo_url, made.write_keys, made.admin_token = mongo_url, [KEY], "the-token"
    wiring = wiring_of(read_settings(**settings), made, log_folder=data)
    write_private(data / WIRING, msgspec.json.encode(wiring).decode())
    write_run(data, {"url": url, "local_url": url})


async def test_a_pause_and_its_end_say_what_is_paused(tmp_path: Path) -> None:
    async with a_site() as (session, _):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        ask = partial(asyncio.to_thread, _mdma, cwd=tmp_path)
        assert await ask("pause", "--path", "lead") == {"paused": ["lead"]}
        assert await ask("pause") == {"paused": "all"}
        assert await ask("resume") == {"paused": ["lead"]}, "it was paused by itself"
        assert await ask("resume") == {"paused": []}


async def test_an_import_says_how_many_calls_were_sent_refused_and_known(tmp_path: Path) -> None:
    lines = [{**CALL, "messageId": "1"}, {**CALL, "messageId": "2", "userId": {}}]
    (tmp_path / "calls.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    async with a_site() as (session, gateway):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        ask = partial(asyncio.to_thread, _mdma, cwd=tmp_path)
        assert await ask("import", "calls.jsonl") == {"sent": 1, "refused": 1}
        (tmp_path / "bad.jsonl").write_text(json.dumps(lines[1]))
        assert await ask("import", "bad.jsonl", code=1) == {"sent": 0, "refused": 1}
        said = await ask("import", "calls.jsonl", "--replay")
        assert said == {"waiting": 1, "known": 0, "refused": 1}
        rows = await gateway.deps.store.rows("audit_log", {"act": "calls.imported"})
        assert {(row["of"], row["said"]) for row in rows} == {
            ("calls.jsonl", "1 calls, 1 refused, consent: as each call says"),
            ("bad.jsonl", "0 calls, 1 refused, consent: as each call says"),
        }


async def test_an_import_by_a_mapping_is_noted_with_its_basis_and_no_address(
    tmp_path: Path,
) -> None:
    (tmp_path / "leads of bob@example.com.csv").write_text("id,at\n7,2017-05-01\n")
    (tmp_path / "leads.yaml").write_text(
        "calls:\n  - type: identify\n    time: at\n    message_id: 'm-{id}'\n    user_id: '{id}'\n"
        "    traits: {plan: gold}\n    consent: {email: true, basis: 'asked ann@example.com, by letter'}\n"
    )
    async with a_site() as (session, gateway):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        words = ("import", "leads of bob@example.com.csv", "--map", "leads.yaml")
        told = await asyncio.to_thread(_mdma, *words, cwd=tmp_path)
        assert told == {"sent": 1, "refused": 0}
        [row] = await gateway.deps.store.rows("audit_log", {"act": "calls.imported"})
    assert row["said"] == "1 calls, 0 refused, consent: asked (an address) by letter"
    assert row["of"] == "leads of (an address)"


async def test_a_list_says_how_many_were_put_on_it_and_who_was_not_known(tmp_path: Path) -> None:
    (tmp_path / "vip.csv").write_text("name,email\nAnn,ann@example.com\nBob,bob@example.com\n")
    (tmp_path / "bad.csv").write_text("email\nann@example.com\n \n")
    async with a_site() as (session, _):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        ask = partial(asyncio.to_thread, _mdma, cwd=tmp_path)
        put = await ask("list", "add", "vip", "u7", "--file", "vip.csv", "--basis", "contract")
        assert put == {"changed": 3, "before": 0, "unknown": [], "refused": []}
        off = await ask("list", "remove", "vip", "ann@example.com", "who")
        assert (off["changed"], off["unknown"]) == (1, ["who"])
        assert (await ask("list", "show", "vip"))["people"] == 0  # no bot runs here
        for wrong in (
            ("add", "vip", "u7"),
            ("add", "vip", "u7", "--basis", "x", "--no-consent"),
            ("add", "vip", "--no-consent"),
        ):
            done = await asyncio.to_thread(_run, "list", *wrong, cwd=tmp_path)
            assert done.returncode == 2, done.stderr
        done = await asyncio.to_thread(
            _run, "list", "add", "vip", "--file", "bad.csv", "--no-consent", cwd=tmp_path
        )
        assert (done.returncode, "bad.csv:3: email is empty" in done.stderr) == (1, True)


def test_a_stop_says_which_process_ended(tmp_path: Path) -> None:
    data = tmp_path / ".mdma"
    data.mkdir()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", STOPPED, str(data)],
        env=_environment(),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            assert _mdma("stop", cwd=tmp_path) == {"stopped": True, "pid": process.pid}
        finally:
            process.kill()


@pytest.fixture
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("cli-mongo"))
    yield asyncio.run(mongo.start())
    asyncio.run(mongo.stop())


def test_versions_of_the_rules_are_pushed_and_pulled_with_their_facts(
    tmp_path: Path, mongo_url: str
) -> None:
    _is_system(tmp_path / ".mdma", mongo_url=mongo_url)
    shipped = str(ROOT / "config/defaults")
    first = _mdma("rules", "push", shipped, "--publish", cwd=tmp_path)
    made = {"version": 1, "new": True, "published": True}
    assert first == {**made, "runs": "stay", "groups": []}
    again = _mdma("rules", "push", shipped, cwd=tmp_path)
    assert again == {"version": 1, "new": False, "published": False}
    assert _mdma("rules", "push", shipped, "--publish", cwd=tmp_path) == again | {"published": True}
    refused = _run("rules", "publish", "1", cwd=tmp_path)
    assert refused.returncode == 1
    assert "nothing was published: version 1 is published already" in refused.stderr
    assert len(_mdma("rules", "list", cwd=tmp_path)["publications"]) == 1
    pulled = _mdma("rules", "pull", "out", cwd=tmp_path)
    files = sum(1 for each in (tmp_path / "out").rglob("*") if each.is_file())
    assert pulled == {"version": 1, "files": files, "folder": "out", "others": []}
    (tmp_path / "out" / "paths" / "second.yaml").write_text("of another version")
    again = _mdma("rules", "pull", "out", cwd=tmp_path)
    assert again["others"] == ["paths/second.yaml"]


def test_a_push_decides_for_groups_as_a_publication_does(tmp_path: Path, mongo_url: str) -> None:
    _is_system(tmp_path / ".mdma", mongo_url=mongo_url)
    shipped = str(ROOT / "config/defaults")
    before = _mdma("rules", "push", shipped, "--publish", cwd=tmp_path)["version"]
    _mdma("rules", "pull", "mine", cwd=tmp_path)
    scores = tmp_path / "mine/scores.yaml"
    scores.write_text(scores.read_text() + "# another\n")
    group = f"lead-to-customer/{before}/cart"
    chosen = ("--publish", "--runs", "migrate", "--group", f"{group}=exit")
    pushed = _mdma("rules", "push", "mine", *chosen, cwd=tmp_path)
    assert (pushed["published"], pushed["runs"], pushed["groups"]) == (True, "migrate", [])
    [last, *_] = _mdma("rules", "list", cwd=tmp_path)["publications"]
    assert last["version"] == pushed["version"]
    assert (last["runs"], last["groups"]) == ("migrate", {group: "exit"})
    scores.write_text(scores.read_text() + "# and another\n")
    wrong = ("--publish", "--group", f"lead-to-customer/{before}/nowhere=exit")
    refused = _run("rules", "push", "mine", *wrong, cwd=tmp_path)
    assert refused.returncode == 1
    said = f"version {pushed['version'] + 1} was made, and not published: "
    assert said in refused.stderr
    assert _mdma("rules", "list", cwd=tmp_path)["publications"][0]["version"] == last["version"]


def test_a_version_is_simulated_by_the_settings_of_the_system_that_runs(
    tmp_path: Path, mongo_url: str
) -> None:
    """They may have been given to `up` alone: the shell that asks has others, or none."""
    system = {"holdout": 0.5, "consent": "double-opt-in", "social": True}
    _is_system(tmp_path / ".mdma", mongo_url=mongo_url, **system)
    _mdma("rules", "push", str(ROOT / "config/defaults"), "--publish", cwd=tmp_path)
    few = ("--visitors", "4", "--days", "3")
    told = _mdma("simulate", "--draft", "1", *few, cwd=tmp_path)
    assert {name: told[name] for name in system} == system
    own = _mdma("simulate", "--draft", "1", *few, "--holdout", "0", "--no-social", cwd=tmp_path)
    assert {name: own[name] for name in system} == {**system, "holdout": 0.0, "social": False}
    alone = _mdma("simulate", *few, cwd=tmp_path)
    assert {name: alone[name] for name in system} == {
        "holdout": 0.05,
        "consent": "opt-in",
        "social": False,
    }, "nothing was asked of the system"


@pytest.mark.parametrize("command", ["validate", "push"])
def test_errors_in_rules_are_facts_too_and_the_exit_code_stays_1(
    command: str, tmp_path: Path
) -> None:
    _is_system(tmp_path / ".mdma", mongo_url="mongodb://127.0.0.1:9")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/scores.yaml").write_text("scores:\n  - nonsense\n")
    [error] = _mdma("rules", command, "mine", cwd=tmp_path, code=1)["errors"]
    assert error.keys() == {"file", "line", "problem", "hint"}
    assert error["file"].endswith("scores.yaml")
    assert error["line"] == 1
    assert _mdma("rules", "validate", cwd=tmp_path)["errors"] == []


def test_a_draft_is_tried_on_one_visitor_step_by_step(tmp_path: Path, mongo_url: str) -> None:
    """The visitor is found by address; their events are those of all their ids."""
    _is_system(tmp_path / ".mdma", mongo_url=mongo_url)
    world = a_lived_world(6, 5)
    at = world.bots.now
    page = {"type": "page", "anonymousId": "browser-0", "messageId": "m1"}
    visitor = visitor_of("browser-0")

    async def fill_store() -> None:
        async with opened(tmp_path / ".mdma") as record:
            await record.store.ensure_indexes()
            await fill(record.store, world)
            await record.journal.ensure_indexes()
            await record.journal.open_stream("gateway-1")
            raw = msgspec.json.encode(page | {"timestamp": at.isoformat()})
            found = Record(position(1, 1), "m1", partition_of(visitor), at, at, "", raw)
            await record.journal.append([found])

    asyncio.run(fill_store())
    told = _mdma("rules", "try", "--visitor", "person-0@example.com", cwd=tmp_path)
    assert (told["visitor"], told["events"]) == (visitor, 1)
    [step] = [each for each in told["steps"] if each["by"] == "Visitor"]
    assert (step["says"], step["side"]) == ("viewed a page", "both")
    versioned = _mdma(
        "rules", "try", "--draft", "1", "--visitor", "person-0@example.com", cwd=tmp_path
    )
    assert versioned == told
    for wrong, says in (
        (["--draft", "99"], "there is no version 99"),
        (["mine", "--draft", "1"], "not both"),
    ):
        (tmp_path / "mine").mkdir(exist_ok=True)
        refused = subprocess.run(
            [*MDMA, "rules", "try", *wrong],
            cwd=tmp_path,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode in {1, 2}
        assert says in refused.stderr
    words = [*MDMA, "rules", "try", "--visitor", "nobody@example.com"]
    done = subprocess.run(
        words, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "mdma: nobody is known by nobody@example.com\n")


def test_who_exports_and_erases_on_the_machine_stands_in_the_audit_log(
    tmp_path: Path, mongo_url: str
) -> None:
    data = tmp_path / ".mdma"
    _is_system(data, mongo_url=mongo_url)
    world = a_lived_world(6, 5)

    async def fill_store() -> None:
        async with opened(data) as record:
            await record.store.ensure_indexes()
            await fill(record.store, world)
            await record.journal.ensure_indexes()

    async def log() -> list[dict[str, Any]]:
        async with opened(data) as record:
            return await record.store.rows("audit_log", {}, newest=False)

    async def asked_then_done() -> str:
        """Be the eraser: let the erasure that is asked for be done; return its receipt."""
        async with opened(data) as record:
            while not (rows := await record.store.rows("erasures", {})):
                await asyncio.sleep(0.05)
            done = {"status": "done", "completed_at": world.bots.now, "removed": {}, "kept": {}}
            await record.store.put_document("erasures", rows[0]["id"], {**rows[0], **done})
            return str(rows[0]["id"])

    asyncio.run(fill_store())
    written = _mdma("export", "--visitor", "person-0@example.com", "--out", "o.json", cwd=tmp_path)
    assert written["counts"]["visitors"] == 1
    words = [*MDMA, "erase", "--visitor", "person-0@example.com", "--yes"]
    with subprocess.Popen(words, cwd=tmp_path, env=_environment()) as process:
        try:
            receipt = asyncio.run(asyncio.wait_for(asked_then_done(), 60))
            assert process.wait(60) == 0
        finally:
            process.kill()
    exported, erased = asyncio.run(log())
    who = json.loads((tmp_path / "o.json").read_text())["visitors"]
    assert (exported["by"], exported["act"]) == ("cli", "visitor.exported")
    assert [exported["visitor"]] == who
    assert (erased["by"], erased["act"], erased["visitor"]) == ("cli", "visitor.erased", "")
    assert erased["of"] == f"receipt {receipt}"
