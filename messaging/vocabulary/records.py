"""Fix the three records at which every part of the learning meets: Decision, Reward, Snapshot.

Rules
1. A decision names every candidate, also the refused ones with the rule that refused them.
2. `probabilities` are exact, in the order of the allowed candidates, and sum to 1.
3. A reward joins one decision, once: its id is (decision, kind). An open window is not a zero.
4. A snapshot's arrays are plain lists of floats: nothing stored is ever unpickled.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

CONTEXT_MAX = 32
"""Floats of context that one decision may carry."""

BY_RULES = "rules"
"""Policy of a decision that was not made by what was learned, nor drawn: the rules' default."""


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """Name one arm and, if it was not allowed, the rule that refused it."""

    arm: str
    refused: str = ""


class Decision(msgspec.Struct, kw_only=True):
    """Record one draw: what could be chosen, how likely each was, what was chosen, by which policy."""

    id: str
    at: datetime
    visitor: str
    path: str
    run: str
    stage: str
    step: str
    attempt: int
    kind: str
    """`template`, `send_hour`, or `interaction` (on the site: without path, run and stage)."""
    candidates: list[Candidate]
    probabilities: list[float]
    """One for each allowed candidate, in their order."""
    arm: str
    policy: str
    policy_version: int
    rules_version: int
    context: list[float] = []
    """The moment in numbers, as `agents.rules_manager.context.NAMES` names them; empty on the site."""
    because: list[str] = []
    """Why this arm was likely: `little` (is known yet), `everybody` (answers it best), or what is known of the
    visitor, the most telling first (of `agents.rules_manager.context.INPUTS`, or `cohort <name>`). Empty: nothing
    was learned for it."""
    holdout: bool = False
    leaning: list[int] = []
    """Of an hour in which the visitor's own hours had a part: from how many weeks, and the hour of the week in which
    they were there most often. Empty: everybody's hours, or the rules'."""

    @property
    def by_people(self) -> bool:
        """Say whether a person chose: by the default that stands in the rules, or by leaving nothing to choose."""
        return self.policy == BY_RULES or len(self.candidates) < 2


class Reward(msgspec.Struct, kw_only=True):
    """Record what came of one decision: a value in its kind's unit, weighed by how likely a human did it."""

    decision_id: str
    kind: str
    """`response` (0 to 1: opened or clicked for an hour; clicked or bought for a template, and a part of it for a mere
    open that moved the lead on; clicked or submitted for an interaction that was seen), `purchase` (money),
    `unsubscribe` or `complaint` (1: the visitor left by the e-mail)."""
    value: float
    at: datetime
    human: float = 1.0


class Snapshot(msgspec.Struct, kw_only=True):
    """Publish what a policy has learned: numbers only, and how far each stream had been read."""

    policy: str
    """`send_time`, `next_best/<path>/<stage>`, `on_site/<type of interaction>`, `probability/<what>` or
    `split_test/<path>/<stage>/<name>/<hash>`."""
    version: int
    learned_to: dict[str, int] = {}
    """Input stream of the learner's shard -> how far it was read (the commit says); beside it what the policy counts:
    `rewards` or `to`, in whole seconds of world time."""
    arms: list[str] = []
    arrays: dict[str, list[float]] = {}


def place_of_test(policy: str) -> tuple[str, str, str]:
    """Return (path, stage, name) of the split test that a policy is, all empty where it is none.

    >>> place_of_test("split_test/to-customer/invited/words/5f1"), place_of_test("send_time")
    (('to-customer', 'invited', 'words'), ('', '', ''))
    """
    kind, *rest = policy.split("/")
    if kind != "split_test" or len(rest) != 4:
        return "", "", ""
    path, stage, name, _ = rest
    return path, stage, name


class SplitTest(msgspec.Struct, frozen=True, array_like=True):
    """Say what a marketer wants tested: the variants of a step's first e-mail to a visitor, and what ends the test."""

    policy: str
    """`split_test/<path>/<stage>/<name>/<hash of variants, shares and salt>`: who changes those begins anew."""
    variants: list[tuple[str, float]]
    """(template, its share); the shares sum to 1."""
    salt: str
    """Decides, with the visitor's id, which variant a visitor gets."""
    visitors_min: int
    """Of each variant so many must be known before one may win."""
    visitors_max: int
    """With so many known of each variant the test ends without a winner."""
    then: str
    """`winner`: everybody gets it; `bandit`: the templates of the step are chosen among as if there were no test."""
    known_after_hours: int
    """So old is a decision whose "no" is known, too."""


class IdentityWrite(msgspec.Struct):
    """Give an identity key to a visitor, if its row still is the one that was read."""

    key: str
    visitor: str
    born: int
    """Journal position at which the visitor was first seen; the older of two is the one with the lower."""
    expected: tuple[str, int] | None
    """(visitor, born) as they were read; None: there was no row."""
