"""Work out the probabilities that rules ask for, and say when one of them moved a visitor.

Rules
1. Nothing is worked out unless a cohort of the published rules asks for it, and then at most every ten minutes of a
   visitor: an event costs what it did.
2. A newer snapshot counts from the visitor's next event or wake-up on (each lead has one a week): a retrained model
   moves nobody by itself, and never everybody at once.
3. What was worked out stays in the state until it is worked out anew, so that a rule asked twice answers alike.
4. A snapshot that cannot be read gives no probability, and no rule holds by it.
5. All that is asked for is worked out at once, so that no figure contradicts another (`learning.serving.coherent`).
"""

from __future__ import annotations

from agents.behavior_bot.moments import is_lead, moment_of
from agents.behavior_bot.state import BehaviorState, Chance
from agents.protocol.bot import View
from agents.rules.compiled import PROBABILITY, CompiledRules
from agents.rules.flow import is_hidden
from learning.serving.coherent import figures
from learning.serving.probability import policy_of
from messaging.vocabulary.effects import Effect, LogStory
from messaging.vocabulary.records import Snapshot

FRESH_SECONDS = 600.0
DECIMALS = 4
"""Of a probability in the state: finer is noise."""


def refresh(state: BehaviorState, seconds: float, view: View) -> bool:
    """Work out anew what rules ask for, where it is old; return whether anything changed."""
    wanted = view.rules.probabilities if is_lead(state) else ()
    gone = [name for name in state.chances if name not in wanted]
    for name in gone:
        del state.chances[name]
    changed = bool(gone)
    acting = {name: at for name in wanted if (at := view.snapshots.get(policy_of(name)))}
    if all(_is_fresh(state.chances.get(name), at, seconds) for name, at in acting.items()):
        return changed
    found = figures(view.snapshots, moment_of(state, seconds, view.consent), acting)
    for name, snapshot in acting.items():
        known, figure = state.chances.get(name), found.get(name)
        value = round(figure.value, DECIMALS) if figure is not None else None
        changed = changed or known is None or known.value != value
        state.chances[name] = Chance(value, seconds, snapshot.version)
    return changed


def moved(state: BehaviorState, rules: CompiledRules, before: list[str]) -> list[Effect]:
    """Tell the story where a cohort that asks for a probability was entered or left."""
    asked = rules.cohorts_touched(PROBABILITY)
    asking = {cohort.name for cohort in asked if not is_hidden(cohort.name)}
    entered = sorted(asking & ({*state.cohorts} - {*before}))
    left = sorted(asking & ({*before} - {*state.cohorts}))
    if not entered and not left:
        return []
    chances = {name: each.value for name, each in sorted(state.chances.items())}
    return [LogStory("probability.moved", {"chances": chances, "entered": entered, "left": left})]


def _is_fresh(known: Chance | None, snapshot: Snapshot, seconds: float) -> bool:
    if known is None or known.version != snapshot.version:
        return False
    return seconds < known.at + FRESH_SECONDS
