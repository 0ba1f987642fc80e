"""What `mdma up` refuses before it starts anything."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agents.cluster.keeper import CLOCK, CONTROL
from config.settings import read_settings
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.cli_up import assigned, up
from scripts.client import data_folder
from scripts.folder import Refused
from scripts.listening import hold_port, refuse_silent
from scripts.system import System


def test_a_taken_port_is_refused_in_one_line_that_names_it() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} .*--port"):
            hold_port("127.0.0.1", port)
    hold_port("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_port_that_is_held_is_listened_at_by_its_owner_and_given_to_nobody_else(
    host: str,
) -> None:
    with hold_port(host, 0) as held, socket.socket(held.family) as stranger:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            stranger.bind((host, port))
        server = await asyncio.start_server(lambda *_: None, host, port)
        with pytest.raises(Refused):
            hold_port(host, port)
        server.close()
        await server.wait_closed()


async def test_a_ray_cluster_that_does_not_answer_is_refused_in_one_line() -> None:
    with socket.socket() as cluster:
        cluster.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{cluster.getsockname()[1]}"
        with pytest.raises(Refused, match=f"no Ray cluster answers at {address}"):
            await refuse_silent(address)
        cluster.listen()
        await refuse_silent(address)
    with pytest.raises(Refused, match="host:port"):
        await refuse_silent("cluster")


def test_a_setting_given_twice_is_wrong_use() -> None:
    result = CliRunner().invoke(up, ["--host", "127.0.0.1", "--set", "host=0.0.0.0"])
    assert result.exit_code == 2
    assert "host is given twice" in result.output


@pytest.mark.parametrize(
    "pair", [("bots=1", "bots.behavior=2"), ("bots.behavior=2", "bots=1"), ("a=1", "a=2")]
)
def test_settings_that_contradict_each_other_are_wrong_use(pair: tuple[str, str]) -> None:
    with pytest.raises(click.UsageError):
        assigned(pair)


def test_every_command_finds_the_data_folder_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MDMA_DATA", raising=False)
    assert data_folder() == Path(".mdma")
    (tmp_path / ".env").write_text("MDMA_DATA=kept/here\n")
    assert data_folder() == Path("kept/here")
    monkeypatch.setenv("MDMA_DATA", "elsewhere")
    assert data_folder() == Path("elsewhere")


async def test_data_with_a_world_clock_of_its_own_never_meets_a_real_smtp_host(
    tmp_path: Path,
) -> None:
    """Its flags may be gone at the next start, the leads of that world are still there."""
    store = MemoryStore(MemoryDatabase())
    for url, is_refused in (("smtp://mail.example:25", True), ("smtp://127.0.0.1:25", False)):
        system = System(read_settings(tmp_path, data=tmp_path / "data", smtp_url=url), print)
        system._store = store
        assert await system._clock_start([]) is None or not is_refused
        at = datetime(2017, 6, 1, tzinfo=UTC)
        await store.put_document(CONTROL, CLOCK, {"at": at, "speed": "max"})
        if is_refused:
            with pytest.raises(
                Refused, match=r"kept in .* refuses the SMTP host mail\.example"
            ) as no:
                await system._clock_start([])
            assert no.value.code == 2
        else:
            assert await system._clock_start([]) == at
