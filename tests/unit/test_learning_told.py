"""What a person is told of learning that was taken back: e-mail, webhook, alert card, policies, `mdma learn`."""

from __future__ import annotations

import email
import email.policy
import json
import re
from pathlib import Path

import msgspec
import pytest

from agents.rules_manager.turn import OPEN_WORTH
from agents.runtime.policies import choosing
from agents.runtime.readers import StoreReader
from learning.evaluation.guardrail import EVIDENCE_MIN, NAMES
from learning.serving.fallback import choose_by_rules
from learning.serving.probability import CUSTOMER, policy_of
from messaging.alerts.mail import mail_of
from messaging.alerts.notice import body_of, notice_of
from messaging.alerts.taken_back import ENOUGH, MEASURES
from messaging.gateway import console
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import HARM
from messaging.vocabulary.ids import policy_alert_id
from messaging.vocabulary.records import BY_RULES, Snapshot
from scripts import cli_learn, policies
from scripts.alert_cards import card_of
from scripts.choices import decided
from scripts.cli_learn import lines_of
from scripts.policies import line_of
from scripts.visible import plain
from tests.alert_builders import rows_of_learning_taken_back
from tests.gateway_builders import NOON

POLICY = "next_best/lead/invited"


def an_alert(policy: str = POLICY) -> dict[str, object]:
    row = rows_of_learning_taken_back(policy)[0]
    return row.fields | {"id": row.id}


@pytest.mark.parametrize(
    ("policy", "what", "subject"),
    [
        (POLICY, "the e-mail at stage invited of path lead", "Alert: learning does harm (lead)"),
        ("send_time", "the hour of e-mails", "Alert: learning does harm"),
    ],
)
def test_the_email_says_of_what_by_which_numbers_and_what_to_do(policy, what, subject):
    notice = notice_of(an_alert(policy), "email", "https://mdma.example")
    raw = mail_of(notice, sender=("Shop", "shop@a.example"), to=("", "ops@a.example"), now=NOON)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["Subject"] == subject
    for kind in ("plain", "html"):
        body = parsed.get_body((kind,))
        assert body is not None
        text = " ".join(body.get_content().replace("\xa0", " ").split())
        for words in (
            f"Learning was taken back for {what}: it did worse than the rules do",
            "since 2017-06-01 12:00 UTC.",
            "The rules decide for everybody now",
            "(0 %) with learning,",
            "(100 %) by the rules; evidence of harm",
            "https://mdma.example/console/learning#guard-h",
            f"mdma learn resume {policy}",
            f"/api/v1/alerts/{notice.alert}/resume | close",
        ):
            assert words in text, words
        for words in ("visitors/", "change", "mdma visitor", "split test", "run ,", "()"):
            assert words not in text, words


def test_the_webhook_names_the_policy_and_what_was_measured():
    data = json.loads(body_of(notice_of(an_alert("send_time"), "webhook", "http://here")))["data"]
    assert (data["kind"], data["policy"], data["visitor"], data["path"]) == (
        HARM,
        "send_time",
        "",
        "",
    )
    assert data["url"] == "http://here/api/v1/alerts?status=open"
    assert data["learning_page"] == "http://here/console/learning#guard-h"
    assert data["test_page"] == ""
    assert [row["measure"] for row in data["history"]] == list(NAMES)


def test_the_card_can_be_resumed_and_leads_to_what_was_learned():
    card = card_of(plain(an_alert()), {}, {})
    assert card.who == "What was learned of the e-mail at stage invited of path lead"
    assert card.said == "Learning did worse than the rules, and was taken back."
    assert (card.may_resume, card.stages, card.page) == (True, [], "learning#guard-h")
    assert "Resume turns learning on again" in card.todo
    assert card.history[0].startswith("answers: 0 of ")
    closed = card_of(plain(an_alert() | {"status": "closed", "by": "kim"}), {}, {})
    assert closed.todo == ""
    assert "closed by kim" in closed.said


async def test_the_list_of_policies_says_which_acts_and_what_it_brings():
    store = MemoryStore(MemoryDatabase())
    for row in rows_of_learning_taken_back():
        await store.put_document(row.table, row.id, row.fields)
    lift = {
        "lift/learned/response": [400.0, 80.0, 80.0],
        "lift/holdout/response": [100.0, 10.0, 10.0],
    }
    others = [
        Snapshot(
            policy="send_time", version=2, arms=[], arrays={"decisions": [500.0, 25.0], **lift}
        ),
        Snapshot(policy=policy_of(CUSTOMER), version=1),
        Snapshot(policy="split_test/lead/invited/words/5f1", version=1),
    ]
    for each in others:
        fields = {"policy": each.policy, "version": each.version, "at": NOON, "arrays": each.arrays}
        fields |= {"arms": [], "learned_to": {}}
        await store.put_document("snapshots", f"{each.policy}@{each.version}", fields)
    back, hours = [line_of(each) for each in await choosing(store)]
    assert (back.policy, back.state, back.version) == (POLICY, "taken back", 1 + 8)
    assert back.is_taken_back
    assert back.alert == policy_alert_id(POLICY, HARM) == rows_of_learning_taken_back()[0].id
    assert back.said.endswith("The rules decide for everybody until a person resumes it")
    assert back.evidence >= EVIDENCE_MIN == ENOUGH
    assert [each.measure for each in back.measures] == list(NAMES) == list(MEASURES)
    assert (hours.state, hours.decisions, hours.held_out, hours.measures) == (
        "learning",
        500,
        25,
        [],
    )
    assert hours.lift.startswith("+10.0 points (+")
    said = "\n".join(lines_of(json.loads(msgspec.json.encode(back))))
    assert f"{POLICY}  taken back  version 9" in said
    assert f"mdma learn resume {POLICY}" in said
    assert "answers: 0.0 % (0 of " in said


def test_a_policy_that_is_held_says_since_when_and_why_and_acts():
    arrays = {
        "held": [NOON.timestamp(), 3.0],
        "gate": [-0.031, -0.052, -0.01, 0.123, 800.0, 1_024.0],
        "decisions": [500.0, 25.0],
    }
    line = line_of(Snapshot(policy=POLICY, version=7, arrays=arrays))
    assert (line.state, line.is_taken_back) == ("learning", False)
    assert line.held is not None
    assert (line.held.since, line.held.candidates, line.held.low) == (NOON, 3, -0.052)
    words = "−3.1 points (−5.2 to −1.0) beside the 12.3 % that are answered now"
    assert words in line.held.said
    assert "not used" in line.said
    assert words in "\n".join(lines_of(json.loads(msgspec.json.encode(line))))


@pytest.mark.parametrize(
    ("held", "gate"),
    [
        ([], [0.1] * 6),
        ([1.0], [0.1] * 6),
        ([1.0, 1.0], []),
        ([float("nan"), 1.0], [0.1] * 6),
        ([-1.0, 1.0], [0.1] * 6),
        ([1e18, 1.0], [0.1] * 6),
        ([1.0, 1.0], [float("inf")] * 6),
    ],
)
def test_numbers_that_are_none_hold_nothing_back(held, gate):
    line = line_of(Snapshot(policy=POLICY, version=1, arrays={"held": held, "gate": gate}))
    assert line.held is None


async def test_how_many_policies_are_held_is_counted_for_a_monitor():
    store = MemoryStore(MemoryDatabase())
    for number, arrays in enumerate(({"held": [1.0, 1.0]}, {}, {"gate": [0.0] * 6})):
        fields = {"policy": f"next_best/lead/{number}", "version": 1, "at": NOON, "arrays": arrays}
        fields |= {"arms": [], "learned_to": {}}
        await store.put_document("snapshots", f"{number}@1", fields)
    assert await StoreReader(store).policies_held() == 1


@pytest.mark.parametrize("guard", [[float("nan")], [], [float("inf")], [-3.0]])
def test_a_number_that_is_none_shows_no_harm_and_breaks_nothing(guard):
    arrays = {"guard": guard, "guard/response": [float("nan")], "lift/learned/response": [1.0]}
    line = line_of(Snapshot(policy="send_time", version=1, arrays=arrays))
    assert not line.is_taken_back
    assert line.lift == "too few answers to compare"
    assert line.measures[0].learned == "nobody"


def test_a_decision_says_that_learning_was_taken_back():
    chosen = choose_by_rules("a", ["a", "b"], {"c": "cohort"})
    assert (chosen.policy, chosen.probabilities, chosen.arm) == (BY_RULES, [1.0], "a")
    row = {
        "kind": "template",
        "arm": chosen.arm,
        "step": "first",
        "probabilities": chosen.probabilities,
        "candidates": [[each.arm, each.refused] for each in chosen.candidates],
    }
    assert "learning was taken back, so the rules decide" in decided(row)


def test_wherever_an_opens_worth_is_told_it_is_said_where_it_is_worth_nothing():
    pages = Path(console.__file__).parent / "pages"
    told = [(pages / name).read_text() for name in ("learning.html", "routine.html")]
    told += [Path(each.__file__).read_text() for each in (policies, cli_learn)]
    for text in map(" ".join, map(str.split, told)):
        assert re.search(
            r"a fifth( of a click)? where it (moved|moves) the lead on, elsewhere nothing", text
        )
    assert OPEN_WORTH == 0.2
