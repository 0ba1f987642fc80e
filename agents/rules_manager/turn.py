"""Carry what one step works with: the state it may change, what it may see, and the effects it collects."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor, share
from agents.rules.compiled import PathRule
from agents.rules_manager.broadcast_rule import rule_of
from agents.rules_manager.state import NOT_COUNTED, Choice, RulesState, Run, Try
from learning.serving.fallback import era_of, is_taken_back
from messaging.vocabulary.effects import (
    CancelWake,
    CapReached,
    Effect,
    LogDecision,
    LogReward,
    LogStory,
    PutRecipient,
    Tell,
    WakeAt,
)
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import DecisionMade, Message, RewardSeen
from messaging.vocabulary.records import Decision, Reward, SplitTest

HOLDOUT_SALT = "holdout"

DRAWN_MAX = 32
"""Arms that are remembered of a draw; of one among more it is not told how likely its arm was."""

OPEN_WORTH = 0.2
"""What an open without a click is worth, where a click is worth 1: about one in five who open follows a link, and an
e-mail that is opened often and never followed sells nothing. The same for all paths."""


class Turn:
    """Hold one step's inputs and collect its effects."""

    __slots__ = ("draw", "effects", "now", "state", "view")

    def __init__(self, state: RulesState, now: datetime, view: View, draw: DrawFor) -> None:
        self.state = state
        self.now = now
        self.view = view
        self.draw = draw
        self.effects: list[Effect] = []

    def path(self, run: Run) -> PathRule | None:
        """Return the path as the run's own version has it."""
        rules = self.view.pinned.get(run.version)
        if rules is None:
            return None
        if run.broadcast is not None:
            return rule_of(rules, run.broadcast)
        found: PathRule | None = rules.paths.get(run.path)
        return found

    def is_paused(self, run: Run) -> bool:
        """Say whether nothing is planned on a run's path for now."""
        return run.path in self.view.paused

    def show_recipient(
        self,
        broadcast: str,
        status: str,
        reason: str = "",
        *,
        until: datetime | None = None,
        cap: CapReached | None = None,
    ) -> None:
        """Write what became of a broadcast for this visitor; `until`: when it goes, where it waits (by `cap`)."""
        self.effects.append(PutRecipient(broadcast, status, reason, self.now, until, cap))

    def tell(self, bot: str, message: Message) -> None:
        """Send a message to a peer."""
        self.effects.append(Tell(bot, message))

    def wake(self, key: str, at: datetime) -> None:
        """Ask to be woken."""
        self.effects.append(WakeAt(key, at))

    def cancel(self, key: str) -> None:
        """Forget a wake-up."""
        self.effects.append(CancelWake(key))

    def story(self, kind: str, run: Run | None = None, **detail: Any) -> None:
        """Write a line of the visitor's story."""
        if run is not None:
            detail = {"path": run.path, "run": run.run, "stage": run.stage, **detail}
        self.effects.append(LogStory(kind, detail))

    def held_out(self, visitor: str = "") -> bool:
        """Return whether this visitor (or another) gets the rules' defaults for good."""
        return share(HOLDOUT_SALT, visitor or self.state.visitor) < self.view.holdout

    def decided(
        self,
        learns: str,
        decision: Decision,
        test: SplitTest | None = None,
        inputs: bytes = b"",
    ) -> Choice:
        """Log a decision, tell the learner, and return what must be remembered of it.

        `learns` names the policy that measures or learns by it, also where the rules themselves decided; empty where
        nothing is to be learned. `test` is the running split test that the visitor is counted in, too. `inputs` is what
        the policy may learn to decide by.
        """
        self.effects.append(LogDecision(decision))
        if not learns:
            return Choice(
                decision_id=decision.id,
                arm=decision.arm,
                at=decision.at,
                by_people=decision.by_people,
            )
        allowed, propensity = (
            _drawn(decision) if inputs and decision.policy == learns else ([], 0.0)
        )
        message = DecisionMade(visitor=policy_key(learns), at=self.now, decision=decision)
        self.tell("learner", message)
        if test is not None:
            self.tell("learner", DecisionMade(policy_key(test.policy), self.now, decision, test))
        return Choice(
            decision_id=decision.id,
            policy=learns,
            arm=decision.arm,
            at=decision.at,
            open=True,
            holdout=decision.holdout,
            by_rules=decision.policy != learns,
            test="" if test is None else test.policy,
            by_people=decision.by_people,
            era=self._era(learns),
            inputs=inputs,
            allowed=allowed,
            propensity=propensity,
        )

    def _era(self, learns: str) -> int:
        """Return the era in which a decision is judged, none where learned is not held against held out for now."""
        snapshot = self.view.snapshots.get(learns)
        return (
            era_of(snapshot) if self.view.learning and not is_taken_back(snapshot) else NOT_COUNTED
        )

    def reward(
        self, choice: Choice, kind: str, value: float, human: float, at: datetime | None = None
    ) -> None:
        """Give a decision its reward, once: an answered or closed one stays as it is. `at`: earned then, if before."""
        if not choice.open or choice.at is None:
            return
        choice.open = False
        choice.answered = value > 0.0
        reward = self._rewarded(choice, kind, value, human, at)
        choice.forget()  # only what answers first teaches
        if choice.test:
            told = msgspec.structs.replace(reward, value=float(value > 0.0))
            self._tell_reward(choice, choice.test, told, in_lift=True)

    def purchase(self, choice: Choice, value: float) -> None:
        """Tell the learner what a decision's e-mail sold."""
        if choice.decision_id:
            self._rewarded(choice, "purchase", value, 1.0)

    def reward_more(self, choice: Choice, kind: str) -> None:
        """Tell the learner of a decision that a visitor left by its e-mail."""
        self._rewarded(choice, kind, 1.0, 1.0)

    def _rewarded(
        self, choice: Choice, kind: str, value: float, human: float, at: datetime | None = None
    ) -> Reward:
        """Log a reward and tell it to the policy that learns by it."""
        reward = Reward(
            decision_id=choice.decision_id, kind=kind, value=value, at=at or self.now, human=human
        )
        self.effects.append(LogReward(reward))
        in_lift = choice.holdout or not choice.by_rules
        self._tell_reward(choice, choice.policy, reward, in_lift=in_lift)
        return reward

    def _tell_reward(self, choice: Choice, policy: str, reward: Reward, *, in_lift: bool) -> None:
        assert choice.at is not None, "a decision has a time"
        is_first = policy == choice.policy and reward.kind == "response"
        self.tell(
            "learner",
            RewardSeen(
                visitor=policy_key(policy),
                at=self.now,
                reward=reward,
                arm=choice.arm,
                policy=policy,
                decided_at=choice.at,
                holdout=choice.holdout,
                subject=self.state.visitor,
                in_lift=in_lift and not self.state.mixed,
                weighs=choice.weighs,
                inputs=choice.inputs if is_first else b"",
                allowed=choice.allowed if is_first else [],
                propensity=choice.propensity if is_first else 0.0,
            ),
        )

    def close(self, attempt: Try) -> None:
        """Close what is still open of an e-mail's decisions: its window has ended, at most with an open."""
        self.reward(attempt.hour_choice, "response", 0.0, 1.0)
        choice = attempt.template_choice
        if choice.moved:
            # However late it is closed: the open came inside the window.
            self.reward(
                choice, "response", OPEN_WORTH, choice.moved, self._until(attempt.window_ends)
            )
        else:
            self.reward(choice, "response", 0.0, 1.0)

    def _until(self, ends: datetime | None) -> datetime:
        return self.now if ends is None else min(self.now, ends)


def _drawn(decision: Decision) -> tuple[list[str], float]:
    """Return among which arms a decision was drawn, and how likely its own was; nothing where there was no choice."""
    allowed = [each.arm for each in decision.candidates if not each.refused]
    if not 1 < len(allowed) <= DRAWN_MAX:
        return [], 0.0
    return allowed, decision.probabilities[allowed.index(decision.arm)]
