"""Take a run through the steps of a flow: wait, ask, split, send, act, until something has to be waited for.

The table of a run at a step:

| step           | status               | goes on                                                              |
|----------------|----------------------|----------------------------------------------------------------------|
| wait           | waiting              | wake `flow`                                                          |
| any that asks since when the run began | waiting | noted: asked as ever           |
| if, of a past that is on its way | waiting | it came, or wake `flow`: asked as ever |
| wait_until     | waiting              | its cohort entered, the e-mail answered · wake `flow`: the `else`    |
| webhook        | waiting              | answered · failed, or wake `flow`: the `else`                        |
| email          | planned, sending     | handed over, or perhaps: at once                                     |
| email, no attempt left | waiting      | the last e-mail's window ends: alerted · clicked: planned            |
| all others     | (none: taken at once)| to what follows                                                      |
| the end        | ended, alerted       | alerted where a step called a person who has not answered yet        |

Rules
1. E-mails are planned, reserved, drawn and counted by `planning` and `alerts`, as a loop's are: nothing else sends.
2. What a condition is asked is a cohort (`agents.rules.flow`): Behavior answers it, before whatever else it changed.
3. Between two waits only a bounded number of steps is taken: a circle holds an e-mail or a `goto` with its times
   (`agents.rules.flow_checks`).
4. What a question looks at of the past may be on its way to Behavior, after another version was published: then it
   waits, but not for good (`HISTORY_MAX`): whoever went the wrong way stays there.
5. While the visitor may still be on the site after a click, the next e-mail is put off as after a visit.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.protocol.draw import share
from agents.rules.compiled import PathRule
from agents.rules.flow import StepRule
from agents.rules_manager import engaging
from agents.rules_manager.alerts import go_on, limit_of
from agents.rules_manager.calendar import zone_of
from agents.rules_manager.calling import alert
from agents.rules_manager.planning import LOOK_AGAIN
from agents.rules_manager.state import Choice, Run, Try
from agents.rules_manager.turn import Turn
from messaging.vocabulary.effects import CallWebhook
from messaging.vocabulary.ids import derive
from messaging.vocabulary.messages import (
    HistoryAwaited,
    RunBegan,
    RunNoted,
    TraitsSet,
    WebhookSettled,
)

ACTS = frozenset({"offer", "traits", "alert", "webhook"})
"""Kinds of steps that reach out: while the path is paused nobody takes them. Waits and questions go on."""

ASKED, NOTED = "asked", "yes"
"""Of `Run.noted`."""

HISTORY_MAX = timedelta(days=1)
"""So long a question waits for what it looks at of the past: a filling is done in minutes, of millions in hours."""

BEGAN = -1
"""Stands in `Run.came` where the run began."""


def begin(turn: Turn, run: Run, path: PathRule) -> None:
    """Begin a run's flow at the step where it stands."""
    run.reached, run.came, run.again = {run.stage: turn.now}, [BEGAN], []
    turn.story("step.reached", run, does=path.steps[run.stage].kind)
    _take(turn, run, path)


def take_up(turn: Turn, run: Run, path: PathRule) -> None:
    """Go on from the step where a run stands, after a merge, another version, or a send that did not go out.

    A wait under way keeps its end, and a plan its time, where the budget of attempts still allows it: two halves of a
    visitor may have used it up together.
    """
    step = path.steps[run.stage]
    if run.noted == ASKED:
        run.noted = ""  # who was asked may be another visitor by now: once more
    if step.kind not in ("wait", "wait_until", "webhook"):
        _wait_no_more(turn, run)
    if run.status == "planned" and run.planned_at is not None:
        is_allowed = run.attempts < limit_of(run, path)
        if step.kind == "email" and is_allowed and run.planned_at > turn.now:
            turn.wake(f"send:{run.slot}", run.planned_at)
            return
        _plan_no_more(turn, run)
    _take(turn, run, path)


def moved(turn: Turn, run: Run, path: PathRule, before: PathRule | None) -> None:
    """Go on by another version's path; a step that does something else by it is not waited at any more."""
    was = before.steps[run.stage].kind if before is not None else ""
    if path.steps[run.stage].kind != was:
        _wait_no_more(turn, run)
    take_up(turn, run, path)


def waited(turn: Turn, run: Run) -> None:
    """Go on after a wait; of `wait_until` the time is over."""
    path = turn.path(run)
    if path is None or not run.active:
        return
    step = path.steps[run.stage]
    if run.until is None and (step.kind in ACTS or step.kind == "if" or run.noted == ASKED):
        run.noted = "" if run.noted == ASKED else run.noted  # nobody answered: once more
        _take(turn, run, path)  # else the path was paused, or a past did not come in time
        return
    if run.until is None or run.until > turn.now:
        return
    run.until = None
    if step.kind in ("wait_until", "webhook"):
        turn.story("step.timed_out", run)
        _go(turn, run, path, step.other)
    else:
        _go(turn, run, path, step.following)


def webhook_settled(turn: Turn, message: WebhookSettled) -> None:
    """Go on where a webhook was waited for: with its answer, or by the step's `else` without one."""
    for run in turn.state.runs_on(message.path):
        path = turn.path(run)
        is_there = run.active and run.until is not None and run.stage == message.step
        if path is None or not is_there or not _is_awaited(turn, run, message):
            continue
        step = path.steps[run.stage]
        if step.kind != "webhook":
            continue  # another version waits for something else here
        _wait_no_more(turn, run)
        is_answered = message.outcome == "answered"
        kind = "step.answered" if is_answered else "step.unanswered"
        turn.story(kind, run, reason=message.reason)
        _go(turn, run, path, step.following if is_answered else step.other)
        return


def noted(turn: Turn, message: RunNoted) -> None:
    """Go on with a question that waited until Behavior knew when the run began."""
    for run in turn.state.runs_on(message.path):
        path = turn.path(run)
        if run.noted != ASKED or not _is_of(run, message.run):
            continue
        run.noted = NOTED
        if path is not None and run.active and path.steps[run.stage].since and run.until is None:
            turn.cancel(f"flow:{run.slot}")
            _take(turn, run, path)


def awaited(turn: Turn, message: HistoryAwaited) -> None:
    """Note which questions cannot be answered yet; go on with those that waited and can be now."""
    state, until = turn.state, turn.now + HISTORY_MAX
    before = state.undecided
    state.undecided = {name: before.get(name, until) for name in message.cohorts}
    for run in list(state.runs.values()):
        path = turn.path(run)
        if path is None or run.status != "waiting" or run.until is not None or not path.steps:
            continue
        step = path.steps[run.stage]
        is_told = step.cohort in before and step.cohort not in state.undecided
        if step.kind == "if" and is_told and run.noted != ASKED:
            turn.cancel(f"flow:{run.slot}")
            _take(turn, run, path)


def cohort_entered(turn: Turn, run: Run, path: PathRule, cohort: str) -> None:
    """Go on where this was waited for."""
    if run.active and run.until is not None and path.steps[run.stage].cohort == cohort:
        _came_true(turn, run, path)


def answered(turn: Turn, run: Run, path: PathRule, attempt: Try) -> None:
    """Take the first human open or click of an e-mail."""
    if attempt.clicked:
        after = turn.now + timedelta(hours=path.after_visit_hours)
        run.not_before = max(after, run.not_before or after)
    step = path.steps[run.stage]
    if step.kind == "email":
        if attempt.clicked and run.status in ("planned", "waiting"):
            _plan_no_more(turn, run)
            go_on(turn, run, path)
    elif run.until is not None and step.answered and _holds(turn, run, step):
        _came_true(turn, run, path)


def sent(turn: Turn, run: Run, path: PathRule, attempt: Try) -> None:
    """Go on after a send; a merge may have brought the run further meanwhile."""
    if attempt.stage == run.stage:
        _go(turn, run, path, path.steps[run.stage].following)
    else:
        run.status = "waiting"
        _take(turn, run, path)


def window_ended(turn: Turn, run: Run, path: PathRule) -> None:
    """Call a person where the run stands at an e-mail that no attempt is left for."""
    if run.status == "waiting" and path.steps[run.stage].kind == "email":
        go_on(turn, run, path)


def resumes_at(run: Run, path: PathRule) -> str:
    """Return where the new run begins after an alert: at the e-mail where this one stood, else at the start."""
    return run.stage if path.stage(run.stage) is not None else path.places[0]


def merged(mine: Run, other: Run, further: str) -> str:
    """Give a run the place of its other half where that had come further; what went round counts together.

    Return where it stands then.
    """
    if further != mine.stage and other.came:
        mine.reached, mine.came, mine.until = other.reached, other.came, other.until
        mine.again = other.again
        mine.planned_at = None
        mine.hour_choice = Choice()
        mine.stage = further
    for name, count in other.gone.items():
        mine.gone[name] = mine.gone.get(name, 0) + count
    return mine.stage


# ------------------------------------------------------------------------------ taking steps


def _take(turn: Turn, run: Run, path: PathRule) -> None:
    """Take the step where the run stands, and those after it, until one waits."""
    following = _following(turn, run, path, path.steps[run.stage])
    while following is not None:
        if not following:
            _end(turn, run)
            return
        _move(turn, run, path, following)
        following = _following(turn, run, path, path.steps[following])


def _go(turn: Turn, run: Run, path: PathRule, name: str) -> None:
    """Go to a step, and on."""
    if not name:
        _end(turn, run)
        return
    _move(turn, run, path, name)
    _take(turn, run, path)


def _move(turn: Turn, run: Run, path: PathRule, name: str) -> None:
    if name not in run.reached:
        run.came.append(list(run.reached).index(run.stage))
        run.reached[name] = turn.now
    elif run.stage in run.reached:
        _note_return(run, name)
    run.stage = name
    run.in_stage = sum(attempt.stage == name for attempt in run.tries)
    turn.story("step.reached", run, does=path.steps[name].kind)


def _note_return(run: Run, name: str) -> None:
    """Note a way that the run goes for the first time, to a step where it has been; nothing is decided by it."""
    steps = list(run.reached)
    way = steps.index(run.stage), steps.index(name)
    if way not in run.again and run.came[way[1]] != way[0]:
        run.again.append(way)


def _following(turn: Turn, run: Run, path: PathRule, step: StepRule) -> str | None:
    """Do what a step does; return the name of what follows, None where it is waited for."""
    if step.kind in ACTS and run.until is None and turn.is_paused(run):
        run.status = "waiting"
        turn.story("run.held", run)
        turn.wake(f"flow:{run.slot}", turn.now + LOOK_AGAIN)
        return None
    if step.since and run.noted != NOTED:
        _note(turn, run)
        return None
    match step.kind:
        case "wait":
            _wait(turn, run, path, step)
            return None
        case "wait_until":
            if _holds(turn, run, step):
                _wait_no_more(turn, run)
                return step.following
            _wait(turn, run, path, step)
            return None
        case "if":
            if step.cohort and turn.state.is_undecided(step.cohort, turn.now):
                _await_history(turn, run, turn.state.undecided[step.cohort])
                return None
            return step.following if _holds(turn, run, step) else step.other
        case "split":
            return _way(turn, run, step)
        case "email":
            run.status = "waiting"
            go_on(turn, run, path)
            return None
        case "webhook":
            _call(turn, run, path, step)
            return None
        case "goto":
            return _back(run, step)
        case _:
            _act(turn, run, step)
            return step.following


def _note(turn: Turn, run: Run) -> None:
    """Tell Behavior when the run began, and wait until what follows from it has come."""
    run.status = "waiting"
    if not run.noted:
        run.noted = ASKED
        state = turn.state
        told = RunBegan(state.visitor, turn.now, run.path, run.run, run.entered_at)
        turn.tell("behavior", told)
        turn.wake(f"flow:{run.slot}", turn.now + LOOK_AGAIN)


def _await_history(turn: Turn, run: Run, until: datetime) -> None:
    """Wait until what a step looks at of the past is there, at most so long."""
    run.status = "waiting"
    turn.story("step.awaits_history", run, until=until)
    turn.wake(f"flow:{run.slot}", until)


def _act(turn: Turn, run: Run, step: StepRule) -> None:
    state = turn.state
    if step.kind == "offer":
        engaging.offer(turn, step.interaction, step.hours)
    elif step.kind == "traits":
        told = TraitsSet(state.visitor, turn.now, dict(step.traits), run.path, step.name)
        turn.tell("behavior", told)
    elif step.kind == "alert":
        alert(turn, run, f"step {step.name}", step.title)


def _call(turn: Turn, run: Run, path: PathRule, step: StepRule) -> None:
    """Call a webhook, once each time that the run comes to the step, and wait for what becomes of it."""
    if run.until is None:
        number = run.gone[step.name] = run.gone.get(step.name, 0) + 1
        state = turn.state
        turn.effects.append(
            CallWebhook(
                _call_id(state.visitor, run.path, run.run, step.name, number),
                step.url,
                run.path,
                run.run,
                step.name,
                turn.now,
                {
                    "visitor_id": state.visitor,
                    "path": run.path,
                    "run": run.run,
                    "step": step.name,
                    "traits": dict(state.traits),
                },
            )
        )
    _wait(turn, run, path, step)


def _call_id(visitor: str, path: str, run: str, step: str, number: int) -> str:
    return derive("webhook", visitor, path, run, step, str(number))


def _is_awaited(turn: Turn, run: Run, message: WebhookSettled) -> bool:
    """Say whether this is the call that a run waits for: its own, or that of somebody whom the visitor took in."""
    if not _is_of(run, message.run):
        return False
    last = run.gone.get(message.step, 0)
    return any(
        _call_id(visitor, message.path, message.run, message.step, number) == message.call_id
        for visitor in (turn.state.visitor, *turn.state.absorbed)
        for number in (range(1, last + 1) if turn.state.absorbed else (last,))
    )


def _is_of(run: Run, number: str) -> bool:
    """Say whether a run is this one: a merge may have numbered it anew (`merge._merge_run`)."""
    return run.run == number or run.run.startswith(f"{number}.")


def _holds(turn: Turn, run: Run, step: StepRule) -> bool:
    """Say whether what a step asks is so."""
    if not step.answered:
        return step.cohort in turn.state.cohorts
    last = run.last_try()
    return last is not None and (last.clicked if step.answered == "clicked" else last.opened)


def _way(turn: Turn, run: Run, step: StepRule) -> str:
    place = share(step.salt, turn.state.visitor)
    way = next(each for each in step.ways if place < each.until)
    turn.story("step.split", run, way=way.name)
    return way.step


def _back(run: Run, step: StepRule) -> str:
    if not step.times:
        return step.following
    gone = run.gone.get(step.name, 0)
    if gone >= step.times:
        return step.other
    run.gone[step.name] = gone + 1
    return step.following


# ----------------------------------------------------------------------------------- waiting


def _wait(turn: Turn, run: Run, path: PathRule, step: StepRule) -> None:
    run.status = "waiting"
    if run.until is None:
        run.until = _over_at(turn, path, step)
        turn.story("step.waits", run, until=run.until)
    turn.wake(f"flow:{run.slot}", max(run.until, turn.now))


def _over_at(turn: Turn, path: PathRule, step: StepRule) -> datetime:
    """Return when a wait that begins now is over."""
    if step.hour is None:
        return turn.now + timedelta(hours=step.hours)
    zone = zone_of(turn.state.zone, path.zone)
    local = turn.now.astimezone(zone)
    at = local.replace(hour=step.hour, minute=0, second=0, microsecond=0)
    while at.astimezone(UTC) <= turn.now or step.weekday not in (None, at.weekday()):
        at += timedelta(
            days=1
        )  # by the clock on the wall: an hour that a night skips begins after it
    return at.astimezone(UTC)


def _came_true(turn: Turn, run: Run, path: PathRule) -> None:
    _wait_no_more(turn, run)
    turn.story("step.came_true", run)
    _go(turn, run, path, path.steps[run.stage].following)


def _wait_no_more(turn: Turn, run: Run) -> None:
    if run.until is not None:
        run.until = None
        turn.cancel(f"flow:{run.slot}")


def _plan_no_more(turn: Turn, run: Run) -> None:
    if run.planned_at is not None:
        run.planned_at = None
        run.hour_choice.open = False
        turn.cancel(f"send:{run.slot}")


def _end(turn: Turn, run: Run) -> None:
    """End the flow; where a step called a person, the run waits for what that one decides."""
    _wait_no_more(turn, run)
    run.status = "alerted" if run.alert_id else "ended"
    turn.story("run.ended", run)
