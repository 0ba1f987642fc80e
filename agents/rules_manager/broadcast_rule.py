"""Make the rule of a broadcast: a path of one stage, one attempt and one template, under the limits of another path."""

from __future__ import annotations

import msgspec

from agents.rules.compiled import (
    CompiledRules,
    EmailStep,
    EntryRule,
    PathRule,
    StageRule,
    SuccessRule,
)
from messaging.vocabulary.plans import Broadcast

BROADCAST = "broadcast"
"""Name of the one stage and step, and the beginning of the path's name, which no marketer's path can have."""

PLANNED, SENT, REFUSED, CANCELLED = "planned", "sent", "refused", "cancelled"
MOVED = "moved"
"""Of a visitor who proved to be another one: what becomes of it is shown there."""

CALLED_OFF = "broadcast cancelled"
"""Why a run ends whose broadcast was called off."""


def name_of(broadcast: str) -> str:
    """Return the name of the path that a broadcast's runs are on."""
    return f"{BROADCAST}:{broadcast}"


def cohorts_of(rules: CompiledRules, broadcast: Broadcast) -> set[str]:
    """Return the cohorts whoever gets it is in, by the rules of its version: its own and its template's."""
    template = rules.templates.get(broadcast.template)
    return {broadcast.cohort, (template.cohort if template else "") or broadcast.cohort}


def rule_of(rules: CompiledRules, broadcast: Broadcast) -> PathRule | None:
    """Return the rule of a broadcast; None where the version has no such path.

    No goal ends it, nobody is alerted, and the path's worth is kept: at a cap it stands beside what the path sends.
    """
    like = rules.paths.get(broadcast.path)
    if like is None:
        return None
    email = EmailStep(
        name=BROADCAST,
        timing="now",
        window_hours=1,
        templates=[(broadcast.template, None)],
        default_templates=[broadcast.template],
        default_first=[],
        default_hours=[12],
        different=[],
        on_uncertain="list",
    )
    stage = StageRule(BROADCAST, "entry", "", opportunity=False, hold=False, email=email)
    return msgspec.structs.replace(
        like,
        name=name_of(broadcast.id),
        priority=broadcast.priority,
        goal_events=frozenset(),
        entry=EntryRule(),
        reentry="never",
        attempts_total=1,
        attempts_after_open=0,
        alert="",
        success=SuccessRule(""),
        stages=[stage],
        steps={},
    )
