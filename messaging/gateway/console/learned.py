"""Say what the console asks of the learner: what each policy believes, and how sure it is."""

from __future__ import annotations

import msgspec

from messaging.gateway.told import LiftNow


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


class LearningNow(msgspec.Struct, kw_only=True):
    """Hold what all policies believe."""

    heat: Heat | None
    policies: list[PolicyNow]
    models: list[ModelNow]
    lifts: list[LiftNow]
    """Each path: what learning brings beside the rules alone."""
