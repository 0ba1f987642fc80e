"""Let visitors onto a path: by a cohort, by an event, or by a call of the API.

Nobody is let onto a path of stages who may not be written to: all that it does is to write. An event or a call is over
by the time that they may; who belongs to a cohort is let on as soon as they may, if they belong to it still.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules.compiled import PathRule
from agents.rules_manager.loop import enter, had
from agents.rules_manager.planning import news_until
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import LET_IN
from messaging.vocabulary.messages import CohortEntered, EntryMet


def entry_met(turn: Turn, message: EntryMet) -> None:
    """Let a visitor onto a path, by the rules of the version that said so."""
    view = turn.view
    version = message.version if message.version in view.pinned else view.rules_version
    path = view.pinned[version].paths.get(message.path)
    if path is None:
        turn.story("run.refused", None, path=message.path, rule="no_such_path")
    elif path.reentry == "keyed" and not message.key:
        turn.story("run.refused", None, path=message.path, rule="no_key")
    elif _is_kept_off(turn, path):
        turn.story("run.refused", None, path=message.path, rule=turn.state.not_agreed)
    else:
        _let_in(turn, path, message.at, version, message.key, by_people=message.by_people)


def cohort_entered(turn: Turn, message: CohortEntered) -> None:
    """Let a visitor onto the paths that are for who is in a cohort."""
    state, paths = turn.state, turn.view.rules.paths
    for path in paths.values():
        if path.entry.cohort != message.cohort:
            continue
        if not _is_kept_off(turn, path):
            _let_in(turn, path, message.at, by_people=message.by_people)
        elif not had(state, path):
            state.kept_off = {name: by for name, by in state.kept_off.items() if name in paths}
            state.kept_off[path.name] = message.by_people
            turn.story("run.kept_off", None, path=path.name, rule=state.not_agreed)


def agreed(turn: Turn, at: datetime) -> None:
    """Let a visitor who may be written to onto the paths that they were kept off, but belong to."""
    state, paths = turn.state, turn.view.rules.paths
    kept, state.kept_off = state.kept_off, {}
    for name, by_people in kept.items():
        if name in paths and paths[name].entry.cohort in state.cohorts:
            _let_in(turn, paths[name], at, by_people=by_people)


def _is_kept_off(turn: Turn, path: PathRule) -> bool:
    """Say whether a path can do nothing for this visitor; a flow can do without e-mails."""
    return not path.steps and bool(turn.state.not_agreed) and news_until(turn) is None


def _let_in(
    turn: Turn,
    path: PathRule,
    at: datetime,
    version: int | None = None,
    key: str = "",
    *,
    by_people: bool,
) -> None:
    version = turn.view.rules_version if version is None else version
    enter(turn, path, at, version, key, by_people=LET_IN if by_people else "")
