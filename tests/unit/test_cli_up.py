"""What `mdma up` refuses before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from scripts.cli_up import assigned, up
from scripts.client import data_folder
from scripts.folder import Refused
from scripts.listening import refuse_taken


def test_a_taken_port_is_refused_in_one_line_that_names_it() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} .*--port"):
            refuse_taken("127.0.0.1", port)
    refuse_taken("127.0.0.1", port)


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
