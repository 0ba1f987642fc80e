"""Take what becomes of runs under way when another version of the rules is published.

Rules
1. Only the version that is published at this moment counts: what an older publication meant for a run is void.
2. A run goes over to another version where that has its path and its stage; else it stays on its own.
3. A run that waits for a person goes over as well, also where the others end: *resume* goes on by the new version,
   and what a person resumed is not ended by the publication of before.
4. Attempts, touches and the wait under way are kept, and so is the time of what was planned: the new version's quiet
   hours and caps are asked when it comes. An e-mail that was asked for already goes out all the same.
5. A flow's step that does something else by the new version is taken anew.
6. What was chosen for a group holds for who stands there when the move comes to them. Who went on meanwhile is looked
   at again, where they stand then.
7. Who stays since that was chosen for their group, or since they cannot go over, is told so once. Of whom nothing was
   decided, nothing is told.
"""

from __future__ import annotations

from typing import Literal

from agents.rules.compiled import CompiledRules, PathRule
from agents.rules_manager import flow
from agents.rules_manager.planning import stop
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.messages import RunsMoved

Choice = Literal["stay", "migrate", "exit"]

STAY: Choice = "stay"
MIGRATE: Choice = "migrate"
EXIT: Choice = "exit"
RUNS: tuple[Choice, ...] = (STAY, MIGRATE, EXIT)
"""What may become of the runs under way on other versions."""


def group_of(path: str, version: int, stage: str) -> str:
    """Return what a group is called: the runs that stand at one stage (of a flow: step) by one version.

    >>> group_of("welcome", 3, "cart")
    'welcome/3/cart'
    """
    return f"{path}/{version}/{stage}"


def has_place(rules: CompiledRules, path: str, stage: str, *, in_steps: bool) -> bool:
    """Say whether a version has the place at which a run stands; a loop's run has none in a flow, nor the reverse."""
    return not no_place(rules, path, stage, in_steps=in_steps)


def no_place(rules: CompiledRules, path: str, stage: str, *, in_steps: bool) -> str:
    """Return why runs cannot go over to a version, empty where they can. `in_steps`: their path is a flow."""
    rule = rules.paths.get(path)
    if rule is None:
        return "no such path"
    if bool(rule.steps) != in_steps:
        return "stages there, no steps" if in_steps else "steps there, no stages"
    if stage not in rule.places:
        return "no such step" if in_steps else "no such stage"
    return ""


def becomes(choice: str, *, under_way: bool, has_place: bool) -> Choice:
    """Return what a choice means for one run; `under_way`: it goes on, else it waits for a person.

    >>> [becomes(each, under_way=False, has_place=True) for each in RUNS]
    ['stay', 'migrate', 'migrate']
    >>> [becomes(each, under_way=True, has_place=False) for each in RUNS]
    ['stay', 'stay', 'exit']
    """
    if choice == EXIT and under_way:
        return EXIT
    return MIGRATE if choice in (MIGRATE, EXIT) and has_place else STAY


def runs_moved(turn: Turn, message: RunsMoved) -> None:
    """Move this visitor's runs to the published version, or end them."""
    rules = turn.view.rules
    if turn.view.rules_version != message.version:
        return  # not seen here yet (it is told again), or replaced by a newer publication
    for run in turn.state.runs.values():
        if run.version == message.version or run.broadcast is not None:
            continue
        if not (run.active or run.alert_id):
            continue
        group = group_of(run.path, run.version, run.stage)
        choice = message.choices.get(group, message.action)
        why_not = no_place(rules, run.path, run.stage, in_steps=bool(run.came))
        then = becomes(choice, under_way=run.active, has_place=not why_not)
        if then == EXIT:
            reason = "another version was published"
            stop(turn, run, reason, version=message.version, by=message.by)
        elif then == MIGRATE:
            _migrate(turn, run, rules.paths[run.path], message)
        elif group in message.choices or choice != STAY:
            _stay(turn, run, message, why_not if choice != STAY else "")


def _migrate(turn: Turn, run: Run, path: PathRule, message: RunsMoved) -> None:
    before, old = run.version, turn.path(run)
    run.version = message.version
    turn.story("run.migrated", run, before=before, version=run.version, by=message.by)
    if path.steps and run.active and run.status != "sending":
        flow.moved(turn, run, path, old)


def _stay(turn: Turn, run: Run, message: RunsMoved, why_not: str) -> None:
    """Tell that a run stays on its own version; `why_not`: what the other one lacks, where it was to go over."""
    if run.stays_by == message.version:
        return
    run.stays_by = message.version
    reason = {"reason": why_not} if why_not else {}
    turn.story(
        "run.stayed", run, stays=run.version, version=message.version, by=message.by, **reason
    )
