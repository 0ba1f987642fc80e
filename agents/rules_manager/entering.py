"""Let visitors onto a path otherwise than by a cohort: by an event, or by a call of the API."""

from __future__ import annotations

from agents.rules_manager.loop import enter
from agents.rules_manager.planning import news_until
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import LET_IN
from messaging.vocabulary.messages import EntryMet


def entry_met(turn: Turn, message: EntryMet) -> None:
    """Let a visitor onto a path, by the rules of the version that said so.

    Who may not be written to is refused where the path is one of stages; a flow can do without e-mails.
    """
    view = turn.view
    version = message.version if message.version in view.pinned else view.rules_version
    path = view.pinned[version].paths.get(message.path)
    if path is None:
        turn.story("run.refused", None, path=message.path, rule="no_such_path")
    elif path.reentry == "keyed" and not message.key:
        turn.story("run.refused", None, path=message.path, rule="no_key")
    elif not path.steps and turn.state.not_agreed and news_until(turn) is None:
        turn.story("run.refused", None, path=message.path, rule=turn.state.not_agreed)
    else:
        enter(
            turn,
            path,
            message.at,
            version,
            message.key,
            by_people=LET_IN if message.by_people else "",
        )
