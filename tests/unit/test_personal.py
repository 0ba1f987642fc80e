"""Whom a message is about, where consent came from, and what `mdma export` refuses before it looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from agents.behavior_bot.state import BehaviorState, Stamped
from agents.runtime.scrub import about
from messaging.vocabulary.events import Record
from messaging.vocabulary.letters import Letter, encode_letters
from messaging.vocabulary.messages import (
    AnyMessage,
    DecisionMade,
    MergedInto,
    Replayed,
    RewardSeen,
    WeekSeen,
)
from scripts.cli import main
from scripts.personal_parts import by_name, consents_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OTHERS = {"MergedInto": "into", "MergeStarted": "younger", "StateMerged": "younger"}


def made(kind: type, **fields: object) -> AnyMessage:
    """Return a message whose other fields do not matter."""
    names = dict.fromkeys(kind.__struct_fields__)
    return kind(**(names | {"visitor": "v1"} | fields))


@pytest.mark.parametrize("kind", get_args(AnyMessage), ids=lambda kind: kind.__name__)
def test_a_message_is_about_its_visitor_and_whom_else_it_names(kind: type):
    """The learner's letters are addressed to a policy: there it is the visitor decided for."""
    if kind is DecisionMade:
        decision = msgspec.convert(
            {"visitor": "v2"}, type("D", (msgspec.Struct,), {"__annotations__": {"visitor": str}})
        )
        assert about(made(kind, decision=decision)) == {"v2"}
    elif kind in (RewardSeen, WeekSeen):
        assert about(made(kind, subject="v2")) == {"v2"}
    elif kind is Replayed:
        body = encode_letters([Letter(1, MergedInto("v1", NOW, "v2"))])
        assert about(made(kind, body=body)) == {"v1", "v2"}
    elif kind.__name__ in OTHERS:
        assert about(made(kind, **{OTHERS[kind.__name__]: "v2"})) == {"v1", "v2"}
    else:
        assert about(made(kind)) == {"v1"}


def test_consent_is_told_with_its_time_its_event_and_its_basis():
    raw = b'{"type":"identify","context":{"consent":{"categoryPreferences":{"email":true},"basis":"form"}}}'
    record = Record(5, "m5", 0, NOW, NOW, "", raw)
    state = BehaviorState(consents={"email": Stamped(value=True, at=NOW.timestamp(), position=5)})
    held = {"v1": {"state": by_name(state)}}
    assert consents_of(held, [record]) == [
        {
            "visitor": "v1",
            "category": "email",
            "given": True,
            "at": NOW,
            "basis": "form",
            "event": "m5",
        }
    ]


@pytest.mark.parametrize("out", ["there.json", "no/such/folder.json"])
def test_an_export_never_writes_over_a_file(out, tmp_path, monkeypatch, capsys):
    (tmp_path / "there.json").write_text("mine")
    monkeypatch.setattr(
        "sys.argv", ["mdma", "export", "--visitor", "x", "--out", str(tmp_path / out)]
    )
    assert main() == 2
    assert (tmp_path / "there.json").read_text() == "mine"
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("id_", ["", "  "])
def test_whose_data_must_be_named(id_, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["mdma", "export", "--visitor", id_, "--data", str(tmp_path)])
    assert main() == 2
    assert "name a visitor" in capsys.readouterr().err
