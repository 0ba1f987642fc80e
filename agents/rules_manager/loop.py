"""Move runs along their path: enter, answer, wait, go on, win, or hand over to a person.

The table of a run (the routine's e-mail rows; what becomes of an e-mail is taken in `sending.py`):

| status   | message                           | next                                                        |
|----------|-----------------------------------|-------------------------------------------------------------|
| (none)   | cohort entered, entry event, API  | planned · visiting (a stage holds already)                  |
| planned  | wake `send`                       | sending (reserved) · planned (refused by cap or quiet)      |
| sending  | handed over, uncertain            | waiting · visiting (a visit began meanwhile)                |
| sending  | bounced, or had bounced before    | stopped, alert                                              |
| sending  | refused, cancelled, given up      | planned · visiting · stopped                                |
| any      | human open                        | as it was, stage `opened`; at most so many more             |
| any      | human click                       | visiting, stage `clicked`; the rest of the budget is open   |
| any      | cohort of a later stage entered   | visiting when that stage holds, else as it was              |
| waiting  | wake `window` of the last e-mail  | planned · alerted                                           |
| visiting | wake `window` of the last e-mail  | alerted, if the budget is used                              |
| visiting | session ended                     | visiting, wake `visit` after the path's hours               |
| visiting | wake `visit`                      | planned · waiting (budget used, window open) · alerted      |
| any      | goal reached                      | won                                                         |
| alerted  | resume, change                    | a new run                                                   |

Rules
1. A run that has ended stays ended: late answers are told in the story and plan nothing.
2. The goal ends every run that was entered until then, in whatever order the messages come.
3. The alert comes once a run.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.rules.compiled import PathRule
from agents.rules_manager import flow, windows
from agents.rules_manager.alerts import go_on
from agents.rules_manager.calling import settle_alert
from agents.rules_manager.planning import plan, stop
from agents.rules_manager.stages import advance, advance_by_cohorts, starts_at, won
from agents.rules_manager.state import OPEN_MAX, RUNS_MAX, TRIES_MAX, RulesState, Run
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import RESUMED, WHOM, count
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    GoalReached,
    SessionEnded,
)

VISIT_FALLBACK = timedelta(hours=12)
"""Added to the wait after a click when no end of the visit is told (a site without the snippet)."""


def enter(
    turn: Turn, path: PathRule, at: datetime, version: int, key: str = "", *, by_people: str = ""
) -> None:
    """Open a run on a path, unless one is open, one was had, or the goal was reached since.

    `key`: with `reentry: keyed`, what tells the run apart: an order, a cart. `by_people`: how a person opened it.
    """
    state = turn.state
    if had(state, path, key):
        return
    if path.name in turn.view.archived:
        turn.story("run.refused", None, path=path.name, rule="archived")
        return
    goal = state.goals.get(path.name)
    if goal is not None and goal >= at:
        turn.story("run.refused", None, path=path.name, rule="goal_reached")
        return
    if not _has_room(state, path):
        turn.story("run.refused", None, path=path.name, rule="open_runs")
        return
    if path.reentry == "every_time":
        key = str(state.entries.get(path.name, 0) + 1)
    elif path.reentry != "keyed":
        key = ""
    run = open_run(turn, path, at, version, path.places[0], key, by_people=by_people)
    if path.steps:
        flow.begin(turn, run, path)
        return
    held = path.stage(run.stage)
    if held is not None and held.hold:
        visit(turn, run, path)  # the cart came before the address: they are on the way all the same
    else:
        plan(turn, run, path, turn.now)


def had(state: RulesState, path: PathRule, key: str = "") -> bool:
    """Say whether a run stands against another one: the path's, that under way, or the key's."""
    match path.reentry:
        case "never":
            return path.name in state.entries
        case "after_end":
            return any(run.active for run in state.runs_on(path.name))
        case "keyed":
            return any(run.key == key for run in state.runs_on(path.name))
        case _:
            return False


def _has_room(state: RulesState, path: PathRule) -> bool:
    """Say whether another run may be open: beside so many of the path, or of all paths, none is.

    Broadcasts have their own bound (`broadcasting.OPEN_MAX`): they keep nobody off a path.
    """
    open_now = [run for run in state.runs.values() if run.active and run.broadcast is None]
    of_path = sum(run.path == path.name for run in open_now)
    return of_path < OPEN_MAX and len(open_now) < RUNS_MAX


def open_run(
    turn: Turn,
    path: PathRule,
    at: datetime,
    version: int,
    stage: str,
    key: str = "",
    *,
    by_people: str = "",
) -> Run:
    """Open a new run with a new budget, at the stage that the visitor has reached."""
    state = turn.state
    number = state.entries.get(path.name, 0) + 1
    state.entries[path.name] = number
    # With the number: a key may come again, by a person's *resume* or when its run was let go.
    name = f"{key}~{number}" if path.reentry == "keyed" and key else str(number)
    _settle_before(turn, f"{path.name}#{key}" if key else path.name)
    run = Run(path.name, version, name, at, stage, "planned", turn.held_out(), key=key)
    run.by_people = by_people
    count(state, WHOM, by_people=bool(by_people))
    state.put_run(run, goes_on=by_people == RESUMED)
    turn.story("run.entered", run, version=version)
    starts_at(run, path)
    advance_by_cohorts(turn, run, path)
    return run


def _settle_before(turn: Turn, slot: str) -> None:
    """Let nobody be called on for a lead who is under way again."""
    before = turn.state.runs.get(slot)
    if before is not None and before.alert_id:
        settle_alert(turn, before, "closed", "entry", turn.now)


def cohort_entered(turn: Turn, cohort: str, at: datetime) -> None:
    """Move the runs whose path has a stage for this cohort; where the stage holds, leave them alone."""
    for run in turn.state.runs.values():
        path = turn.path(run)
        if path is None:
            continue
        if path.steps:
            flow.cohort_entered(turn, run, path, cohort)
            continue
        for stage in path.stages:
            if stage.on == "cohort" and stage.on_cohort == cohort:
                moved = advance(turn, run, path, stage, at)
                if run.active and (moved or (stage.hold and run.stage == stage.name)):
                    visit(turn, run, path)


def visit(turn: Turn, run: Run, path: PathRule) -> None:
    """Leave the visitor alone while on the site; go on some hours after the visit's end."""
    run.visit_over_at = turn.now + timedelta(hours=path.after_visit_hours) + VISIT_FALLBACK
    if run.status == "sending":
        return  # what becomes of the send comes first: see `send_settled`
    if run.status == "planned":
        turn.cancel(f"send:{run.slot}")
        run.planned_at = None
        run.hour_choice.open = False
    leave_alone(turn, run)


def leave_alone(turn: Turn, run: Run) -> None:
    """Do nothing until the visit under way is over."""
    assert run.visit_over_at is not None, f"{run.path}: nobody is left alone without a visit"
    run.status = "visiting"
    turn.wake(f"visit:{run.slot}", max(run.visit_over_at, turn.now))


def session_ended(turn: Turn, message: SessionEnded) -> None:
    """Go on some hours after the visit; a send that was planned for earlier is planned anew."""
    for run in turn.state.runs.values():
        path = turn.path(run)
        if path is None or not run.active:
            continue
        if not run.attempts and run.status != "visiting":
            continue  # the visit in which the lead became known does not put the first e-mail off
        after = message.ended_at + timedelta(hours=path.after_visit_hours)
        run.not_before = max(after, run.not_before or after)
        if run.visit_over_at is not None:
            run.visit_over_at = after
        if run.status == "visiting":
            leave_alone(turn, run)
        elif run.status == "planned" and run.planned_at is not None and run.planned_at < after:
            run.hour_choice.open = False
            plan(turn, run, path, after)


def visit_over(turn: Turn, run: Run) -> None:
    """Go on after a visit without the goal."""
    path = turn.path(run)
    if path is not None and run.status == "visiting":
        run.visit_over_at = None
        go_on(turn, run, path)


def goal_reached(turn: Turn, message: GoalReached) -> None:
    """End every run of these paths that was entered until the goal; nothing more is sent on them."""
    state = turn.state
    if message.version:
        _older_goal_reached(turn, message)
        return
    for name in message.paths:
        before = state.goals.get(name)
        state.goals[name] = message.at if before is None else max(before, message.at)
        for run in state.runs_on(name):
            if run.status != "won" and run.goal_since <= message.at:
                _credit(turn, run, message)
                win(turn, run, message.at)
    for run in state.replaced:
        if run.path in message.paths and run.entered_at <= message.at:
            _credit(turn, run, message)
            run.won_at = run.won_at or message.at


def _older_goal_reached(turn: Turn, message: GoalReached) -> None:
    """End the runs that stand on an older version whose goal it is; the others are told, for nobody else knows."""
    ended = [
        run
        for name in message.paths
        for run in turn.state.runs_on(name)
        if run.version == message.version and run.status != "won" and run.goal_since <= message.at
    ]
    for run in ended:
        _credit(turn, run, message)
        win(turn, run, message.at)
    if ended:
        told = msgspec.structs.replace(message, paths=sorted({run.path for run in ended}))
        turn.effects += [Tell(bot, told) for bot in ("email", "engagement")]


def _credit(turn: Turn, run: Run, message: GoalReached) -> None:
    for attempt in run.emails:
        if attempt.send_id == message.credited:
            if not windows.is_over(turn, attempt):
                turn.reward(attempt.template_choice, "response", 1.0, 1.0)
            turn.purchase(attempt.template_choice, message.value)


def win(turn: Turn, run: Run, at: datetime) -> None:
    """End a run by its goal: its decisions are closed, and so is an alert that waits for a person."""
    for attempt in run.emails:
        turn.close(attempt)
    won(run, turn.path(run), at)
    stop(turn, run, "goal reached", "won")
    if run.alert_id:
        settle_alert(turn, run, "closed", "goal", at)


def alert_answered(turn: Turn, message: AlertAnswered) -> None:
    """Do what a person decided: go on with a new budget, at another stage, or leave it."""
    runs = turn.state.runs_on(message.path)
    run = next((each for each in runs if each.alert_id == message.alert_id), None)
    path = turn.path(run) if run is not None else None
    if run is None or path is None:
        newest = runs[-1] if runs else None
        turn.story("alert.stale", newest, action=message.action, by=message.by)
        return
    status = {"resume": "resumed", "change": "changed", "close": "closed"}[message.action]
    settle_alert(turn, run, status, message.by, message.at, message.stage)
    turn.story("alert.settled", run, action=message.action, by=message.by)
    if run.active and message.action == "resume":
        return  # a step of a flow called: the run goes on by itself
    if run.active:
        stop(turn, run, "a person decided", "closed")
    run.status = "closed"
    if message.action == "close":
        return
    here = flow.resumes_at(run, path) if path.steps else run.stage
    version, place = run.version, message.stage or here
    newest = turn.view.rules.paths.get(run.path)
    if place not in path.places and newest is not None and place in newest.places:
        path, version = newest, turn.view.rules_version  # a person chose what only the newest has
    elif place not in path.places:
        place = here
    earlier, run.tries, run.earlier = [*run.earlier, *run.tries], [], []
    again = open_run(turn, path, message.at, version, place, run.key, by_people=RESUMED)
    again.since, again.earlier = run.goal_since, earlier[-TRIES_MAX:]
    if path.steps:
        flow.begin(turn, again, path)
    else:
        plan(turn, again, path, turn.now)
