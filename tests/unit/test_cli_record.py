"""Whom and since when an audit is asked about: ids that name nobody, times as they are shown."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts import cli_record
from scripts.audit import Auditor, Report
from scripts.cli import main


@asynccontextmanager
async def nothing_recorded(*_: object):
    yield cli_record.Recorded(MemoryStore(MemoryDatabase()), None, {}, None, str)


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("command", ["audit", "replay"])
def test_an_id_of_nobody_is_said_in_one_line(command, flags, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli_record, "opened", nothing_recorded)
    arguments = [command, "--visitor", "nobody", "--data", str(tmp_path), *flags]
    monkeypatch.setattr("sys.argv", ["mdma", *arguments])
    assert main() == 1
    said = capsys.readouterr()
    assert said.err == "mdma: nobody is known as nobody\n"
    assert said.out == ""


@pytest.mark.parametrize("command", ["visitor", "audit --visitor", "replay --visitor"])
@pytest.mark.parametrize("id_", ["", "  "])
def test_a_visitor_must_be_named(command, id_, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["mdma", *command.split(), id_, "--data", str(tmp_path)])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("mdma: name a visitor by an id or an e-mail address (see ")


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-01", 0),
        ("2026-11-01T14:00:00", 14),
        ("2026-11-01T14:00:00Z", 14),
        ("2026-11-01T14:00:00.000Z", 14),
        ("2026-11-01 14:00", 14),
        ("2026-11-01T14:00:00+02:00", 12),
    ],
)
def test_an_audit_takes_a_time_as_times_are_shown(text, hour, monkeypatch, tmp_path):
    asked = []

    async def run(*_: object, since: datetime | None, **__: object) -> Report:
        asked.append(since)
        return Report({}, [])

    monkeypatch.setattr(cli_record, "opened", nothing_recorded)
    monkeypatch.setattr(Auditor, "run", run)
    arguments = ["--since", text, "--data", str(tmp_path)]
    CliRunner().invoke(cli_record.audit, arguments, catch_exceptions=False)
    assert asked == [datetime(2026, 11, 1, hour, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["May", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_wrong_use(text, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["mdma", "audit", "--since", text, "--data", str(tmp_path)])
    assert main() == 2
    assert f"{text} is no time: write it like 2026-11-01" in capsys.readouterr().err
