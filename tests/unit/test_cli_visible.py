"""What others wrote reaches the terminal as text only: no escape sequence, no second line, no turned writing."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from click.testing import CliRunner

from agents.runtime.replay import Step
from config.load import DEFAULTS, read_folder, write_folder
from scripts import cli_import, cli_record, cli_visitor
from scripts.audit import Auditor, Finding, Report
from scripts.cli import main
from scripts.cli_rules import rules
from scripts.cli_visitor import visitor
from scripts.story import sentence
from scripts.visible import VALUE_CHARACTERS_MAX, plain, shown, visible
from tests.behavior_builders import START

ATTACK = "\x1b]0;owned\x07\x1b[2J\x00\r\n2026-11-26 a line of its own\x85\x9b\x7f\u2028\u202e\u2066"
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FOUND = {
    "visitor_id": "5c31",
    "email": ATTACK,
    "user_ids": [ATTACK],
    "anonymous_ids": [],
    "traits": {ATTACK: ATTACK, "tags": [{"a": ATTACK}], "long": "x" * 5_000},
    "lists": [ATTACK],
    "counters": {ATTACK: 2},
    "scores": {},
    "cohorts": [ATTACK],
    "consent": {ATTACK: True},
    "unsubscribed_at": None,
    "runs": [],
    "sends": [{"template": ATTACK, "status": "refused", "reason": ATTACK, "at": None}],
}
TIMELINE = [
    {"kind": "event", "what": ATTACK, "at": "2026-11-26T14:00:00Z"},
    {"kind": f"alerts: {ATTACK}", "status": "resumed", "by": ATTACK},
    {"kind": "story: alert.settled", "detail": {"by": ATTACK, "action": "close"}},
    {"kind": "story: run.refused", "detail": {"path": ATTACK, "rule": ATTACK}},
    {"kind": f"story: {ATTACK}", "detail": {ATTACK: ATTACK}},
]


class Answers:
    """Answer as the admin API does."""

    write_key = "k"

    def __init__(self, *_: object) -> None:
        pass

    def get(self, path: str) -> dict:
        return {"timeline": TIMELINE} if path.endswith("timeline") else FOUND

    def post(self, *_: object) -> dict:
        return {"rejected": [{"index": 0, "reason": ATTACK}]}


def the_lines_of(output: str) -> list[str]:
    assert not HIDDEN.search(output)
    assert "\\x1b]0;owned\\x07" in output
    return output.splitlines()


@pytest.mark.parametrize("row", TIMELINE)
def test_a_sentence_is_one_line_of_text(row):
    [line] = the_lines_of(sentence(row))
    assert "\\x0d\\x0a" in line


def test_a_visitor_is_printed_as_text_a_line_for_each_fact_and_row(monkeypatch, tmp_path):
    monkeypatch.setattr(cli_visitor, "Api", Answers)
    done = CliRunner().invoke(visitor, ["ann", "--data", str(tmp_path)], catch_exceptions=False)
    lines = the_lines_of(done.output)
    assert len(lines) == 1 + len(list(cli_visitor.facts(FOUND))) + 1 + len(TIMELINE)
    assert "xxx… (5,000 characters)" in done.output
    assert "x" * VALUE_CHARACTERS_MAX not in done.output


def test_json_keeps_every_character(monkeypatch, tmp_path):
    monkeypatch.setattr(cli_visitor, "Api", Answers)
    arguments = ["ann", "--json", "--data", str(tmp_path)]
    done = CliRunner().invoke(visitor, arguments, catch_exceptions=False)
    assert json.loads(done.output) == FOUND | {"timeline": TIMELINE}


def test_an_import_says_why_a_call_was_refused_as_text(monkeypatch, tmp_path):
    monkeypatch.setattr(cli_import, "Api", Answers)
    (tmp_path / "calls.jsonl").write_text('{"type": "track", "event": "Lead", "userId": "u"}')
    arguments = [str(tmp_path / "calls.jsonl"), "--data", str(tmp_path)]
    done = CliRunner().invoke(cli_import.import_, arguments, catch_exceptions=False)
    refused, said = the_lines_of(done.output)
    assert refused.startswith("call 1 refused: \\x1b")
    assert said == "0 calls sent, 1 refused"


def test_replay_and_audit_print_what_they_found_as_text(monkeypatch, tmp_path):
    async def replayed(*_: object) -> tuple[list[Step], list[str], datetime]:
        return [Step(START, "rules-0", 1, ATTACK, [f"story {ATTACK}"])], [], START

    async def audited(*_: object, **__: object) -> Report:
        return Report({}, [Finding("attempts", f"run {ATTACK}: 5 attempts")], START)

    monkeypatch.setattr(cli_record, "_replay", replayed)
    monkeypatch.setattr(Auditor, "run", audited)
    monkeypatch.setattr(cli_record, "opened", an_empty_record)
    arguments = ["--visitor", "ann", "--data", str(tmp_path)]
    for command, lines in ((cli_record.replay, 3), (cli_record.audit, 4)):
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert len(the_lines_of(done.output)) == lines
        assert f"the product was upgraded at {START:%Y-%m-%d %H:%M:%S}" in done.output


@cli_record.asynccontextmanager
async def an_empty_record(*_: object):
    yield cli_record.Recorded(None, None, {}, None, str)


def test_an_error_is_one_line_of_text(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["mdma", ATTACK])
    assert main() == 2
    assert len(the_lines_of(capsys.readouterr().err)) == 1


def test_a_value_that_was_cut_is_not_cut_again():
    once = plain({"a": "x" * 5_000 + ATTACK})["a"]
    assert len(once) == VALUE_CHARACTERS_MAX
    assert shown(once) == once


def test_letters_of_all_scripts_stay_as_they_are():
    text = "Zoë 李小龍 שלום 👩‍👩‍👧 a\u00a0b"
    assert visible(text) == text


def test_a_number_of_thousands_of_digits_is_cut_where_a_mistake_is_told(tmp_path):
    files = read_folder(DEFAULTS)
    files["scores.yaml"] = files["scores.yaml"].replace("cap: 100", f'cap: "{"9" * 5_000}"')
    write_folder(tmp_path / "rules", files)
    found = CliRunner().invoke(rules, ["validate", str(tmp_path / "rules")])
    assert found.exit_code == 1
    assert "scores.yaml:7: scores.interest.cap" in found.stderr
    assert len(found.stderr) < 500
