"""Versions are published: what is asked for is checked, what was decided is kept and said, who did it has one name."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from agents.runtime.views import PUBLISHED
from config.load import DEFAULTS, read_folder
from messaging.store.audit_log import AUDIT_LOG
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.cli_rules import push
from scripts.cli_versions import _published_line, moved_lines, publish
from scripts.impact import ImpossibleError, told_of
from scripts.rules import publications, publish_noted, publish_when_empty, push_files
from scripts.rules import publish as publish_version
from tests.gateway_builders import NOON

PATH = "lead-to-customer"
FILE = f"paths/{PATH}.yaml"


def a_group(**more: Any) -> dict[str, Any]:
    """Return a group of a publication, as it is kept."""
    group = {"path": PATH, "version": 1, "stage": "cart", "runs": 5, "waiting": 2}
    return group | {"has_place": True, "why_not": "", "choice": "stay"} | more


async def two_versions(old: str = "", new: str = "") -> MemoryStore:
    """Return a store with two versions, of which the first is published by `up`."""
    store = MemoryStore(MemoryDatabase())
    assert await publish_when_empty(store, DEFAULTS, NOON) == 1
    files = read_folder(DEFAULTS)
    files[FILE] = files[FILE].replace(old, new) if old else files[FILE] + "# again\n"
    await push_files(store, files, at=NOON, by="cli")
    return store


async def test_the_first_publication_stands_in_the_audit_log_as_well() -> None:
    store = await two_versions()
    rows = await store.rows(AUDIT_LOG, {})
    assert {(row["by"], row["act"], row["of"]) for row in rows} == {
        ("up", "rules.saved", "version 1"),
        ("up", "rules.published", "version 1"),
    }
    assert await publish_when_empty(store, DEFAULTS, NOON) == 0
    assert len(await store.rows(AUDIT_LOG, {})) == 2, "the next start publishes nothing"


async def test_who_published_is_called_the_same_in_the_versions_and_in_the_audit_log() -> None:
    store = await two_versions()
    await publish_noted(store, 2, at=NOON, by="cli", runs="exit")
    [row] = await store.rows(AUDIT_LOG, {"of": "version 2"})
    assert (row["by"], row["said"]) == ("cli", "instead of version 1")
    assert [each["by"] for each in await publications(store)] == ["cli", "up"]


@pytest.mark.parametrize(
    ("group", "choice", "said"),
    [
        (f"{PATH}/1/cart", "elsewhere", "can stay, migrate, exit, not 'elsewhere'"),
        (f"{PATH}/1/nowhere", "exit", "version 1 has no such stage"),
        (f"{PATH}/7/cart", "exit", "version 7 has no such stage"),
        ("no-path/1/cart", "exit", "version 1 has no such stage"),
        (f"{PATH}/cart", "exit", "is no group"),
        ("", "exit", "is no group"),
        (f"{PATH}/{'9' * 30}/cart", "exit", "is no group"),
        (f"{PATH}/1/cart", "migrate", f"^group {PATH}/1/cart cannot migrate, for version 2 has"),
    ],
)
async def test_what_cannot_become_of_a_group_is_refused_with_its_reason(
    group: str, choice: str, said: str
) -> None:
    store = await two_versions("- name: cart", "- name: basket")
    with pytest.raises(ImpossibleError, match=said):
        await publish_version(store, 2, at=NOON, by="cli", groups={group: choice})
    before = await store.get_document(*PUBLISHED)
    assert before is not None
    assert before["version"] == 1, "nothing was published"


async def test_a_path_that_a_version_does_not_have_is_said_so() -> None:
    store = MemoryStore(MemoryDatabase())
    await publish_when_empty(store, DEFAULTS, NOON)
    files = read_folder(DEFAULTS)
    files["paths/other.yaml"] = files.pop(FILE)
    await push_files(store, files, at=NOON, by="cli")
    with pytest.raises(ImpossibleError, match="version 2 has no such path"):
        await publish_version(store, 2, at=NOON, by="cli", groups={f"{PATH}/1/cart": "migrate"})


@pytest.mark.parametrize("given", ["lead-to-customer/1/cart", "cart=elsewhere", "="])
def test_a_group_without_a_choice_is_wrong_use(given: str) -> None:
    for command, what in ((publish, ["2"]), (push, [str(DEFAULTS), "--publish"])):
        found = CliRunner().invoke(command, [*what, "--group", given])
        assert found.exit_code == 2
        assert "=stay or =migrate or =exit" in found.output


@pytest.mark.parametrize("given", [["--runs", "exit"], ["--group", f"{PATH}/1/cart=stay"]])
def test_a_push_that_publishes_nothing_decides_for_nobody(given: list[str]) -> None:
    found = CliRunner().invoke(push, [str(DEFAULTS), *given])
    assert found.exit_code == 2
    assert "add --publish" in found.output


def test_the_command_line_says_what_was_decided_for_each_group() -> None:
    groups = [
        a_group(),
        a_group(stage="invited", choice="exit"),
        a_group(stage="opened", choice="migrate", has_place=False, why_not="no such stage"),
    ]
    chosen = {f"{PATH}/1/cart": "stay", f"{PATH}/1/invited": "exit"}
    row = {"version": 2, "runs": "migrate", "groups": chosen, "impact": groups}
    row |= {"at": NOON, "by": "cli"}
    stays, leaves, cannot, moving = moved_lines(row)
    assert stays == f"{PATH}/1/cart: 5 runs under way, 2 with a person; 7 stay"
    assert leaves.endswith("; 2 go over, 5 leave")
    assert cannot.endswith("; 7 stay: version 2 has no such stage")
    assert "being moved" in moving
    said = "by cli; decided for the runs under way: 2 go over, 14 stay, 5 leave"
    assert _published_line(row).endswith(said)
    row["move"] = {"status": "under way", "told": {}, "left": {}, "stay": {}}
    assert _published_line(row).endswith(said)
    row["move"] = {"status": "done", "told": {"a": 6}, "left": {"a": 5}, "stay": {"b": 14}}
    assert _published_line(row).endswith(
        f"{said}; what came of it: 1 went over, 14 stayed, 5 left, 1 had ended by then"
    )


@pytest.mark.parametrize(
    ("choice", "more", "comes_to"),
    [
        ("migrate", {"has_place": False}, "stay"),
        ("exit", {"runs": 0}, "migrate"),
        ("exit", {"runs": 0, "has_place": False}, "stay"),
        ("exit", {"has_place": False}, "exit"),
        ("stay", {}, "stay"),
    ],
)
def test_what_is_kept_of_a_choice_is_what_it_comes_to(
    choice: str, more: dict[str, Any], comes_to: str
) -> None:
    """Also of what an older version kept, where the choice stood as it was made for all."""
    told = told_of(a_group(choice=choice, **more), choice)
    assert told["choice"] == comes_to
    assert told_of({**a_group(**more), **told}, choice) == told


def test_publications_of_the_version_before_are_listed_with_the_one_choice_for_all() -> None:
    old = {name: a_group()[name] for name in ("path", "version", "stage", "runs", "waiting")}
    row = {"version": 2, "runs": "exit", "at": NOON, "by": "rules push"}
    row["impact"] = [old | {"has_place": True}]
    assert _published_line(row).endswith(
        "by rules push; decided for the runs under way: 2 go over, 5 leave"
    )
