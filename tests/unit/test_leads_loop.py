"""Templates by what is known of leads, through the real bots: Rules decides, the learner hears, learns, and tells."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.serving.next_best import policy_name
from messaging.vocabulary.effects import LogDecision, PublishSnapshot, Tell
from messaging.vocabulary.ids import policy_key, visitor_id_for
from messaging.vocabulary.messages import Message
from messaging.vocabulary.records import Decision, Snapshot
from tests.experiment_builders import seeded
from tests.learner_builders import poison
from tests.rules_builders import MONDAY, PATH, OneVisitor, a_view, some_rules

POLICY = policy_name(PATH, "invited")
RIPE_AT = MONDAY + timedelta(days=60)
"""Long enough afterwards for every answer to count at once."""
DAY = 24.0

KEEN = {
    "invited-mail-a": 0.30,
    "invited-mail-b": 0.10,
    "invited-mail-c": 0.12,
    "invited-mail-d": 0.05,
}
OTHERS = {
    "invited-mail-a": 0.05,
    "invited-mail-b": 0.25,
    "invited-mail-c": 0.12,
    "invited-mail-d": 0.05,
}
ALIKE = {
    "invited-mail-a": 0.04,
    "invited-mail-b": 0.12,
    "invited-mail-c": 0.06,
    "invited-mail-d": 0.05,
}


class World:
    """Let lead after lead come and get one e-mail; the learner hears of each, and its snapshots are served at once."""

    def __init__(self, seed: int, *, counts_only: bool = False) -> None:
        self.view: View = a_view(some_rules(), holdout=0.05)
        self.state, self.learner = PolicyState(), LearnerBot()
        self.rng, self.counts_only = seeded(seed), counts_only
        self.published = 0

    def lead(self, number: int, rates: dict[bool, dict[str, float]]) -> tuple[Decision, float]:
        """Let a lead get an e-mail and answer it or not; return how it was chosen, and how likely its answer was."""
        lead = OneVisitor(self.view)
        lead.state.visitor = visitor_id_for(f"u:{number}")
        keen = self.rng.random() < 0.5
        lead.state.cohorts = ["keen"] if keen else []
        lead.state.orders = int(self.rng.random() < 0.3)
        lead.enter()
        lead.pass_time(DAY)
        chance = rates[keen][lead.plans[0].template]
        if self.rng.random() < chance:
            lead.answer("clicked")
        lead.pass_time(4 * DAY)
        for effect in lead.effects:
            if isinstance(effect, Tell) and effect.message.visitor == policy_key(POLICY):
                self._hear(effect.message)
        made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
        return next(decision for decision in made if decision.kind == "template"), chance

    def _hear(self, message: Message) -> None:
        for effect in self.learner.step(self.state, message, RIPE_AT, self.view, Draw):
            if isinstance(effect, PublishSnapshot):
                self.published += 1
                told = effect.snapshot
                self.view.snapshots[told.policy] = counts_of(told) if self.counts_only else told


def counts_of(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot as an older version of the product wrote it."""
    arrays = {name: snapshot.arrays[name] for name in ("successes", "exposures", "decisions")}
    return msgspec.structs.replace(snapshot, arrays=arrays)


def lived(world: World, rates: dict[bool, dict[str, float]], leads: int = 2_400) -> float:
    """Return the mean chance of an answer in the second half of so many leads."""
    chances = [world.lead(number, rates)[1] for number in range(leads)]
    return sum(chances[leads // 2 :]) / (leads - leads // 2)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_known_of_leads_chooses_better_than_counts_of_answers_where_it_matters(seed):
    rates = {True: KEEN, False: OTHERS}
    by_lead, by_counts = World(seed), World(seed, counts_only=True)
    assert lived(by_lead, rates) > 1.2 * lived(by_counts, rates)


def test_it_is_no_worse_than_counts_of_answers_where_leads_are_alike():
    rates = {True: ALIKE, False: ALIKE}
    by_lead, by_counts = World(0), World(0, counts_only=True)
    assert lived(by_lead, rates) > lived(by_counts, rates) - 0.01


def test_a_poisoned_learner_does_not_reach_the_bots_and_would_have():
    """The same poison with and without the gate: without it, nothing is known of what acts."""
    rates = {True: KEEN, False: OTHERS}
    after = {}
    for is_gated in (True, False):
        world = World(0)
        before = lived(world, rates)
        poison(world.state)
        if not is_gated:
            world.state.shown.acting = None
        came = [world.lead(10_000 + number, rates)[1] for number in range(600)]
        after[is_gated] = sum(came[300:]) / 300 / before
        assert ("held" in world.view.snapshots[POLICY].arrays) == is_gated
    assert after[True] > 0.95
    assert after[False] < 0.8
