"""Say what the console asks of the learner: what each policy believes, and how sure it is."""

from __future__ import annotations

from datetime import datetime

import msgspec

from messaging.gateway.told import LiftNow

TAKEN_BACK = "taken back"


class Heat(msgspec.Struct, kw_only=True):
    """Hold the expected rate of response of each hour of the week."""

    rates: list[list[float]]
    """Seven days from Monday on, 24 hours each."""
    sends: list[list[float]]
    version: str


class ArmLine(msgspec.Struct, kw_only=True):
    """Say what is believed of one arm."""

    name: str
    exposures: float
    successes: float
    rate: float
    low: float
    high: float
    """The 95 % interval of the posterior."""
    drawn: float
    """How likely it would be drawn now, were all allowed."""


class PolicyNow(msgspec.Struct, kw_only=True):
    """Hold what one policy believes."""

    title: str
    version: str
    unit: str
    """What an exposure is: e-mails, or offers seen."""
    arms: list[ArmLine]


class Told(msgspec.Struct, kw_only=True):
    """Hold moments of similar probability: what was said of them, and what came."""

    rows: int
    said: float
    came: float
    low: float
    high: float
    """The 95 % interval of the share that came (Wilson 1927)."""


class ModelNow(msgspec.Struct, kw_only=True):
    """Say what is known of the model of one probability."""

    title: str
    version: str
    """Empty: there is no model yet."""
    figures: list[tuple[str, str]]
    curve: list[Told]
    """Of moments later than all that it learned from, by rising probability; empty where there were too few."""


class MeasureLine(msgspec.Struct, kw_only=True):
    """Hold one measure of the guardrail: each visitor once in an era, by the first decision of it."""

    measure: str
    """`response`, `goal`, `unsubscribe` or `complaint`."""
    title: str
    learned: str
    rules: str
    """Of how many visitors it came true, with learning and held out; in words."""
    evidence: float
    """For harm; all measures share the alarm, at a mean of 20."""


class HeldLine(msgspec.Struct, kw_only=True):
    """Say why what was learned last is not published: it would bring less than what acts, as far as answers say."""

    since: datetime
    """When the first candidate was held since one was published."""
    candidates: int
    """Held since then, one after the other."""
    difference: float
    """What the newest brings more than what acts, a decision, with its 95 % interval."""
    low: float
    high: float
    acting: float
    """What the one that acts brings a decision."""
    said: str
    """The same in words."""


class PolicyLine(msgspec.Struct, kw_only=True):
    """Say how one policy fares beside the rules, and whether it acts."""

    policy: str
    title: str
    version: int
    decisions: int
    held_out: int
    """Of the decisions."""
    lift: str
    """Difference of answers per decision, learned less held out, with its interval; in words."""
    state: str
    """`learning` or `taken back`."""
    said: str
    era: int
    """How often a person turned it on again, or half a year went by."""
    alert: str = ""
    """The alert that called a person about it, where it was taken back."""
    evidence: float
    """For harm, shared over the measures; at 20 it is taken back."""
    measures: list[MeasureLine]
    held: HeldLine | None = None
    """Why an older version of what was learned acts; null: the newest does."""

    @property
    def is_taken_back(self) -> bool:
        """Say whether the rules decide in its place."""
        return self.state == TAKEN_BACK


class ValueLine(msgspec.Struct, kw_only=True):
    """Hold a policy's value by one method with its 95 % interval; null: the log says too little of it."""

    method: str
    """`ips`, `snips`, `dr` or `switch-dr`."""
    value: float | None
    low: float | None
    high: float | None


class ValuedPolicy(msgspec.Struct, kw_only=True):
    """Hold what the log says of one policy."""

    name: str
    effective: float
    """Effective number of answers (Kish 1965)."""
    estimates: list[ValueLine]
    why_not: str
    """Why there is no value; empty where there is one."""


class Evaluation(msgspec.Struct, kw_only=True):
    """Hold what the decision log says of a policy as it stands, beside another one."""

    policy: str
    version: int
    against: str
    """`rules`, `uniform`, or `file`: weights that were given."""
    answers: int
    """Decisions of the policy whose reward is known."""
    left_out: int
    """Of more, because what it is held against takes none of their arms, or nobody knows which."""
    logged: float
    """Mean reward of these answers, as they were decided."""
    policies: list[ValuedPolicy]
    """The policy, then what it is held against."""
    difference: float | None
    low: float | None
    high: float | None
    """How much more it brings, doubly robust, with a 95 % interval; null: the log says too little."""
    verdict: str


class LearningNow(msgspec.Struct, kw_only=True):
    """Hold what all policies believe."""

    heat: Heat | None
    policies: list[PolicyNow]
    models: list[ModelNow]
    lifts: list[LiftNow]
    """Each path: what learning brings beside the rules alone."""
    guarded: list[PolicyLine] = []
    """Each policy that chooses, held against the rules."""
