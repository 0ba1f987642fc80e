"""Hold a flow in the form that the Rules Manager takes it in: every step by its name, with what follows it.

Rules
1. An empty name of what follows is the end of the flow.
2. What a step asks is a cohort of its own, hidden from lists, so that Behavior answers it as any other question.
   Its name begins with a dot: it cannot be a marketer's, and of what an event changes Behavior tells it first, so that
   a run that begins by the same event is asked by what holds then.
3. It is asked as the published version has it, as cohorts are; a run on an older version hears the newer answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from messaging.vocabulary.messages import TraitValue

RESERVED = {
    "email": "an address comes from the visitor alone",
    "email_consent": "consent comes from the visitor alone",
    "social_consent": "consent comes from the visitor alone",
}
"""Traits that no path may set, nor what a webhook answers."""

HIDDEN = "."
"""Begins the names of cohorts that stand for the questions of flows."""


def question(path: str, step: str) -> str:
    """Return the name of the cohort that stands for what a step asks.

    >>> question("welcome", "has-bought")
    '.welcome.has-bought'
    """
    return f"{HIDDEN}{path}{HIDDEN}{step}"


def path_of(cohort: str) -> str:
    """Return the path whose flow asks by a hidden cohort.

    >>> path_of(".welcome.has-bought")
    'welcome'
    """
    return cohort.split(HIDDEN)[1]


def is_hidden(cohort: str) -> bool:
    """Say whether a cohort stands for a question of a flow: no marketer wrote it down as one.

    >>> is_hidden(".welcome.has-bought"), is_hidden("has-bought")
    (True, False)
    """
    return cohort.startswith(HIDDEN)


def is_entry(cohort: str) -> bool:
    """Say whether a cohort's entering starts a run: that of no step (`agents.rules.entries.entry_cohort`).

    >>> is_entry(".welcome."), is_entry(".welcome.has-bought")
    (True, False)
    """
    return is_hidden(cohort) and cohort.endswith(HIDDEN)


def named(cohorts: Iterable[str]) -> list[str]:
    """Return the cohorts that marketers wrote, sorted: what stories and lists tell of.

    >>> named(["loyal", ".welcome.has-bought", "eager"])
    ['eager', 'loyal']
    """
    return sorted(cohort for cohort in cohorts if not is_hidden(cohort))


class Way(msgspec.Struct, frozen=True, array_like=True):
    """Lead a part of the visitors on: those whose place lies below `until`, and not below the way before."""

    name: str
    until: float
    step: str


class StepRule(msgspec.Struct, frozen=True):
    """Say what one step of a flow does, and what follows it."""

    name: str
    kind: str
    """`wait`, `wait_until`, `if`, `split`, `email`, `offer`, `traits`, `alert`, `webhook`,
    `goto` or `end`."""
    following: str
    """What comes next: of `if` where it holds, of `goto` where it leads to."""
    other: str = ""
    """Of `if` where it does not hold, of `wait_until` when the time is over, of `webhook` where none answers, of `goto`
    when its times are used up."""
    cohort: str = ""
    """What is asked (`question`); empty where `answered` is asked, or nothing."""
    answered: str = ""
    """`opened` or `clicked`: whether the run's latest e-mail was."""
    hours: int = 0
    """How long to wait, or at most."""
    weekday: int | None = None
    """Waited for, 0 is Monday; with `hour`, both in the visitor's zone."""
    hour: int | None = None
    ways: list[Way] = []
    salt: str = ""
    interaction: str = ""
    traits: dict[str, TraitValue] = {}
    title: str = ""
    """Of the alert."""
    url: str = ""
    """Of the webhook."""
    times: int = 0
    """Of `goto`: how often in a run; 0: the path's attempts end it."""
    since: bool = False
    """Whether what was done since the run began is asked: Behavior has to know first when that was."""

    @property
    def leads_to(self) -> list[str]:
        """Return every step that may follow, once each; the end of the flow as an empty name."""
        if self.kind == "end":
            return [""]
        if self.kind == "split":
            return list(dict.fromkeys(way.step for way in self.ways))
        if self.kind in ("if", "wait_until", "webhook") or (self.kind == "goto" and self.times):
            return list(dict.fromkeys((self.following, self.other)))
        return [self.following]
