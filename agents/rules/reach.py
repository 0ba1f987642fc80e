"""Say how far back a cohort looks: a rule that reaches behind the record says since when its history is."""

from __future__ import annotations

from agents.rules.basics import Windowed
from agents.rules.ruleset import RuleSet, walk

EVER = float("inf")


def reach_of(name: str, rules: RuleSet) -> float:
    """Return how many hours back a cohort looks at what is kept for rules alone; `EVER` where it has no window."""
    reach = 0.0
    for _, condition in walk(rules.questions[name].when, ()):
        asked = getattr(condition, condition.operator)
        if condition.cohort is not None:
            reach = max(reach, reach_of(condition.cohort, rules))
        elif condition.score is not None:
            reach = EVER
        elif condition.trait is not None and condition.trait.changed is not None:
            reach = max(reach, condition.trait.changed.hours or EVER)
        elif isinstance(asked, Windowed):
            reach = max(reach, asked.hours or EVER)
    return reach
