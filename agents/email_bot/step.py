"""Take one message for one visitor: may this e-mail go out, and what became of it?

Rules
1. A refusal is an event, not a silence: the ledger, the story and Rules learn what was withheld and why.
2. Everything is asked twice: when a send is requested, and again when a session is free for it. What came in
   between (a purchase, an unsubscribe, a bounce) wins, in whatever order the messages arrive.
3. Once `handing over` is committed nothing calls the e-mail back: its outcome is waited for.
4. The goal cancels, closes and queues the success e-mail in one step: no later trigger can overtake it.
5. A send id is taken once. Whoever asks again is not answered again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.email_bot import answers, forgetting, merge
from agents.email_bot.state import (
    DEFERRED,
    HANDING_OVER,
    NO_CONSENT,
    TRAIT_CHARACTERS_MAX,
    TRAITS_MAX,
    WAITING,
    EmailState,
    OpenSend,
    close_path,
    may_email,
    past_send,
    remember_order,
    same_mailbox,
)
from agents.email_bot.turn import Turn
from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.rules.compiled import CONFIRM_TEMPLATE
from messaging.vocabulary.effects import BOUNCED, UNLESS_BOUNCED, Effect, LogStory, Tell
from messaging.vocabulary.ids import send_id
from messaging.vocabulary.messages import (
    AlertAnswered,
    ConfirmationWanted,
    GoalReached,
    HandOverDue,
    Identified,
    MailOutcome,
    MergedInto,
    MergeStarted,
    Message,
    Responded,
    SendRequested,
    StateMerged,
    Woke,
)
from messaging.vocabulary.no_mailbox import about_recipient
from messaging.vocabulary.plans import SendPlan

RESENDS_MAX = 2
"""A server that never says whether it took a mail gets it three times at most (`on_uncertain: resend`)."""

CONFIRM_STEP = "confirm"


def step(
    state: EmailState,
    message: Message,
    now: datetime,
    view: View,
    draw: DrawFor,  # noqa: ARG001 - nothing here is left to chance
) -> list[Effect]:
    """Take one message; the state is changed in place."""
    turn = Turn(state, message.visitor, at=message.at, now=now, view=view)
    if state.erasing:
        forgetting.goes_on(turn, message)
        return turn.effects
    match message:
        case SendRequested(plan=plan):
            _requested(turn, plan)
        case HandOverDue(send_id=send):
            _session_free(turn, send)
        case MailOutcome():
            _outcome(turn, message)
        case GoalReached():
            _goal_reached(turn, message)
        case ConfirmationWanted():
            _ask_to_confirm(turn, message)
        case Identified():
            _identified(turn, message)
        case Responded():
            answers.responded(turn, message)
        case AlertAnswered():
            answers.alert_answered(turn, message)
        case Woke(key=key):
            _woke(turn, key)
        case MergedInto(into=into):
            merge.merged_into(turn, into)
        case MergeStarted(younger=younger):
            merge.merge_started(turn, younger)
        case StateMerged():
            merge.state_merged(turn, message)
        case _:
            raise AssertionError(f"email gets no {type(message).__name__}")
    return turn.effects


def _requested(turn: Turn, plan: SendPlan) -> None:
    if _is_new(turn.state, plan):
        turn.admit(OpenSend(plan, WAITING))


def _is_new(state: EmailState, plan: SendPlan) -> bool:
    """Say whether a send's id was not taken yet."""
    return plan.send_id not in state.open and past_send(state, plan.send_id) is None


def _session_free(turn: Turn, send: str) -> None:
    found = turn.state.open.get(send)
    if found is None or found.status != WAITING:
        return
    until = found.plan.until
    if until is not None and turn.now >= until:
        # Rules plans it anew for an hour that is allowed; the attempt does not count.
        turn.settle(found, "given up", "quiet_hours")
        return
    reason = turn.refusal(found)
    mailbox = turn.mailbox(turn.address_of(found))
    if not reason:
        guard = f"{UNLESS_BOUNCED}{mailbox}" if found.plan.success else mailbox
        reason = "suppressed" if guard in turn.view.suppressed else ""
    if not reason and found.plan.mailbox not in ("", mailbox):
        # Of the present one's caps nobody has asked: Rules decides anew; the attempt does not count.
        turn.settle(found, "given up", "another address")
    elif reason == NO_CONSENT and turn.state.may_email:
        # By the setting of before: what Behavior says by the one in force, to Rules too, is on its way.
        turn.hold(found, reason)
    elif reason:
        turn.refuse(found, reason)
    else:
        turn.hand_over(found)


def _outcome(turn: Turn, message: MailOutcome) -> None:
    send = turn.state.open.get(message.send_id)
    if send is None or send.status != HANDING_OVER:
        detail = {"send_id": message.send_id, "outcome": message.outcome}
        turn.effects.append(LogStory("outcome.unexpected", detail))
        return
    match message.outcome:
        case "handed over":
            _arrived(turn, send, message.at, "")
        case "uncertain":
            _uncertain(turn, send, message)
        case "bounced":
            _bounced(turn, send, message)
        case "deferred":
            reason = turn.refusal(send)
            if reason:
                turn.cancel(send, reason)
            else:
                _deferred(turn, send, message.reason)
        case "refused":
            turn.refuse(send, message.reason)
        case _:
            raise AssertionError(f"no outcome is called {message.outcome!r}")


def _arrived(turn: Turn, send: OpenSend, handed_over_at: datetime, reason: str) -> None:
    turn.settle(send, "handed over", reason, handed_over_at)
    turn.sent(send.plan, handed_over_at)
    answers.settle_reported(turn, send)


def _uncertain(turn: Turn, send: OpenSend, message: MailOutcome) -> None:
    """Take it as sent: it may not go out twice. Unless the marketer says that twice is better than never."""
    plan = send.plan
    if send.answered:
        _arrived(turn, send, message.at, "answered before the server did")
        return
    again = plan.on_uncertain == "resend" and plan.marketing and send.resends < RESENDS_MAX
    if again and not turn.refusal(send):
        send.resends += 1
        send.tries = 0
        send.first_try_at = None
        turn.state.resent_total += 1
        turn.queue(send, f"again after an uncertain outcome: {message.reason}")
        turn.story("send.resent", plan, message.reason)
        return
    turn.settle(send, "uncertain", message.reason, message.at)
    turn.sent(plan, message.at)
    answers.call_person(turn, plan, message.reason)


def _deferred(turn: Turn, send: OpenSend, reason: str) -> None:
    given_up = turn.defer(send, reason)
    if given_up:
        answers.call_person(turn, send.plan, f"did not arrive: {given_up}")


def _bounced(turn: Turn, send: OpenSend, message: MailOutcome) -> None:
    about = f"{message.code} {message.reason}"
    is_bad = about_recipient(message.code, message.reason)
    is_present = same_mailbox(send.address, turn.state.address)
    # To Rules "bounced" means that the address does not work. Where it may, or the visitor has another one by now,
    # it tries again, and calls a person in the end.
    is_over = is_bad and (is_present or not turn.state.address)
    turn.settle(send, "bounced", about, told="bounced" if is_over else "given up")
    if not is_bad:
        turn.story("send.bounced", send.plan, about)
        answers.call_person(turn, send.plan, f"did not arrive: {about}")
        return
    turn.suppress(turn.mailbox(send.address), BOUNCED)
    # What the server said was about the address it was told, which may not be the present one any more.
    if is_present:
        turn.state.address_bad = True
        turn.cancel_marketing("address bad")
    bounced = Responded(
        visitor=turn.visitor,
        at=turn.at,
        send_id=send.plan.send_id,
        kind="bounced",
        human=1.0,
        address=send.address,
    )
    turn.effects.append(Tell("behavior", bounced))


def _woke(turn: Turn, key: str) -> None:
    kind, _, rest = key.partition(":")
    send = turn.state.open.get(rest)
    if send is None:
        return
    reason = turn.refusal(send)
    match kind, send.status:
        case ("retry", "deferred") | ("hold", "planned") if not reason:
            turn.queue(send)
        case "retry", "deferred":
            turn.cancel(send, reason)
        case "hold", "planned":
            turn.refuse(send, reason)
        case _:
            pass  # a wake-up that something else made needless


def _identified(turn: Turn, message: Identified) -> None:
    state = turn.state
    if not same_mailbox(message.address, state.address):
        state.address_bad = False
    state.address = message.address
    state.may_email = message.may_email
    state.may_email_by = message.may_email_by
    state.owns_mailbox = message.owns_mailbox
    state.traits = {
        name: value[:TRAIT_CHARACTERS_MAX]
        for name, value in list(message.traits.items())[:TRAITS_MAX]
    }
    if not may_email(state, turn.view.consent):
        turn.cancel_withdrawn()
    if message.zone != state.zone:
        state.zone = message.zone
        _miss_hours(turn)
    turn.release()


def _miss_hours(turn: Turn) -> None:
    """Give back what waits for hours that were those of another zone: Rules plans it anew by the present one's."""
    for found in list(turn.state.open.values()):
        if found.status in (WAITING, DEFERRED) and found.plan.until is not None:
            turn.settle(found, "given up", "quiet_hours")


def _goal_reached(turn: Turn, message: GoalReached) -> None:
    for path in message.paths:
        close_path(turn.state, path, message.at)
    turn.cancel_refused()
    goal = message.goal or message.order_id
    decided = {path for path, order in turn.state.orders if order == goal}
    if message.unthanked:
        for path in message.paths:
            if path not in decided:
                remember_order(turn.state, path, goal)
                _not_thanked(turn, path, message, message.unthanked)
    elif not decided:
        _success(turn, _thanking(turn, message), message)


def _not_thanked(turn: Turn, path: str, message: GoalReached, reason: str) -> None:
    detail: dict[str, Any] = {"path": path, "run": message.order_id, "reason": reason}
    if message.is_unnamed:
        detail["is_unnamed"] = True
    turn.effects.append(LogStory("success.refused", detail))


def _rules_of(turn: Turn, message: GoalReached) -> Any:
    """Return the rules whose goal was reached: an older version's for who stands on that; None: there are none."""
    view = turn.view
    return view.pinned.get(message.version) if message.version else view.rules


def _thanking(turn: Turn, message: GoalReached) -> str:
    """Return which of the paths that share a goal thanks for it: nobody is thanked twice for one order."""
    rules, paths = _rules_of(turn, message), message.paths
    rule_of = {path: rules.paths[path] for path in paths if path in rules.paths} if rules else {}
    able = [path for path in rule_of if rule_of[path].success.template] or list(rule_of)
    return min(able, key=lambda path: (-rule_of[path].priority, path)) if able else paths[0]


def _success(turn: Turn, path: str, message: GoalReached) -> None:
    """Queue the success e-mail of a path for an order, once."""
    rules = _rules_of(turn, message)
    rule = rules.paths.get(path) if rules is not None else None
    if rule is None:
        _not_thanked(turn, path, message, "path unknown")
        return
    if not rule.success.template:
        return
    remember_order(turn.state, path, message.goal or message.order_id)
    plan = SendPlan(
        send_id=send_id(turn.visitor, path, message.order_id, "success", 0),
        path=path,
        run=message.order_id,
        stage="success",
        step="success",
        attempt=0,
        template=rule.success.template,
        rules_version=message.version or turn.view.rules_version,
        entered_at=message.at,
        sender=rule.sender,
        success=True,
        variables=_success_variables(turn.state, message),
    )
    if _is_new(turn.state, plan):  # two goals of one path may share an order's id
        turn.admit(OpenSend(plan, WAITING, message.address))


def _ask_to_confirm(turn: Turn, message: ConfirmationWanted) -> None:
    """Queue the e-mail by whose link the owner of an address says that it may be written to."""
    rules, run = turn.view.rules, str(message.number)
    paths = [] if rules is None else sorted(rules.paths.values(), key=lambda path: -path.priority)
    if not paths or CONFIRM_TEMPLATE not in rules.templates:
        reason = f"the rules have no template {CONFIRM_TEMPLATE}, or no path"
        turn.effects.append(LogStory("confirmation.refused", {"reason": reason}))
        return
    plan = SendPlan(
        send_id=send_id(turn.visitor, "", run, CONFIRM_STEP, 0),
        path="",
        run=run,
        stage=CONFIRM_STEP,
        step=CONFIRM_STEP,
        attempt=0,
        template=CONFIRM_TEMPLATE,
        rules_version=turn.view.rules_version,
        entered_at=message.at,
        sender=paths[0].sender,
        confirms=True,
        variables=dict(turn.state.traits),
    )
    if _is_new(turn.state, plan):
        turn.admit(OpenSend(plan, WAITING, message.address))


def _success_variables(state: EmailState, message: GoalReached) -> dict[str, Any]:
    return state.traits | {
        "order_id": "" if message.is_unnamed else message.order_id,
        "order_value": message.value,
        "order_currency": message.currency,
    }
