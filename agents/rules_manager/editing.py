"""Take what becomes of runs under way when another version of the rules is published.

Rules
1. Only the version that is published at this moment counts: what an older publication meant for a run is void.
2. A run goes over to another version where that has its path and its stage; else it stays on its own.
3. A run that waits for a person goes over as well, also where the others end: *resume* goes on by the new version,
   and what a person resumed is not ended by the publication of before.
4. Attempts, touches and the wait under way are kept, and so is the time of what was planned: the new version's quiet
   hours and caps are asked when it comes. An e-mail that was asked for already goes out all the same.
5. A flow's step that does something else by the new version is taken anew.
"""

from __future__ import annotations

from agents.rules_manager import flow
from agents.rules_manager.planning import stop
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.messages import RunsMoved

STAY, MIGRATE, EXIT = "stay", "migrate", "exit"
RUNS = (STAY, MIGRATE, EXIT)
"""What may become of the runs under way on other versions."""


def runs_moved(turn: Turn, message: RunsMoved) -> None:
    """Move this visitor's runs to the published version, or end them."""
    if turn.view.rules_version != message.version:
        return  # not seen here yet (it is told again), or replaced by a newer publication
    for run in turn.state.runs.values():
        if run.version == message.version or run.broadcast is not None:
            continue
        if message.action == EXIT and run.active:
            stop(turn, run, "another version was published")
        elif (message.action == MIGRATE and run.active) or run.alert_id:
            _migrate(turn, run, message)


def _migrate(turn: Turn, run: Run, message: RunsMoved) -> None:
    path = turn.view.rules.paths.get(run.path)
    if path is None or run.stage not in path.places or bool(path.steps) != bool(run.came):
        return  # a loop's run has no place in a flow, nor the reverse
    before, old = run.version, turn.path(run)
    run.version = message.version
    turn.story("run.migrated", run, before=before, version=run.version, by=message.by)
    if path.steps and run.active and run.status != "sending":
        flow.moved(turn, run, path, old)
