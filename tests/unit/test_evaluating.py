"""What the decision log says of a policy beside another one: the log, the rules' default, refusal, and the truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from learning.evaluation.from_log import Answer, by_rules, by_weights, difference, uniform, value
from learning.evaluation.off_policy import EFFECTIVE_MIN
from learning.serving.next_best import policy_name
from messaging.gateway.problems import ProblemError
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.records import Snapshot
from scripts.cli_learn import valued_lines, weights_of
from scripts.evaluating import evaluate
from tests.rules_builders import PATH, some_rules

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ARMS = [f"invited-mail-{letter}" for letter in "abcd"]
RATES = dict(zip(ARMS, (0.1, 0.2, 0.3, 0.4), strict=True))
POLICY = policy_name(PATH, "invited")


def answers(count: int, seed: int = 0) -> list[Answer]:
    """Return answers to even draws."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        arm = ARMS[int(rng.integers(4))]
        found.append(Answer(ARMS, [0.25] * 4, arm, float(rng.random() < RATES[arm]), ARMS[0]))
    return found


def test_every_method_finds_the_value_of_a_policy_that_never_ran():
    log = answers(12_000)
    best = value(log, by_weights({ARMS[3]: 1.0}))
    assert best.effective == pytest.approx(3_000, rel=0.05)
    for each in best.estimates:
        assert each.verdict
        assert each.low <= 0.4 <= each.high
    middle, low, high = difference(best, value(log, by_rules))
    assert low <= 0.3 <= high
    assert middle == pytest.approx(0.3, abs=0.04)


def test_intervals_of_the_difference_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(200):
        log = answers(600, seed)
        _, low, high = difference(value(log, uniform), value(log, by_rules))
        held += low <= 0.15 <= high
    assert 180 <= held <= 200


def test_the_model_of_rewards_has_not_seen_the_row():
    log = answers(400)
    one = value(log, uniform).logged.foretold_taken
    changed = [Answer(each.arms, each.probabilities, each.arm, 1.0, "") for each in log[::2]]
    mixed = [changed[n // 2] if n % 2 == 0 else each for n, each in enumerate(log)]
    other = value(mixed, uniform).logged.foretold_taken
    assert one is not None
    assert other is not None
    assert one[::2] == pytest.approx(other[::2])
    assert one[1::2] != pytest.approx(other[1::2])


async def a_log(count: int, **changed: Any) -> MemoryStore:
    """Return a store with so many runs of one e-mail each, drawn evenly, and what came of them."""
    store, rng = MemoryStore(MemoryDatabase()), np.random.default_rng(1)
    for number in range(count):
        arm = ARMS[int(rng.integers(4))]
        row = {
            "at": NOW + timedelta(minutes=number),
            "visitor": f"v{number}",
            "path": PATH,
            "run": "1",
            "stage": "invited",
            "step": "mail",
            "attempt": 1,
            "kind": "template",
            "candidates": [*([each, ""] for each in ARMS), ["other", "cohort"]],
            "probabilities": [0.25] * 4,
            "arm": arm,
            "policy": POLICY,
        }
        await store.put_document("decisions", f"d{number}", row | changed)
        if number % 10:  # of the tenth the window is open
            reward = {"decision_id": f"d{number}", "kind": "response", "at": NOW, "human": 1.0}
            reward["value"] = float(rng.random() < RATES[arm])
            await store.put_document("rewards", f"d{number}:response", reward)
    return store


def a_snapshot() -> Snapshot:
    """Return a policy that has learned which arm is best."""
    arrays = {"successes": [10.0, 20.0, 30.0, 400.0], "exposures": [100.0, 100.0, 100.0, 1000.0]}
    return Snapshot(policy=POLICY, version=4, arms=ARMS, arrays=arrays)


async def test_the_policy_as_it_stands_is_held_against_what_the_rules_would_have_taken():
    store = await a_log(4_800)
    found = await evaluate(store, some_rules(), a_snapshot(), "rules")
    assert (found.answers, found.left_out, found.version) == (4_320, 0, 4)
    now, rules = found.policies
    assert all(line.low <= 0.4 <= line.high for line in now.estimates)
    assert all(line.low <= 0.1 <= line.high for line in rules.estimates)
    assert found.low <= 0.3 <= found.high
    assert found.verdict == "it brings more than rules"
    assert f"{found.difference:+.4f}" in "\n".join(valued_lines(_plain(found)))


async def test_against_an_even_choice_and_against_weights():
    store = await a_log(4_800)
    even = await evaluate(store, None, a_snapshot(), "uniform")
    assert even.low <= 0.15 <= even.high
    nothing_learned = Snapshot(policy=POLICY, version=1, arms=[])
    same = await evaluate(store, None, nothing_learned, "uniform")
    assert same.verdict.startswith("no difference")
    worse = await evaluate(store, None, nothing_learned, {ARMS[3]: 9.0, "other": 1.0})
    assert worse.verdict == "it brings less than file"


async def test_too_few_answers_are_no_verdict_with_the_reason():
    store = await a_log(300)
    found = await evaluate(store, some_rules(), a_snapshot(), "rules")
    assert found.difference is None
    assert found.verdict.startswith("no verdict")
    assert all(line.value is None for each in found.policies for line in each.estimates)
    said = "\n".join(valued_lines(_plain(found)))
    assert f"fewer than {EFFECTIVE_MIN:,.0f}" in said
    assert "no verdict" in said


async def test_what_the_other_never_takes_is_left_out_and_said():
    store = await a_log(100)
    with pytest.raises(ProblemError, match="never had; there are invited-mail-a"):
        await evaluate(store, some_rules(), a_snapshot(), {"misspelt": 1.0, ARMS[0]: 1.0})
    found = await evaluate(store, some_rules(), a_snapshot(), {"other": 1.0})
    assert (found.answers, found.left_out) == (0, 90)
    assert "left out" in "\n".join(valued_lines(_plain(found)))
    nobody = await evaluate(store, None, a_snapshot(), "rules")
    assert (nobody.answers, nobody.left_out) == (0, 90)


async def test_what_the_rules_or_a_test_decided_is_not_the_policys():
    store = await a_log(50, policy="rules", probabilities=[1.0], candidates=[[ARMS[0], ""]])
    found = await evaluate(store, some_rules(), a_snapshot(), "rules")
    assert found.answers == found.left_out == 0


async def test_hours_are_valued_as_well():
    slots = [str(slot) for slot in range(8, 20)]
    store = await a_log(
        40,
        kind="send_hour",
        policy="send_time",
        candidates=[[slot, ""] for slot in slots],
        probabilities=[1 / 12] * 12,
        arm="10",
    )
    arrays = {"successes": [0.0] * 168, "exposures": [0.0] * 168}
    arms = [str(slot) for slot in range(168)]
    found = await evaluate(
        store,
        some_rules(),
        Snapshot(policy="send_time", version=1, arms=arms, arrays=arrays),
        "rules",
    )
    assert found.answers == 36
    assert found.policies[1].effective == pytest.approx(36), "10 o'clock is the rules' hour"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[]", "names no arms"),
        ("{}", "names no arms"),
        ('{"a": -1}', "weight of a"),
        ('{"a": NaN}', "weight of a"),
        ('{"a": "x"}', "weight of a"),
        ('{"a": true}', "weight of a"),
    ],
)
def test_a_file_that_is_none_says_what_and_how(text, said, tmp_path: Path):
    file = tmp_path / "weights.json"
    file.write_text(text)
    with pytest.raises(click.UsageError, match=said) as caught:
        weights_of(file)
    assert "write {" in str(caught.value)


def test_a_file_that_is_not_there_says_what_may_be_given(tmp_path: Path):
    with pytest.raises(click.UsageError, match="rules, uniform or a file"):
        weights_of(tmp_path / "x.json")


def _plain(found: Any) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return told
