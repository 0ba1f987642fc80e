"""Compare the rules with learning on the same people: what `mdma simulate` tells.

Rules
1. Both arms meet the same audience: the same people with the same chance for each occasion.
2. A lift is the mean over people of the paired difference. Its interval is that of the paired t-test in its normal
   form (Student 1908; for n in the hundreds the normal quantile serves): mean ± 1.96 · s / √n, s over the people's
   differences. It covers who happens to live in this audience. It does not cover that another audience may have
   other tastes, nor that what one person taught changed what another got.
3. Nothing here depends on the machine or the clock: the same seed gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import fmean, stdev
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from learning.audience.audience import Audience
from learning.audience.people import Profile
from scripts.simulating import START, Fate, Simulated, end_of

CERTAIN = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

METHOD = (
    "paired difference of the same people in both arms, mean ± 1.96 standard errors (Student 1908)"
)

MEASURES: dict[str, tuple[str, Callable[[Fate], float]]] = {
    "goal": ("reached the goal", lambda fate: float(fate.goal)),
    "clicked": ("followed a link of an e-mail", lambda fate: float(fate.clicked)),
    "sends": ("marketing e-mails a person", lambda fate: float(fate.sends)),
    "unsubscribed": ("unsubscribed", lambda fate: float(fate.unsubscribed)),
    "reached_person": ("were handed to a person", lambda fate: float(fate.reached_person)),
}
"""Measure -> (words, its value for one person). All but `sends` are shares."""

ARMS = ("rules", "learning")

Progress = Callable[[str, float], None]
"""Is told (arm, share done)."""


class Lift(msgspec.Struct, frozen=True):
    """Hold one measure: both arms' means, the difference and its 95 % interval."""

    rules: float
    learning: float
    lift: float
    low: float
    high: float


class Setting(msgspec.Struct, frozen=True):
    """Hold what is simulated."""

    visitors: int
    days: int
    seed: int
    holdout: float
    draft: int = 0
    """Version of the rules in the store; 0: a folder's."""
    profiles: str = "synthetic"
    """`real`: everybody is known as a lead of the store is."""


def compare(
    rules: CompiledRules,
    setting: Setting,
    progress: Progress = lambda _arm, _share: None,
    profiles: Sequence[Profile] = (),
) -> dict[str, Any]:
    """Run both arms and return what `mdma simulate --json` prints."""
    fates, facts = {}, {}
    for arm in ARMS:
        world = _lived(rules, setting, arm, progress, profiles)
        fates[arm] = world.fates()
        facts[arm] = {
            "events": world.events,
            "messages": world.bots.messages,
            "held_out": sum(fate.held_out for fate in fates[arm]),
        }
    return {
        **msgspec.to_builtins(setting),
        "start": START.isoformat(),
        "rules_version": rules.version,
        "method": METHOD,
        "measures": {
            name: msgspec.to_builtins(lift_of(*([of(fate) for fate in fates[arm]] for arm in ARMS)))
            for name, (_, of) in MEASURES.items()
        },
        "arms": facts,
    }


def _lived(
    rules: CompiledRules,
    setting: Setting,
    arm: str,
    progress: Progress,
    profiles: Sequence[Profile],
) -> Simulated:
    end = end_of(setting.days)
    view = View(
        rules=rules,
        rules_version=rules.version,
        pinned={rules.version: rules},
        snapshots={},
        holdout=setting.holdout,
        learning=arm == "learning",
    )
    audience = Audience(setting.seed, setting.visitors, START, setting.days, profiles=profiles)
    world = Simulated(view, audience)

    def passed(now: datetime) -> None:
        progress(arm, (now - START) / (end - START))

    world.run(end, passed)
    return world


def lift_of(rules: list[float], learning: list[float]) -> Lift:
    """Return the lift of learning over the rules, person by person, of two people or more.

    >>> lift_of([0.0, 0.0, 1.0], [1.0, 1.0, 1.0]).lift
    0.6666666666666666
    """
    apart = [after - before for before, after in zip(rules, learning, strict=True)]
    mean = fmean(apart)
    error = CERTAIN * stdev(apart) / math.sqrt(len(apart))
    return Lift(fmean(rules), fmean(learning), mean, mean - error, mean + error)


def told(facts: dict[str, Any]) -> str:
    """Return what people read."""
    held_out = facts["arms"]["learning"]["held_out"]
    drafted = f"Version {facts['draft']} of the rules: " if facts["draft"] else ""
    known = " who are known as leads of this system are," if facts["profiles"] == "real" else ""
    who = (
        f"{drafted}{facts['visitors']:,} people{known} over {facts['days']} days, seed {facts['seed']}; "
        f"{held_out:,} of them held out ({facts['holdout']:.0%}): they get the rules in both arms"
    )
    lines = [
        who,
        "",
        f"{'':30}{'rules':>10}{'learning':>10}  lift (95 % interval)",
    ]
    lines += [_line(name, facts["measures"][name]) for name in MEASURES]
    return "\n".join([*lines, "", f"Interval: {facts['method']}. {_verdict(facts)}"])


def _line(name: str, lift: dict[str, float]) -> str:
    words, _ = MEASURES[name]
    if name == "sends":
        cells = [f"{lift[key]:.3f}" for key in ARMS]
        change = [f"{lift[key]:+.3f}" for key in ("lift", "low", "high")]
        unit = ""
    else:
        cells = [f"{lift[key]:.2%}" for key in ARMS]
        change = [f"{100 * lift[key]:+.2f}" for key in ("lift", "low", "high")]
        unit = " points"
    return f"{words:30}{cells[0]:>10}{cells[1]:>10}  {change[0]}{unit} ({change[1]} to {change[2]})"


def _verdict(facts: dict[str, Any]) -> str:
    goal = facts["measures"]["goal"]
    if goal["low"] > 0.0:
        return "Learning brings more people to the goal on this audience."
    if goal["high"] < 0.0:
        return "Learning brings fewer people to the goal on this audience."
    return (
        "On the goal the two cannot be told apart on this audience: simulate more people or days."
    )
