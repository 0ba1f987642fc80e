"""Count the pages that rules mean by a text in their paths: ever, and by the hours they were seen in.

Rules
1. A page counts when it comes, for each such question of the published rules: how many others came after it changes
   nothing. What came before a question was published is brought by history (`filling`).
2. The bounds are those of tallies, smaller: of a question the newest `HOURS_MAX` hours, of all together
   `HOURS_IN_ALL_MAX`, and `LOOKED_MAX` questions, the latest seen. What goes is counted (`let_go`), and its cohorts are
   asked again.
3. States of before this was counted hold the newest pages alone: with those it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agents.behavior_bot.state import BehaviorState, Tally
from agents.behavior_bot.tallies import add_counts, count_in_hour, trim_each
from agents.rules.compiled import CompiledRules
from agents.rules.keeping import PAGE

LOOKED_MAX = 96
"""Questions for pages of which a visitor saw any; a rule set may ask hundreds, hardly anybody sees them all."""
HOURS_IN_ALL_MAX = 400


def begin(state: BehaviorState, rules: CompiledRules) -> None:
    """Count the newest pages of a state that was kept before pages were counted."""
    state.counts_pages = True
    for at, path in state.pages:
        note_page(state, rules.page_kinds(path), at)


def note_page(state: BehaviorState, kinds: Iterable[str], at: float) -> list[str]:
    """Count a page for the questions that mean it; return the kinds of those whose counts changed."""
    changed = [kind for kind in kinds if kind.startswith(PAGE)]
    grew = False
    for kind in changed:
        tally = state.looked.setdefault(kind[len(PAGE) :], Tally())
        tally.count += 1
        grew |= count_in_hour(tally, at)
    # A new question has a new hour, too: without one no bound is met that was not met before.
    return changed + trim(state) if grew else changed


def add_looked(state: BehaviorState, looked: Mapping[str, Tally]) -> None:
    """Add what was counted of other pages: of a younger visitor, or of a history."""
    for page in sorted(looked):
        add_counts(state.looked.setdefault(page, Tally()), looked[page])
    trim(state)


def trim(
    state: BehaviorState, count_max: int = LOOKED_MAX, hours_max: int = HOURS_IN_ALL_MAX
) -> list[str]:
    """Let the oldest go until the bounds hold; return the kinds of what lost any."""
    looked, gone = state.looked, list[str]()
    while len(looked) > count_max:
        oldest = min(looked, key=lambda page: (looked[page].last, page))
        del looked[oldest]
        gone.append(oldest)
    gone += trim_each(looked, hours_max)
    state.let_go += len(gone)
    return [PAGE + page for page in gone]
