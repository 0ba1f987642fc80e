"""Move a run through the stages of its path.

Rules
1. A run only moves forward, and only while it goes on.
2. How far a customer had come does not depend on which message overtook which: what was done until the goal
   counts, also when it is told later; what was done after it does not, also when it was told before.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules.compiled import PathRule, StageRule
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn


def starts_at(run: Run, path: PathRule) -> None:
    """Note the stage at which a run begins, where it is not the path's first."""
    if run.stage != path.places[0]:
        run.reached[run.stage] = run.entered_at


def advance(turn: Turn, run: Run, path: PathRule, stage: StageRule, at: datetime) -> bool:
    """Take a cause of a later stage, told by a message of `at`; return whether the run moved."""
    if not run.active and (run.won_at is None or at > run.won_at):
        return False
    run.reached[stage.name] = min(at, run.reached.get(stage.name, at))
    names = [s.name for s in path.stages]
    if names.index(stage.name) <= names.index(run.stage):
        return False
    run.stage = stage.name
    run.in_stage = 0
    turn.story("stage.reached", run, opportunity=stage.opportunity)
    return True


def advance_by_cohorts(turn: Turn, run: Run, path: PathRule) -> None:
    """Move a new run to the stage of the cohorts that the visitor is in already."""
    for stage in path.stages:
        if stage.on == "cohort" and stage.on_cohort in turn.state.cohorts:
            advance(turn, run, path, stage, run.entered_at)


def won(run: Run, path: PathRule | None, at: datetime) -> None:
    """Note when the goal was reached, and how far the run had come by then."""
    run.won_at = at
    if path is None or not run.reached:
        return
    if path.steps:  # by the order in which they were reached: branches have no other
        until = [step for step, when in run.reached.items() if when <= at]
        run.stage = until[-1] if until else path.places[0]
        return
    until = [s.name for s in path.stages if s.name in run.reached and run.reached[s.name] <= at]
    run.stage = until[-1] if until else path.stages[0].name
