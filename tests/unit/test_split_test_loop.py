"""A split test from its first visitor to its winner: the Rules Manager and the learner, with nothing between them."""

from __future__ import annotations

from datetime import timedelta

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.serving.split_test import RUNNING, WINNER, verdict_of
from messaging.vocabulary.effects import LogDecision, PublishSnapshot, Tell
from messaging.vocabulary.ids import policy_key, visitor_id_for
from messaging.vocabulary.messages import Message
from messaging.vocabulary.records import Decision, SplitTest
from tests.experiment_builders import a_test, seeded
from tests.rules_builders import MONDAY, PATH, OneVisitor, a_stage, a_view, some_rules

A, B = "invited-mail-a", "invited-mail-b"
DAY = 24.0
RIPE_AT = MONDAY + timedelta(days=60)
"""Long enough afterwards for every answer to count at once."""


class World:
    """Let lead after lead meet a test; the learner hears of each, and its snapshots are served at once."""

    def __init__(self, test: SplitTest, seed: int) -> None:
        rules = some_rules()
        rules.paths[PATH].stages[0] = a_stage("invited", "entry", split_test=test)
        self.view: View = a_view(rules, holdout=0.1)
        self.test = test
        self.state = PolicyState()
        self.learner = LearnerBot()
        self.answered = seeded(seed)

    def lead(self, number: int, rates: dict[str, float]) -> Decision:
        """Let a lead get the first e-mail and answer it or not; return how it was chosen."""
        lead = OneVisitor(self.view)
        lead.state.visitor = visitor_id_for(f"u:{number}")
        lead.enter()
        lead.pass_time(DAY)
        if self.answered.random() < rates[lead.plans[0].template]:
            lead.answer("clicked")
        lead.pass_time(4 * DAY)
        for effect in lead.effects:
            if isinstance(effect, Tell) and effect.message.visitor == policy_key(self.test.policy):
                self._hear(effect.message)
        made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
        return next(decision for decision in made if decision.kind == "template")

    def _hear(self, message: Message) -> None:
        for effect in self.learner.step(self.state, message, RIPE_AT, self.view, Draw):
            if isinstance(effect, PublishSnapshot):
                self.view.snapshots[effect.snapshot.policy] = effect.snapshot

    @property
    def verdict(self) -> str:
        """Return the verdict that is served."""
        return verdict_of(self.view.snapshots.get(self.test.policy))


def test_the_better_variant_is_found_and_from_then_on_everybody_gets_it() -> None:
    world = World(a_test(visitors_min=30, **{A: 0.5, B: 0.5}), seed=7)
    for number in range(600):
        world.lead(number, {A: 0.1, B: 0.5})
        if world.verdict != RUNNING:
            break
    assert world.verdict == WINNER
    experiment = world.state.experiment
    assert experiment is not None
    assert experiment.winner == B
    known = sum(count.visitors for count in experiment.counts.values())
    assert known == number + 1 == world.state.rewards, "each lead counts once, held out or not"
    after = [world.lead(number, {A: 0.1, B: 0.5}) for number in range(1_000, 1_040)]
    assert {d.arm for d in after if not d.holdout} == {B}
    assert {d.policy for d in after if not d.holdout} == {world.test.policy}
    assert {d.arm for d in after if d.holdout} == {A}
    assert world.state.rewards == known, "who gets the winner is not counted any more"
