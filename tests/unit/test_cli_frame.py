"""The command line: every command explains itself, wrong use is exit 2, failures are one line and exit 1."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.cli import COMMANDS
from scripts.cli_up import assigned
from scripts.folder import Refused, kept_secret, locked, read_run, write_run
from scripts.telling import prometheus

ROOT = Path(__file__).parents[2]


def mdma(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MDMA_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "scripts.cli", *arguments],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["", *COMMANDS, "rules push"])
def test_every_command_has_help_with_an_example(command, tmp_path, capsys, monkeypatch):
    from scripts.cli import main

    monkeypatch.setattr(sys, "argv", ["mdma", *command.split(), "--help"])
    assert main() == 0
    assert "Example" in capsys.readouterr().out


def test_what_is_not_utf8_is_refused_in_one_line(capsys, monkeypatch):
    from scripts import cli

    def refuse(**_):
        "\udcff".encode()

    monkeypatch.setattr(cli.group, "main", refuse)
    assert cli.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("mdma: what was given is not UTF-8")
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", ["status", "stop", "pause", "resume", "visitor x"])
def test_where_nothing_runs_the_error_is_one_line_that_says_what_to_do(command, tmp_path):
    done = mdma(*command.split(), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "mdma up" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nothing"], "nothing"),
        (["up", "--speed", "quick"], "MDMA_SPEED"),
        (["up", "--set", "bots"], "bots.behavior=4"),
        (["up", "--set", "bots.nobody=1"], "nobody"),
        (["up", "--port", "99999999"], "port"),
        (["import", "missing.csv"], "missing.csv"),
    ],
)
def test_wrong_use_is_exit_2_and_one_line(arguments, word, tmp_path):
    done = mdma(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert word.lower() in done.stderr.lower()


def test_a_file_that_gives_what_it_holds_once_is_no_import(tmp_path):
    """It is read twice, the second time to be sent: nothing would be, and it would be said to be."""
    os.mkfifo(tmp_path / "calls.jsonl")
    done = mdma("import", "calls.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "calls.jsonl is no regular file" in done.stderr


@pytest.mark.parametrize("group", [[], ["rules"]])
def test_a_group_without_a_command_prints_its_help_as_it_is(group, tmp_path):
    done = mdma(*group, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == mdma(*group, "--help", cwd=tmp_path).stdout
    assert "\nCommands:\n" in done.stderr


@pytest.mark.parametrize("flag", [["--speed", "60"], ["--clock-start", "2017-06-01"]])
def test_unreal_time_refuses_a_real_smtp_host(flag, tmp_path):
    done = mdma("up", *flag, cwd=tmp_path, MDMA_SMTP_URL="smtp://mail.example:25")
    assert done.returncode == 2
    assert "loopback" in done.stderr
    assert not (tmp_path / ".mdma").exists()


def test_a_second_copy_on_the_same_data_is_refused_in_one_line(tmp_path):
    with locked(tmp_path / "data"):
        done = mdma("up", "--data", "data", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "runs on" in done.stderr


def test_a_data_folder_that_is_a_file_is_wrong_use_in_one_line(tmp_path):
    (tmp_path / "notes").write_text("x")
    for data in ("notes", "notes/data"):
        done = mdma("up", "--data", data, "--port", "0", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "is a file, not a folder" in done.stderr
        assert "--data" in done.stderr


@pytest.mark.parametrize("data", ["/proc/self", "/proc/data"])
def test_a_data_folder_that_cannot_be_written_is_named_with_what_to_do(data):
    """Not even root writes there."""
    with (
        pytest.raises(Refused, match=f"cannot write in {data}.*--data") as refused,
        locked(Path(data)),
    ):
        pass
    assert refused.value.code == 1


def test_the_lock_ends_with_its_holder(tmp_path):
    with pytest.raises(Refused, match="already"), locked(tmp_path), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_run_json_of_a_dead_process_counts_as_none(tmp_path):
    write_run(tmp_path, {"url": "x"})
    assert read_run(tmp_path)["url"] == "x"
    run = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(run | {"born": run["born"] - 60}))
    assert read_run(tmp_path) is None


def test_secrets_are_made_once_and_only_we_can_read_them(tmp_path):
    made, new = kept_secret(tmp_path, "secret")
    assert new
    assert kept_secret(tmp_path, "secret") == (made, False)
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_rules_validate_names_file_and_line(tmp_path):
    (tmp_path / "scores.yaml").write_text("scores:\n  - nonsense\n")
    done = mdma("rules", "validate", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert "scores.yaml:" in done.stderr
    assert f"1 error in {tmp_path}" in done.stderr
    assert mdma("rules", "validate", cwd=tmp_path).returncode == 0


def test_an_import_with_a_bad_row_sends_nothing(tmp_path):
    with gzip.open(tmp_path / "calls.jsonl.gz", "wt") as out:
        out.write('{"type": "track"\n')
    done = mdma("import", "calls.jsonl.gz", cwd=tmp_path)
    assert done.returncode == 1
    assert "row 1" in done.stderr
    assert "nothing was sent" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("c.jsonl", ""), ("c.jsonl", "\n\n"), ("c.jsonl.gz", ""), ("c.csv", ""), ("c.csv", "id,at\n")],
)
def test_an_import_without_a_call_fails_and_says_so(name, text, tmp_path):
    call = "{type: track, event: Lead, user_id: '{id}', message_id: '{id}', time: at}"
    (tmp_path / "map.yaml").write_text(f"calls: [{call}]\n")
    raw = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    mapped = ["--map", "map.yaml"] if name.endswith(".csv") else []
    done = mdma("import", name, *mapped, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"no call is in {name}" in done.stderr


def test_csv_needs_a_mapping(tmp_path):
    (tmp_path / "leads.csv").write_text("a\n1\n")
    done = mdma("import", "leads.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "--map" in done.stderr


def test_set_reads_dotted_names():
    assert assigned(("bots.behavior=4", "bots.rules=2")) == {
        "bots": {"behavior": "4", "rules": "2"}
    }


def test_metrics_of_parts_name_bot_and_shard_and_nobody_else():
    text = prometheus({"rules-0": {"rate": 1.0}, "email-0": {"lag_seconds": 2.0}})
    assert 'mdma_rate{bot="rules",shard="rules-0"} 1.0' in text
    assert 'mdma_lag_seconds{bot="email",shard="email-0"} 2.0' in text
