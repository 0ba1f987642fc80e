"""Tell the learner what came of the first decision of each visitor in a policy's era, learned or held out alike.

Rules
1. A visitor counts once in an era of a policy: with the first of its e-mails that was handed over, or the first offer
   on the site that was seen. Who counts is settled before anything can have come of an e-mail.
2. What came is told when the window is over, all of it at once, and once. Nobody is named: the learner counts.
3. Who leaves does so by the e-mail that they left by, else by the last one; by none whose window is over.
4. Two visitors who became one, one of them held out, belong to neither side.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules_manager.state import COUNTED_MAX, NOT_COUNTED, Choice, RulesState, Run, Try
from agents.rules_manager.turn import Turn
from messaging.vocabulary.ids import policy_key, short_hash
from messaging.vocabulary.messages import DecisionFared, Responded

LEFT = {"unsubscribed": "unsubscribe", "complained": "complaint"}
"""What a visitor did -> the reward that it is."""


def handed_over(turn: Turn, attempt: Try) -> None:
    """Settle for which of an e-mail's decisions its visitor counts."""
    for choice in (attempt.hour_choice, attempt.template_choice):
        _settle(turn, choice)


def left(turn: Turn, message: Responded) -> None:
    """Join the leaving of a visitor to the e-mail that it came of, as a reward of its decision, once."""
    attempt = _left_by(turn.state, message.send_id)
    kind = LEFT[message.kind]
    if attempt is None or kind in attempt.left or not _is_within(attempt, turn.now):
        return
    attempt.left.append(kind)
    if attempt.template_choice.policy:
        turn.reward_more(attempt.template_choice, kind)


def window_over(turn: Turn, run: Run, attempt: Try) -> None:
    """Tell what came of an e-mail's decisions, where they count."""
    came = list(attempt.left)
    ends = attempt.window_ends
    if run.won_at is not None and ends is not None and attempt.at <= run.won_at <= ends:
        came.append("goal")
    for choice in (attempt.hour_choice, attempt.template_choice):
        _tell(turn, choice, came)


def seen(turn: Turn, choice: Choice) -> None:
    """Tell what came of an offer that was seen and has ended, where it counts: it was answered or not."""
    _settle(turn, choice)
    _tell(turn, choice, [])


def merged(state: RulesState, younger: RulesState) -> None:
    """Keep in which eras either half of a visitor has counted."""
    for policy, era in younger.counted.items():
        _note(state, policy, max(era, state.counted.get(policy, era)))


def _settle(turn: Turn, choice: Choice) -> None:
    if choice.era == NOT_COUNTED:
        return
    key = int(short_hash("guarded", choice.policy)[:8], 16)
    is_of_a_side = choice.holdout or not choice.by_rules
    if not is_of_a_side or turn.state.counted.get(key, NOT_COUNTED) >= choice.era:
        choice.era = NOT_COUNTED
        return
    _note(turn.state, key, choice.era)


def _note(state: RulesState, key: int, era: int) -> None:
    state.counted.pop(key, None)
    state.counted[key] = era
    if len(state.counted) > COUNTED_MAX:
        del state.counted[next(iter(state.counted))]


def _tell(turn: Turn, choice: Choice, came: list[str]) -> None:
    era, choice.era = choice.era, NOT_COUNTED
    if era == NOT_COUNTED or turn.state.mixed:
        return
    turn.tell(
        "learner",
        DecisionFared(
            visitor=policy_key(choice.policy),
            at=turn.now,
            policy=choice.policy,
            era=era,
            holdout=choice.holdout,
            came=[*(["response"] if choice.answered else []), *came],
        ),
    )


def _left_by(state: RulesState, send_id: str) -> Try | None:
    out = [one for run in state.waiting_for() for one in run.emails if one.window_ends is not None]
    named = [one for one in out if one.send_id == send_id]
    return max(named or out, key=lambda one: (one.at, one.send_id), default=None)


def _is_within(attempt: Try, now: datetime) -> bool:
    return attempt.window_ends is not None and now <= attempt.window_ends
