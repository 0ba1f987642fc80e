"""Plan the next e-mail of a run and trigger it: rules say what is allowed, a policy picks among that.

Rules
1. Consent is asked before any limit, so that raising a limit can never reach someone who left.
2. A touch is reserved against the caps before Email hears of it; one that is not used is given back.
3. What is refused stays in the decision as a refused candidate: the learner must see what was withheld.
4. Held-out visitors, and everybody while learning is off or was taken back (`learning.serving.fallback`), get the
   step's default template and hour.
5. At a cap the most valuable of what is due together goes (expected reward × worth, then priority, then age); the
   others are refused, with what went before them, and wait.
6. Until it is sent, an e-mail whose hour was learned is planned again when more is known of the visitor's own hours:
   within its window, by a new decision; the one before is void.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agents.rules.compiled import EmailStep, PathRule, StageRule
from agents.rules_manager import splitting
from agents.rules_manager.broadcast_rule import CALLED_OFF, CANCELLED, REFUSED, cohorts_of
from agents.rules_manager.calendar import (
    HOUR,
    caps_hold,
    hour_of,
    next_allowed,
    quiet_from,
    slot_of,
    starts_within,
    zone_of,
)
from agents.rules_manager.calling import alert
from agents.rules_manager.context import INPUTS, context_of, inputs_of, named_reasons
from agents.rules_manager.own_hours import learned_hour
from agents.rules_manager.state import (
    BOUNCED,
    NOT_COUNTED,
    TOUCHES_MAX,
    TRIES_MAX,
    Choice,
    Run,
    Touch,
    Try,
)
from agents.rules_manager.touching import touches_of
from agents.rules_manager.turn import Turn
from agents.rules_manager.waiting import named, tell_planned, tell_waiting, why_waiting
from learning.serving import fixed, next_best, send_time
from learning.serving.fallback import choose_by_rules, is_taken_back
from learning.serving.for_lead import choose_for_lead
from learning.serving.policy import Choice as Chosen
from learning.serving.split_test import ALARM, RUNNING
from messaging.vocabulary.ids import decision_id, send_id
from messaging.vocabulary.messages import SendRequested
from messaging.vocabulary.plans import SendPlan
from messaging.vocabulary.records import Decision, SplitTest

NEWS_AFTER = timedelta(minutes=15)
"""Bots hear of a merge, or of another address, by ways of their own: until each has heard, they may contradict each
other on whether a visitor has agreed, and on where to write to them."""

LOOK_AGAIN = timedelta(minutes=30)
"""After so long a run of a paused path is looked at again."""


def plan(
    turn: Turn, run: Run, path: PathRule, earliest: datetime, *, until: datetime | None = None
) -> None:
    """Plan the run's next e-mail from `earliest` on: pick the hour and ask to be woken then.

    `until`: where a plan is revised, when its window ends; None: the window begins now.
    """
    stage = path.stage(run.stage)
    assert stage is not None, f"{path.name}: a run stands on a stage its version has"
    if turn.is_paused(run):
        hold(turn, run)
        return
    zone = zone_of(turn.state.zone, path.zone)
    if run.not_before is not None:
        earliest = max(earliest, run.not_before)
    earliest = max(earliest, turn.now)
    free, cap = caps_hold(touches_of(turn.state), path.caps, "email", earliest, now=turn.now)
    first = next_allowed(path, zone, free)
    run.status = "planned"
    run.plans += 1
    run.window_ends = None
    if stage.email.timing == "now":
        run.planned_at = first
        run.hour_choice = Choice(by_people=True)  # a fixed time: the marketer's
    else:
        # A window without any allowed hour opens at the first allowed one.
        opens = earliest if first < earliest + _window(stage.email) else first
        run.window_ends = (
            until if until is not None and until > opens else opens + _window(stage.email)
        )
        run.planned_at = _pick_hour(turn, run, path, stage, opens, free, zone)
    turn.wake(f"send:{run.slot}", run.planned_at)
    why = why_waiting(turn.now, earliest, free, first, run.planned_at)
    tell_planned(turn, run, stage.email.name, why, cap)


def hold(turn: Turn, run: Run) -> None:
    """Plan nothing while the path is paused; look again later, since nobody tells each visitor that it goes on."""
    if run.planned_at is not None or run.status != "planned":
        turn.story("run.held", run)
    run.status = "planned"
    run.planned_at = None
    run.hour_choice.open = False
    turn.wake(f"send:{run.slot}", turn.now + LOOK_AGAIN)


def _go_on_after_pause(turn: Turn) -> None:
    """Plan what was held, where its path is paused no more; look again later where it is."""
    for run in turn.state.runs.values():
        path = turn.path(run)
        if run.status == "planned" and run.planned_at is None and path is not None:
            plan(turn, run, path, turn.now)


def _window(step: EmailStep) -> timedelta:
    return timedelta(hours=step.window_hours)


def _pick_hour(
    turn: Turn,
    run: Run,
    path: PathRule,
    stage: StageRule,
    opens: datetime,
    free: datetime,
    zone: ZoneInfo,
) -> datetime:
    """Pick the hour within the step's window; every hour of it is a candidate, allowed or refused."""
    step = stage.email
    starts: dict[int, datetime] = {}
    refused: dict[int, str] = {}
    used = {t.hour for t in run.tries} if "hour" in step.different else set()
    assert run.window_ends is not None, f"{path.name}: an hour is picked in a window"
    for start in starts_within(opens, (run.window_ends - opens) / HOUR, zone):
        slot = slot_of(start, zone)
        starts.setdefault(slot, start)
        if path.is_quiet(slot % 24):
            refused[slot] = "quiet_hours"
        elif start < free:
            refused[slot] = "cap"
    allowed = [slot for slot in starts if slot not in refused]
    fresh = [slot for slot in allowed if slot % 24 not in used]
    if fresh:
        refused.update({s: "different_hour" for s in allowed if s not in fresh})
        allowed = fresh
    if not allowed:
        return next_allowed(path, zone, free)
    decision = _decision(turn, run, stage, "send_hour")
    default = str(_default_slot(step, run, allowed, starts))
    not_now = {str(s): why for s, why in refused.items()}
    if by_rules(turn, run):
        chosen = fixed.choose_default(default, refused=not_now)
    elif is_taken_back(turn.view.snapshots.get(send_time.POLICY)):
        chosen = choose_by_rules(default, map(str, allowed), not_now)
    else:
        chosen = learned_hour(turn, zone, allowed, refused, turn.draw(decision))
    run.hour_choice = _log(turn, run, stage, "send_hour", send_time.POLICY, decision, chosen)
    run.hour_choice.weighs = chosen.weighs
    return starts[int(chosen.arm)]


def _default_slot(
    step: EmailStep, run: Run, allowed: list[int], starts: dict[int, datetime]
) -> int:
    """Return the allowed slot at the rules' hour, else the first allowed one after it."""
    hour = step.default_hour(run.in_stage)
    return min(allowed, key=lambda slot: ((slot % 24 - hour) % 24, starts[slot]))


def by_rules(turn: Turn, run: Run) -> bool:
    """Say whether the rules' defaults are taken, for who is held out and while learning is off."""
    return run.holdout or not turn.view.learning


def _decision(turn: Turn, run: Run, stage: StageRule, kind: str) -> str:
    step = stage.email.name if run.plans <= 1 else f"{stage.email.name}#{run.plans}"
    return decision_id(turn.state.visitor, run.path, run.run, step, run.attempts + 1, kind)


def _log(
    turn: Turn,
    run: Run,
    stage: StageRule,
    kind: str,
    learns: str,
    decision: str,
    chosen: Chosen,
    test: SplitTest | None = None,
) -> Choice:
    """Log a choice; of a template it is remembered what it may be learned to be chosen by."""
    context = _context(turn, run)
    return turn.decided(
        learns,
        Decision(
            id=decision,
            at=turn.now,
            visitor=turn.state.visitor,
            path=run.path,
            run=run.run,
            stage=run.stage,
            step=stage.email.name,
            attempt=run.attempts + 1,
            kind=kind,
            candidates=chosen.candidates,
            probabilities=chosen.probabilities,
            arm=chosen.arm,
            policy=chosen.policy,
            policy_version=chosen.policy_version,
            rules_version=run.version,
            context=context,
            because=named_reasons(chosen.because, turn.state.cohorts),
            holdout=run.holdout,
            leaning=chosen.leaning,
        ),
        test,
        inputs_of(context) if kind == "template" and learns else b"",
    )


def _context(turn: Turn, run: Run) -> list[float]:
    path = turn.path(run)
    zone = zone_of(turn.state.zone, path.zone if path is not None else "")
    return context_of(turn.state, run, turn.now, zone)


def trigger_due(turn: Turn) -> None:
    """Trigger everything of this visitor that is due, the most valuable first; what the caps stop waits."""
    if turn.state.awaiting:
        return  # `merge.state_merged` plans again when the younger's touches are known
    _go_on_after_pause(turn)
    due = [
        (run, path)
        for run in turn.state.runs.values()
        if run.status == "planned"
        and run.planned_at is not None
        and run.planned_at <= turn.now
        and (path := turn.path(run)) is not None
    ]
    values = _values(turn, due)
    due.sort(
        key=lambda pair: (
            -values[pair[0].slot],
            -pair[1].priority,
            pair[0].entered_at,
            pair[0].slot,
        )
    )
    ahead: dict[str, Any] = {}
    for run, path in due:
        worth = values[run.slot]
        _trigger(turn, run, path, {**ahead, "value": worth} if ahead else {})
        if run.status == "sending" and not ahead:
            sent = run.tries[-1].template if run.tries else ""
            ahead = {"ahead": run.path, "ahead_template": sent, "ahead_value": worth}


def _values(turn: Turn, due: list[tuple[Run, PathRule]]) -> dict[str, float]:
    """Return slot -> what a run's next e-mail is worth: the reward expected of its stage times the path's worth.

    While nothing is known of one of them, and for who is held out, worth alone decides: a guess is no reason to let
    the other wait.
    """
    worth = {run.slot: path.worth for run, path in due}
    if len(due) < 2:
        return worth
    names = {run.slot: next_best.policy_name(run.path, run.stage) for run, _ in due}
    found = {slot: turn.view.snapshots.get(name) for slot, name in names.items()}
    known = {slot: each for slot, each in found.items() if each is not None}
    is_back = any(is_taken_back(each) for each in known.values())
    if len(known) < len(due) or is_back or any(by_rules(turn, run) for run, _ in due):
        return worth
    return {slot: worth[slot] * next_best.expected_reward(each) for slot, each in known.items()}


def _trigger(turn: Turn, run: Run, path: PathRule, ahead: dict[str, Any]) -> None:
    """Send a run's e-mail, or refuse it for now; `ahead`: what has just gone before it, empty if nothing has."""
    if turn.is_paused(run):
        hold(turn, run)
        return
    state = turn.state
    zone = zone_of(state.zone, path.zone)
    if reason := turn.state.not_agreed or _left_meanwhile(turn, run):
        if (news := news_until(turn)) is not None:
            _refuse(turn, run, reason, waits=True)
            run.planned_at = news
            turn.wake(f"send:{run.slot}", news)
            tell_waiting(turn, run, reason)
        else:
            _refuse(turn, run, reason)
            leave(turn, run, reason)
        return
    late = path.is_quiet(hour_of(turn.now, zone))
    _, cap = caps_hold(touches_of(state), path.caps, "email", turn.now, now=turn.now)
    if late or cap is not None:
        if late:
            _refuse(turn, run, "quiet_hours")
        elif ahead:
            _refuse(turn, run, "outvalued", **ahead)
        else:
            _refuse(turn, run, "cap", **named(cap))
        plan(turn, run, path, turn.now)
        return
    stage = path.stage(run.stage)
    assert stage is not None, f"{path.name}: a run stands on a stage its version has"
    _request(turn, run, path, stage, zone)


def _left_meanwhile(turn: Turn, run: Run) -> str:
    """Return `cohort` where a broadcast waited until its visitor belonged no more to those whom it is for; else empty.

    What the published rules have no more, or cannot decide yet, is not asked.
    """
    broadcast, state = run.broadcast, turn.state
    rules = turn.view.pinned.get(broadcast.version) if broadcast is not None else None
    if broadcast is None or rules is None:
        return ""
    asked = cohorts_of(rules, broadcast) & turn.view.rules.cohorts.keys()
    gone = [each for each in asked if each not in state.cohorts]
    return "" if all(state.is_undecided(each, turn.now) for each in gone) else "cohort"


def news_until(turn: Turn) -> datetime | None:
    """Return until when Behavior's word on the two visitors who became one may be on its way; None: it has come."""
    merged_at = turn.state.merged_at
    until = merged_at + NEWS_AFTER if merged_at is not None else None
    return until if until is not None and until > turn.now else None


def _refuse(turn: Turn, run: Run, reason: str, **more: Any) -> None:
    turn.state.refused += 1
    turn.story("touch.refused", run, rule=reason, **more)


def _request(turn: Turn, run: Run, path: PathRule, stage: StageRule, zone: ZoneInfo) -> None:
    """Choose the template, reserve the touch and ask Email for the send."""
    state, step = turn.state, stage.email
    template_choice = _pick_template(turn, run, stage)
    run.attempts += 1
    run.in_stage += 1
    again = f"~{run.given_back}" if run.given_back else ""
    send = send_id(state.visitor, run.path, run.run, step.name + again, run.attempts)
    run.tries.append(
        Try(
            send_id=send,
            attempt=run.attempts,
            stage=run.stage,
            step=step.name,
            template=template_choice.arm,
            at=turn.now,
            status="reserved",
            hour=hour_of(turn.now, zone),
            hour_choice=run.hour_choice,
            template_choice=template_choice,
        )
    )
    del run.tries[:-TRIES_MAX]
    run.hour_choice = Choice()
    run.planned_at = None
    run.status = "sending"
    state.touches.append(Touch(turn.now, "email", send, open=True))
    del state.touches[:-TOUCHES_MAX]
    turn.tell(
        "email",
        SendRequested(
            visitor=state.visitor,
            at=turn.now,
            plan=SendPlan(
                send_id=send,
                path=run.path,
                run=run.run,
                stage=run.stage,
                step=step.name,
                attempt=run.attempts,
                template=template_choice.arm,
                rules_version=run.version,
                entered_at=run.goal_since,
                sender=path.sender,
                on_uncertain=step.on_uncertain,
                decision_id=template_choice.decision_id,
                variables=dict(state.traits),
                until=quiet_from(path, zone, turn.now),
                mailbox=state.mailbox,
            ),
        ),
    )


def _pick_template(turn: Turn, run: Run, stage: StageRule) -> Choice:
    """Pick the template among those the rules allow, as learned or as the rules have it."""
    step = stage.email
    allowed, refused = _templates(turn, run, step)
    decision = _decision(turn, run, stage, "template")
    name = "" if run.broadcast is not None else next_best.policy_name(run.path, run.stage)
    test = splitting.test_of(turn, run, step, allowed)
    verdict = splitting.verdict(turn, test)
    if by_rules(turn, run) or verdict == ALARM or not name:
        arm = step.default_among(run.in_stage, allowed)
        chosen = fixed.choose_default(arm, refused=refused)
    elif (variant := splitting.choose(turn, test, allowed, refused)) is not None:
        chosen = variant
    elif is_taken_back(snapshot := turn.view.snapshots.get(name)):
        arm = step.default_among(run.in_stage, allowed)
        chosen = choose_by_rules(arm, allowed, refused)
    else:
        chosen = choose_for_lead(
            snapshot,
            allowed,
            inputs_of(_context(turn, run)),
            turn.draw(decision),
            refused=refused,
            policy=name,
            names=INPUTS,
        )
    counted = test if verdict == RUNNING else None
    choice = _log(turn, run, stage, "template", name, decision, chosen, counted)
    if test is not None and splitting.decides(test, verdict):
        choice.era = (
            NOT_COUNTED  # nobody's template was learned here: nor may held-out visitors count
        )
    return choice


def _templates(turn: Turn, run: Run, step: EmailStep) -> tuple[list[str], dict[str, str]]:
    """Return the templates that are allowed, and the refused ones with the rule that refused each.

    One may be for another cohort; it may have been sent in this run, or another with its subject, where the step
    wants a different one each time.
    """
    rules = turn.view.pinned[run.version]
    sent = {t.template for t in run.tries}
    refused: dict[str, str] = {}
    for template, cohort in step.templates:
        wanted = {c for c in (cohort, rules.templates[template].cohort) if c}
        if not wanted <= set(turn.state.cohorts):
            refused[template] = "cohort"
    fitting = [template for template, _ in step.templates if template not in refused]
    fresh = [template for template in fitting if template not in sent]
    if "subject" in step.different:
        said = {rules.templates[each].subject for each in sent if each in rules.templates}
        fresh = [each for each in fresh if rules.templates[each].subject not in said] or fresh
    allowed = fresh or fitting
    for template in fitting:
        if template not in allowed:
            refused[template] = "sent_before" if template in sent else "different_subject"
    if not allowed:
        # Every template is for another cohort: the rules' default goes to everybody.
        allowed = [step.default_template(run.in_stage)]
        refused.pop(allowed[0], None)
    return allowed, refused


def give_back(turn: Turn, run: Run, attempt: Try) -> None:
    """Take a reservation back: the touch does not count, nor does the attempt; its decisions are void."""
    attempt.hour_choice.open = False
    attempt.template_choice.open = False
    run.tries.remove(attempt)
    run.attempts -= 1
    run.in_stage = max(0, run.in_stage - (attempt.stage == run.stage))
    run.given_back += 1
    turn.state.touches = [t for t in turn.state.touches if t.send_id != attempt.send_id]


def leave(turn: Turn, run: Run, reason: str) -> None:
    """End the run of one who is not written to any more; where their address does not work a person is called."""
    stop(turn, run, reason)
    if reason == BOUNCED:
        alert(turn, run, reason)


def stop(turn: Turn, run: Run, reason: str, status: str = "stopped", **detail: Any) -> None:
    """End a run: nothing more is planned, open decisions get no reward. `detail`: more for its story."""
    run.status = status
    run.planned_at = None
    run.hour_choice = Choice()
    turn.cancel(f"send:{run.slot}")
    turn.cancel(f"visit:{run.slot}")
    if run.until is not None:
        run.until = None
        turn.cancel(f"flow:{run.slot}")
    if run.broadcast is not None and all(attempt.status == "reserved" for attempt in run.tries):
        called_off = reason == CALLED_OFF
        status_shown = CANCELLED if called_off else REFUSED
        turn.show_recipient(run.broadcast.id, status_shown, "" if called_off else reason)
    turn.story(f"run.{status}", run, reason=reason, **detail)
