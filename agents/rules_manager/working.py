"""Count who did a visitor's share of the marketing work: the machine, or people.

Rules
1. A piece of work is people's where a person did it for this visitor: let them onto a path (by hand, by the API or by
   a list), ordered a broadcast, resumed or changed an alert; or where a step leaves nothing to choose: one template, a
   fixed time, the rules' default.
2. It is counted where it is done, once: whom with the run, the others once the e-mail was handed over or the offer
   was asked for. What was refused or given back was no work.
"""

from __future__ import annotations

from agents.rules_manager.state import RulesState, Run, Try

WHOM, WHAT, WHEN, SEND, FOLLOW_UP, OFFER = "whom", "what", "when", "send", "follow_up", "offer"
MACHINE, PEOPLE = "machine", "people"

LET_IN = "let in"
RESUMED = "resumed"
"""Values of `Run.by_people`: a person (or who calls the API) chose the visitor, or settled an alert so."""


def count(state: RulesState, task: str, *, by_people: bool) -> None:
    """Count one piece of work.

    >>> state = RulesState("a")
    >>> count(state, WHOM, by_people=True)
    >>> state.work
    {'whom/people': 1}
    """
    name = f"{task}/{PEOPLE if by_people else MACHINE}"
    state.work[name] = state.work.get(name, 0) + 1


def count_send(state: RulesState, run: Run, attempt: Try) -> None:
    """Count what an e-mail took that was handed over just now."""
    is_broadcast = run.broadcast is not None
    count(state, WHAT, by_people=attempt.template_choice.by_people)
    count(state, WHEN, by_people=attempt.hour_choice.by_people)
    count(state, SEND, by_people=is_broadcast)
    is_first = attempt.attempt == 1
    if not is_first or run.by_people == RESUMED:
        count(state, FOLLOW_UP, by_people=is_first)


def add(state: RulesState, other: dict[str, int]) -> None:
    """Take over what was counted for a visitor who proved to be the same."""
    for name, pieces in other.items():
        state.work[name] = state.work.get(name, 0) + pieces
