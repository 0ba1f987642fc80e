"""Draw a split test's variant for the first e-mail that a visitor gets of a step.

Rules
1. A visitor takes part once: with the first e-mail of the step in the first run on the path. What follows is chosen as
   if there were no test, so that an e-mail is not sent twice for its sake.
2. Who may not get every variant (one was sent at an earlier stage, say) takes no part, whichever they would have got:
   else the shares would not hold.
3. Held-out visitors get the rules' default and are counted by the same measure. While learning is off nothing is
   tested.
4. Where visitors do not come by the shares (the verdict `alarm`) the rules' default goes to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.rules.compiled import EmailStep
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from learning.serving.policy import Choice as Chosen
from learning.serving.split_test import (
    ALARM,
    NOT_IN_TEST,
    RUNNING,
    WINNER,
    choose_variant,
    choose_winner,
    seed_of,
    verdict_of,
    winner_of,
)
from messaging.vocabulary.records import SplitTest

FIRST_RUN = "1"
"""Number of the first entry; a keyed run is called by its key and that number (`loop.open_run`)."""


def test_of(turn: Turn, run: Run, step: EmailStep, allowed: list[str]) -> SplitTest | None:
    """Return the test that the e-mail about to be sent is part of, None if of none."""
    test = step.split_test
    if test is None or not turn.view.learning or run.run.rpartition("~")[2] != FIRST_RUN:
        return None
    is_first = all(each.stage != run.stage for each in run.tries)
    return test if is_first and {variant for variant, _ in test.variants} <= {*allowed} else None


def verdict(turn: Turn, test: SplitTest | None) -> str:
    """Return the verdict on a test as far as this view knows, empty without a test."""
    return "" if test is None else verdict_of(turn.view.snapshots.get(test.policy))


def decides(test: SplitTest, verdict: str) -> bool:
    """Say whether a test with this verdict chooses for who is not held out, and what is learned does not."""
    return verdict in (RUNNING, ALARM) or (verdict == WINNER and test.then == "winner")


def choose(
    turn: Turn, test: SplitTest | None, allowed: list[str], refused: Mapping[str, str]
) -> Chosen | None:
    """Return the visitor's variant, or the winner; None where the step's templates are chosen among as usual."""
    if test is None:
        return None
    snapshot = turn.view.snapshots.get(test.policy)
    now = verdict_of(snapshot)
    if now == RUNNING:
        variants = dict(test.variants)
        others = {each: NOT_IN_TEST for each in allowed if each not in variants}
        draw = turn.draw(seed_of(test, turn.state.visitor))
        return choose_variant(snapshot, test, draw, refused={**refused, **others})
    winner = winner_of(snapshot)
    if snapshot is not None and now == WINNER and test.then == "winner" and winner in allowed:
        return choose_winner(snapshot, winner, allowed, refused=refused)
    return None
