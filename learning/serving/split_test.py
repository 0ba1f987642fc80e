"""Serve a split test: draw its variants by their shares until there is a verdict, then do what the marketer wanted.

Rules
1. A visitor's variant depends on the test's salt and the visitor alone: whoever is asked again gets the same one.
2. What is logged are the shares: over all visitors the draw is as random as any other.
3. The verdict comes with the learner's snapshot. A test nobody has published anything of is running.
"""

from __future__ import annotations

from collections.abc import Mapping

from learning.serving.fixed import choose_by_shares
from learning.serving.policy import Choice, Draws, array_of
from messaging.vocabulary.records import Candidate, Snapshot, SplitTest

RUNNING, WINNER, NO_DIFFERENCE, ALARM = "running", "winner", "no difference", "alarm"

VERDICTS = (RUNNING, WINNER, NO_DIFFERENCE, ALARM)
"""In the order in which a snapshot numbers them."""

LOST, NOT_IN_TEST = "split_test_lost", "split_test"
"""The rules that refuse a template: another variant won; or it is not one of the variants."""

_OF_TESTS = "split_test/"


def policy_name(place: str, hash_: str) -> str:
    """Return the name of a test at a place (`<path>/<stage>/<name>`).

    >>> policy_name("to-customer/invited/words", "5f1")
    'split_test/to-customer/invited/words/5f1'
    """
    return f"{_OF_TESTS}{place}/{hash_}"


def is_policy(name: str) -> bool:
    """Say whether this is the name of a split test."""
    return name.startswith(_OF_TESTS)


def verdict_of(snapshot: Snapshot | None) -> str:
    """Return the verdict that a snapshot of a test tells."""
    place = 0 if snapshot is None else int(array_of(snapshot, "verdict", 1)[0])
    return VERDICTS[place] if place < len(VERDICTS) else RUNNING


def winner_of(snapshot: Snapshot | None) -> str:
    """Return the template that a test has named the winner, empty if none."""
    if snapshot is None or verdict_of(snapshot) != WINNER:
        return ""
    wins = array_of(snapshot, "winner", len(snapshot.arms))
    return next((arm for arm, won in zip(snapshot.arms, wins, strict=True) if won), "")


def choose_variant(
    snapshot: Snapshot | None, test: SplitTest, draw: Draws, *, refused: Mapping[str, str]
) -> Choice:
    """Return the variant of a running test for the visitor that seeds `draw` (`seed_of`).

    `refused` names the step's other templates, too. Raise ValueError if a variant is among them: the shares of the
    others would be wrong.
    """
    version = 0 if snapshot is None else snapshot.version
    shares = dict(test.variants)
    for variant in shares:
        if variant in refused:
            raise ValueError(f"the variant {variant} is refused: {refused[variant]}")
    return choose_by_shares(shares, draw, refused=refused, policy=test.policy, version=version)


def choose_winner(
    snapshot: Snapshot, winner: str, allowed: list[str], *, refused: Mapping[str, str]
) -> Choice:
    """Return the winner with probability 1; all else that was allowed is refused because it lost."""
    candidates = [Candidate(winner)]
    candidates += [Candidate(arm, LOST) for arm in allowed if arm != winner]
    candidates += [Candidate(arm, refused[arm]) for arm in sorted(refused)]
    return Choice(candidates, [1.0], winner, snapshot.policy, snapshot.version)


def seed_of(test: SplitTest, visitor: str) -> str:
    """Return what seeds a visitor's draw, for good."""
    return f"{test.salt}\x1f{visitor}"
