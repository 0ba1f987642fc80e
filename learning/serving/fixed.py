"""Choose without learning: the rules' own default, and split tests with fixed shares.

Both answer with a `Choice` like every policy, so that the log holds one kind of decision and anything can be
compared with the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from learning.serving.policy import Choice, Draws, allowed_arms, draw_choice
from messaging.vocabulary.records import BY_RULES, Candidate

RULES = BY_RULES
SPLIT_TEST = "split_test"


def choose_default(arm: str, *, refused: Mapping[str, str] | None = None) -> Choice:
    """Return the rules' default with probability 1: for held-out visitors, pins, and as the fallback.

    `refused` names the arms that were not open (arm -> rule, such as `holdout`). Raise ValueError if the
    default itself was refused.

    >>> choose_default("welcome").probabilities
    [1.0]
    """
    refusals = {} if refused is None else refused
    if arm in refusals:
        raise ValueError(f"the default arm {arm} is refused: {refusals[arm]}")
    candidates = [Candidate(arm)]
    candidates += [Candidate(name, refusals[name] or "refused") for name in sorted(refusals)]
    return Choice(candidates, [1.0], arm, RULES, 0)


def choose_by_shares(
    shares: Mapping[str, float],
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str = SPLIT_TEST,
    version: int = 0,
) -> Choice:
    """Return an arm of a split test; the shares of refused arms go to the others in proportion.

    A draw seeded by the visitor (`Draw(f"{test}:{visitor}")`) keeps a visitor on one arm. Raise ValueError
    if a share is not above 0, or no arm is left.
    """
    for arm, share in shares.items():
        if not (math.isfinite(share) and share > 0.0):
            raise ValueError(f"the share of arm {arm} is {share}: it must be above 0")
    arms = allowed_arms(list(shares), refused)
    whole = sum(shares[arm] for arm in arms)
    probabilities = [shares[arm] / whole for arm in arms]
    return draw_choice(arms, probabilities, draw, refused=refused, policy=policy, version=version)
