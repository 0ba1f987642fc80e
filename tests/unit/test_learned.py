"""What is shown of a policy is what a decision of its version would do."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from agents.protocol.draw import Draw
from learning.serving.by_context import choose_by_context, published
from learning.serving.contextual import Belief
from learning.serving.next_best import choose_template, policy_name
from messaging.gateway.console.learned import ArmLine
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.records import Snapshot
from scripts.learn_report import explored, report_of
from scripts.learned import learning_now
from tests.gateway_builders import NOON
from tests.rules_builders import PATH, some_rules

STAGE = "invited"
POLICY = policy_name(PATH, STAGE)


async def shown_of(snapshot: Snapshot) -> list[ArmLine]:
    store, rules = MemoryStore(MemoryDatabase()), some_rules()
    fields: dict[str, Any] = msgspec.to_builtins(snapshot) | {"at": NOON}
    await store.put_document("snapshots", f"{POLICY}@{snapshot.version}", fields)
    [policy] = (await learning_now(store, rules)).policies
    return policy.arms


def able() -> list[str]:
    [stage] = [each for each in some_rules().paths[PATH].stages if each.name == STAGE]
    return [template for template, _ in stage.email.templates]


@pytest.mark.parametrize("learned", [0, 1, 2])
async def test_a_template_that_nothing_is_known_of_is_shown_as_it_would_be_drawn(
    learned: int,
) -> None:
    templates = able()
    assert len(templates) > 1
    counts = {"exposures": [40.0, 30.0][:learned], "successes": [4.0, 1.0][:learned]}
    snapshot = Snapshot(policy=POLICY, version=3, arms=templates[:learned], arrays=counts)
    choice = choose_template(snapshot, templates, Draw("v"), refused={})
    arms = await shown_of(snapshot)
    assert {arm.name: arm.drawn for arm in arms} == dict(
        zip(templates, choice.probabilities, strict=True)
    )
    assert sum(arm.exposures for arm in arms) == sum(counts["exposures"])


async def test_what_is_known_by_lead_is_shown_as_it_is_drawn_for_who_is_like_most() -> None:
    templates = able()
    weights = np.array([[0.1, 0.02], [0.05, 0.0]])
    belief = Belief(weights, np.array([0.08, 0.0]), np.array([40.0, 30.0]))
    counts = {"exposures": [40.0, 30.0], "successes": [4.0, 1.0]}
    arrays = published(belief, 0.1, 10.0) | counts
    snapshot = Snapshot(policy=POLICY, version=3, arms=templates[:2], arrays=arrays)
    choice = choose_by_context(snapshot, templates, [0.0], Draw("v"), refused={})
    arms = await shown_of(snapshot)
    drawn = dict(zip(templates, choice.probabilities, strict=True))
    assert {arm.name: arm.drawn for arm in arms} == drawn


async def test_a_template_that_the_rules_have_no_more_is_shown_and_never_drawn() -> None:
    counts = {"exposures": [40.0, 30.0], "successes": [30.0, 1.0]}
    arms = await shown_of(
        Snapshot(policy=POLICY, version=3, arms=["gone", able()[0]], arrays=counts)
    )
    [gone] = [arm for arm in arms if arm.name == "gone"]
    assert (gone.drawn, gone.successes) == (0.0, 30.0)
    assert sum(arm.drawn for arm in arms) == pytest.approx(1.0)
    share, cost = explored([msgspec.to_builtins(arm) for arm in arms])
    assert (share < 1.0, cost < 0.05) == (True, True), "it is no choice that is given up"


def test_the_report_says_that_exploring_costs_answers() -> None:
    one = {"name": "a", "rate": 0.10, "drawn": 0.9, "low": 0.0, "high": 1.0}
    one |= {"successes": 1.0, "exposures": 10.0}
    arms = [one, one | {"name": "b", "rate": 0.06, "drawn": 0.1}]
    policy = {"title": "E-mails", "version": "1", "unit": "e-mails", "arms": arms}
    told = {"lifts": [], "heat": None, "policies": [policy], "models": []}
    said = "  explored: 10 % of draws, which costs 0.40 answers of 100 e-mails"
    assert said in list(report_of(told))
