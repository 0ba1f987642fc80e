"""Take one message for one visitor: count, learn, judge, evaluate, tell.

Rules
1. What an event says of the visitor is told before what follows from it: Rules must know the address and
   the zone before the cohort that starts a run is entered.
2. What is told carries `now`, the moment at which Behavior took the cause, however late the event was:
   so facts of one visitor are ordered alike in every bot.
3. The wake-up for the end of a session is set once and asked again when it fires: a page view must not
   cost a write of it.
4. Sessions of visitors whose address is not known end untold; their end is watched only where a cohort may
   be left or entered by it. The newest is told once the address is known: Rules may be waiting for it.
5. Once a week a lead's moment is kept (`moments`).
6. Once for each of a lead's weeks it is told in which hours they were there (`hours`).
7. Before anything else a state is made to keep what newly published rules look at (`filling`).
8. What lets a run begin or go on (the API, a person, a broadcast, a publication) is told after the cohorts of the
   version that is published: or a flow is asked before anything was answered by it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from agents.behavior_bot import confirming, looked, sessions
from agents.behavior_bot.engaged import take_engaged
from agents.behavior_bot.entries import tell_asked, tell_broadcast, tell_entries
from agents.behavior_bot.evaluate import COHORTS_WAKE, Moment, add_points, evaluate, moment
from agents.behavior_bot.filling import absorb_lacking, fill, settle
from agents.behavior_bot.hours import is_news, tell_hours
from agents.behavior_bot.intake import count, kind_of, name_of, purchase, remember
from agents.behavior_bot.knowing import (
    DOUBLE_OPT_IN,
    learn,
    learn_answers,
    learn_profile,
    learn_refusals,
    learn_set,
    tell_site_consent,
    tell_who,
)
from agents.behavior_bot.listed import hide, learn_lists, show_changed, show_lists, tell_listed
from agents.behavior_bot.merge import absorb, pack, unpack
from agents.behavior_bot.moments import MOMENT_WAKE, arm_moment, keep_moment
from agents.behavior_bot.orders import note_refund
from agents.behavior_bot.refunds import refund
from agents.behavior_bot.responses import (
    ANSWERS_WAKE,
    Judged,
    judge,
    note_hand_over,
    take_answer,
)
from agents.behavior_bot.squeezing import squeeze, squeeze_now
from agents.behavior_bot.state import (
    RECENT_MAX,
    UNREACHABLE_MAX,
    BehaviorState,
    Refund,
    keep,
    note_entered,
)
from agents.behavior_bot.told_twice import Tellings, take_back, told_before, uncount
from agents.protocol.bot import View
from agents.rules.compiled import REFUND_EVENTS, TIME
from agents.rules.did import run_kind
from agents.rules.flow import RESERVED, named
from agents.rules.parts import SESSION, depth_kinds
from messaging.vocabulary.effects import (
    UNCERTAIN_SUCCESS,
    Effect,
    Forget,
    LogStory,
    Moved,
    Tell,
    WakeAt,
)
from messaging.vocabulary.events import (
    AddressConfirmed,
    AlertSettled,
    BroadcastOrdered,
    Call,
    Engaged,
    EntryAsked,
    LetterReplayed,
    MailClicked,
    MailOpened,
    MailReported,
    Record,
    RulesFilled,
    RulesPublished,
    Track,
    Unsubscribed,
    VisitorErased,
    WebhookAnswered,
)
from messaging.vocabulary.ids import normal_address
from messaging.vocabulary.letters import decode_letters
from messaging.vocabulary.messages import (
    AlertAnswered,
    Arrived,
    Erased,
    MailSent,
    MergedInto,
    MergeStarted,
    Message,
    ProfileSeen,
    Purchased,
    Replayed,
    Responded,
    RunBegan,
    RunNoted,
    RunsMoved,
    SessionEnded,
    StateMerged,
    TraitsSet,
    WebhookSettled,
    Woke,
)

SESSION_WAKE = "session"

PEERS = ("rules", "email", "sales", "engagement")
"""Bots that keep a state of each visitor as well."""


def step(state: BehaviorState, message: Message, now: datetime, view: View) -> list[Effect]:
    """Take one message; return what Behavior wants done."""
    here = moment(message.visitor, now, view)
    if not state.counts_pages:
        looked.begin(state, here.rules)
    if state.kept < view.publication:
        settle(state, message.visitor, view)
    match message:
        case Arrived(record=record, member=member, merging=merging):
            # Before all that the event causes: or Rules sends without knowing of the younger's touches, and Email
            # thanks for an order that the younger was thanked for.
            effects = _arrived(state, record, here, member=member)
            if squeeze(state, here.rules.counted):
                effects += evaluate(state, here, ("merge",), [])
            if merging:
                told = [MergeStarted(here.visitor, now, younger) for younger in merging]
                effects = [*(Tell(bot, m) for m in told for bot in ("rules", "email")), *effects]
            return effects
        case Woke(key=key):
            return _woke(state, key, here)
        case MailSent():
            return _judged(state, note_hand_over(state, message, here), here)
        case Responded():
            return _bounced(state, message, here)
        case ProfileSeen():
            return _seen(state, message, here)
        case TraitsSet():
            return _set(state, message, here)
        case RunBegan(path=path, run=run, began_at=began_at):
            note_entered(state, path, began_at.timestamp())
            follows = evaluate(state, here, (run_kind(path),), [])
            return [*follows, Tell("rules", RunNoted(here.visitor, now, path, run))]
        case MergedInto(into=into):
            return _merged_into(state, into, here)
        case StateMerged(younger=younger, state=body):
            return _state_merged(state, younger, unpack(body), here)
        case _:
            return []  # what is told to other bots only


def _arrived(state: BehaviorState, record: Record, here: Moment, *, member: bool) -> list[Effect]:
    event = record.event
    if isinstance(event, Call):  # nearly all of them
        return _call(state, event, record, here, member=member)
    match event:
        case MailOpened() | MailClicked():
            name = "mail_opened" if isinstance(event, MailOpened) else "mail_clicked"
            if not count(state, name, record, here.rules):
                return []
            return _judged(state, take_answer(state, event, record, here), here)
        case Unsubscribed(send_id=send_id):
            count(state, "unsubscribed", record, here.rules)
            return _unsubscribed(state, send_id, record, here)
        case Engaged():
            return _engaged(state, event, record, here)
        case AddressConfirmed():
            count(state, "address_confirmed", record, here.rules)
            return _confirmed(state, event, here)
        case AlertSettled() | EntryAsked() | BroadcastOrdered() | RulesPublished() | MailReported():
            count(state, str(event.__struct_config__.tag), record, here.rules)
            return [*_by_now(state, here), *_passed_on(event, here)]
        case WebhookAnswered():
            count(state, "webhook_answered", record, here.rules)
            return _told_by_webhook(state, event, record, here)
        case RulesFilled():
            count(state, "rules_filled", record, here.rules)
            return _filled(state, event, here)
        case LetterReplayed():
            count(state, "letter_replayed", record, here.rules)
            return told_again(event, here.visitor, here.now, here.view)
        case VisitorErased():
            return [*tell_erased(here.visitor, here.now, here.view), Forget()]
        case _:
            assert_never(event)


def _by_now(state: BehaviorState, here: Moment) -> list[Effect]:
    """Return what follows from a version that was published since: what is told next is asked by it.

    Of who was never seen nothing is asked.
    """
    return evaluate(state, here, (), []) if state.rules_version >= 0 else []


def _passed_on(
    event: AlertSettled | EntryAsked | BroadcastOrdered | RulesPublished | MailReported,
    here: Moment,
) -> list[Effect]:
    """Tell who is concerned what people ordered, or others reported, of this visitor."""
    match event:
        case AlertSettled():
            return [answered(event, here.visitor, here.now)]
        case EntryAsked():
            return tell_asked(event, here)
        case BroadcastOrdered():
            return tell_broadcast(event, here)
        case RulesPublished(version=version, action=action, by=by, choices=choices):
            return [Tell("rules", RunsMoved(here.visitor, here.now, version, action, by, choices))]
        case MailReported(send_id=send_id, kind=kind, mailbox=mailbox):
            told = Responded(here.visitor, here.now, send_id, kind, 1.0, mailbox=mailbox)
            return [Tell("email", told)]


def told_again(event: LetterReplayed, visitor: str, now: datetime, view: View) -> list[Effect]:
    """Pass on what a bot could not take: to who the visitor is now, or to the policy that it was addressed to."""
    if event.bot not in ("behavior", "learner", *peers(view)):
        return []  # it does not run any more: nobody would read its letters
    [letter] = decode_letters(event.body)
    to = letter.message.visitor if event.bot == "learner" else visitor
    return [Tell(event.bot, Replayed(to, now, event.row, event.body))]


def tell_erased(visitor: str, now: datetime, view: View) -> list[Effect]:
    """Tell every other bot to forget a visitor."""
    return [Tell(bot, Erased(visitor, now)) for bot in peers(view)]


def peers(view: View) -> tuple[str, ...]:
    """Return the bots that are told of merges and erasures."""
    return (*PEERS, "social") if view.social else PEERS


def _call(
    state: BehaviorState, event: Call, record: Record, here: Moment, *, member: bool
) -> list[Effect]:
    """Take one of the six calls of the Segment API."""
    name = name_of(event)
    within = count(state, name, record, here.rules)
    is_track = isinstance(event, Track)
    bought: Purchased | None = None
    refunds: list[Effect] = []
    is_other = False
    twice: Tellings | None = None
    if is_track:
        assert isinstance(event, Track)
        twice = told_before(state, event, record, here.rules)
        bought = purchase(state, event, record, here.view, here.visitor, here.now)
        refunds, is_other = _refund(state, event, record, here)
    at, turning = record.at.timestamp(), here.rules.turning
    # Also of a call that is over the bound: a flood in somebody's name keeps nobody off a list.
    listed = learn_lists(state, event, at, record.position, turning)
    if not within:
        if twice is not None:
            uncount(state, name)
        changed = ["who"] if learn_refusals(state, event, at, record.position) else []
        changed += listed
        sold: list[Effect] = [] if bought is None else [Tell("sales", bought)]
        told = _who(state, here) if sold or changed else []
        return [
            *sold,
            *refunds,
            *told,
            *show_changed(state, listed, here.now),
            *tell_listed(event),
            *(evaluate(state, here, changed, []) if changed else []),
        ]
    changed = learn(state, event, at, record.position, member=member, turning=turning) + listed
    remembered = remember(state, event, name, at, here.rules, here.seconds)
    effects: list[Effect] = [*refunds, *tell_listed(event)]
    if bought is not None:
        bought.address = state.address
        effects.append(Tell("sales", bought))
    if changed or bought is not None:
        effects += _who(state, here)
        effects += show_changed(state, changed, here.now)
    if here.view.consent == DOUBLE_OPT_IN or state.confirming is not None:
        effects += confirming.ask(state, here)
    if is_news(state):
        effects += tell_hours(state, here.visitor, here.now)
    kind = kind_of(event)
    kinds = (kind, *changed, *remembered)
    if is_other:
        kinds = (*kinds, "purchase")
    scored = add_points(state, here.rules, kind, at)
    if twice is not None:
        kinds = (*kinds, *take_back(state, here.rules, name, twice))
    effects += evaluate(state, here, kinds, scored)
    if is_track and twice is None and here.rules.entries:
        assert isinstance(event, Track)
        effects += tell_entries(event, record, here)
    _arm(state, here, effects)
    if not state.moment_armed:
        effects += arm_moment(state, here.visitor, here.seconds)
    return effects


def _refund(
    state: BehaviorState, event: Track, record: Record, here: Moment
) -> tuple[list[Effect], bool]:
    """Return what Sales is told of a refund, and whether the orders are worth something else by it."""
    told = refund(event, record, REFUND_EVENTS, here.visitor, here.now)
    if told is None:
        return [], False
    amount = 0.0 if told.failed else told.amount
    taken = Refund(told.order_id, amount, record.at.timestamp(), told.currency)
    return [Tell("sales", told)], note_refund(state, told.refund_id, taken, failed=told.failed)


def _judged(state: BehaviorState, judged: Judged, here: Moment) -> list[Effect]:
    """Tell what was judged, and what follows from it."""
    effects = judged.effects
    effects += tell_hours(state, here.visitor, here.now)
    if judged.kinds or judged.scored:
        effects += evaluate(state, here, judged.kinds, judged.scored)
        _arm(state, here, effects)
    return effects


def _woke(state: BehaviorState, key: str, here: Moment) -> list[Effect]:
    if key == COHORTS_WAKE:
        state.cohorts_due = 0.0
        return evaluate(state, here, (TIME,), [])
    if key == ANSWERS_WAKE:
        return _judged(state, judge(state, here), here)
    if key == MOMENT_WAKE:
        kept = keep_moment(state, here.visitor, here.seconds, here.view.consent, at=here.now)
        return kept + evaluate(state, here, (), [])
    return _session_over(state, here) if key == SESSION_WAKE else []


def _session_over(state: BehaviorState, here: Moment) -> list[Effect]:
    """Tell that the session ended, if it did; else ask again when it may have."""
    state.session_armed = False
    span = sessions.untold(state)
    effects: list[Effect] = []
    if span is not None and here.seconds >= span.last + sessions.IDLE_SECONDS:
        if state.address:
            span.told = True
            ended_at = datetime.fromtimestamp(span.last, UTC)
            message = SessionEnded(here.visitor, here.now, ended_at, span.depth)
            effects.append(Tell("rules", message))
        effects += evaluate(state, here, (SESSION, *depth_kinds(span.depth)), [])
    _arm(state, here, effects)
    return effects


def _arm(state: BehaviorState, here: Moment, effects: list[Effect]) -> None:
    """Set the wake-up for the end of the session, once, where somebody wants to know of it."""
    if state.session_armed:
        return
    span = sessions.untold(state)
    if span is None:
        return
    is_over = here.seconds >= span.last + sessions.IDLE_SECONDS
    if not state.address and (is_over or not _session_counts(state, here)):
        return
    state.session_armed = True
    ends_at = datetime.fromtimestamp(span.last + sessions.IDLE_SECONDS, UTC)
    effects.append(WakeAt(SESSION_WAKE, ends_at))


def _session_counts(state: BehaviorState, here: Moment) -> bool:
    """Say whether the visitor is in a cohort that looks at the session, or may come into one by its end."""
    return here.rules.visits_end or not here.rules.on_session.isdisjoint(state.cohorts)


def _unsubscribed(state: BehaviorState, send_id: str, record: Record, here: Moment) -> list[Effect]:
    at = record.at.timestamp()
    state.unsubscribed_at = max(state.unsubscribed_at, at)
    keep(state.recent, (at, "unsubscribed"), RECENT_MAX)
    told = Responded(here.visitor, here.now, send_id, "unsubscribed", 1.0)
    effects: list[Effect] = [Tell("rules", told), Tell("email", told)]
    effects += _who(state, here)
    scored = add_points(state, here.rules, "unsubscribed", record.at.timestamp())
    return effects + evaluate(state, here, ("unsubscribed",), scored)


def _confirmed(state: BehaviorState, event: AddressConfirmed, here: Moment) -> list[Effect]:
    """Take the owner's yes to being written to: it changes what `identify` changes."""
    effects = confirming.confirm(state, event, here)
    if effects:
        effects += [*_who(state, here), *evaluate(state, here, ("who",), [])]
        _arm(state, here, effects)
    return effects


def _engaged(state: BehaviorState, event: Engaged, record: Record, here: Moment) -> list[Effect]:
    """Tell Engagement of the answer, and Rules of what follows from it."""
    told, kinds = take_engaged(state, event, record, here)
    effects: list[Effect] = [told]
    if not kinds:
        return effects
    effects += _who(state, here)
    scored = add_points(state, here.rules, kinds[0], record.at.timestamp())
    before = {*state.cohorts}
    effects += evaluate(state, here, kinds, scored)
    if event.answers:
        after = {*state.cohorts}
        moves = {"entered": named(after - before), "left": named(before - after)}
        effects.append(LogStory("form.answered", {"answers": dict(event.answers), **moves}))
    _arm(state, here, effects)
    return effects


def _seen(state: BehaviorState, message: ProfileSeen, here: Moment) -> list[Effect]:
    """Take what Social found; also that it found nothing may end the wait of a cohort."""
    kinds = learn_profile(state, message, here.seconds, here.rules.turning)
    effects = evaluate(state, here, kinds, [])
    _arm(state, here, effects)
    return effects


def _set(state: BehaviorState, message: TraitsSet, here: Moment) -> list[Effect]:
    """Take what a step of a path sets; peers hear of it where an e-mail may greet with it."""
    kinds = learn_set(state, message, here.rules.turning)
    if not kinds:
        return []
    effects = [*_who(state, here), *show_changed(state, kinds, here.now)]
    effects += evaluate(state, here, kinds, [])
    _arm(state, here, effects)
    return effects


def _told_by_webhook(
    state: BehaviorState, event: WebhookAnswered, record: Record, here: Moment
) -> list[Effect]:
    """Take what a webhook answered as traits, then tell Rules that it did: by then the cohorts are told that follow."""
    given = {name: value for name, value in event.traits.items() if name not in RESERVED}
    at = record.at.timestamp()
    kinds = learn_answers(state, given, at, record.position, here.rules.turning) if given else []
    effects: list[Effect] = []
    if kinds:
        effects += [*_who(state, here), *show_changed(state, kinds, here.now)]
        effects += evaluate(state, here, kinds, [])
        _arm(state, here, effects)
    settled = WebhookSettled(
        here.visitor,
        here.now,
        event.call_id,
        event.path,
        event.run,
        event.step,
        event.outcome,
        event.reason,
    )
    return [*effects, Tell("rules", settled)]


def _bounced(state: BehaviorState, message: Responded, here: Moment) -> list[Effect]:
    """Take what Email learned of an address: it bounced, or its owner complained."""
    if message.kind not in ("bounced", "complained"):
        return []
    is_present = normal_address(message.address or state.address) == normal_address(state.address)
    address = state.address if is_present else message.address
    if address and address not in state.unreachable:
        state.unreachable = [*state.unreachable, address][-UNREACHABLE_MAX:]
    keep(state.recent, (here.seconds, message.kind), RECENT_MAX)
    if not is_present:
        return []  # it says nothing of the address that is written to now
    if message.kind == "complained":
        state.unsubscribed_at = max(state.unsubscribed_at, here.seconds)
    told = Responded(here.visitor, here.now, message.send_id, message.kind, message.human)
    effects: list[Effect] = [Tell("rules", told), *_who(state, here)]
    scored = add_points(state, here.rules, message.kind, here.seconds)
    return effects + evaluate(state, here, (message.kind,), scored)


def _filled(state: BehaviorState, event: RulesFilled, here: Moment) -> list[Effect]:
    """Take what was told before the rules that are published were; say who this is by the settings in force."""
    effects = fill(state, event, here)
    if state.rules_version >= 0 and (told := _who(state, here)):
        effects += [*told, *evaluate(state, here, ("who",), [])]
    _arm(state, here, effects)
    return effects


def answered(event: AlertSettled, visitor: str, now: datetime) -> Effect:
    """Tell the bot that raised an alert what a person decided on it."""
    message = AlertAnswered(
        visitor=visitor,
        at=now,
        alert_id=event.alert_id,
        path=event.path,
        run=event.run,
        action=event.action,
        by=event.by,
        stage=event.stage,
        policy=event.policy,
    )
    if event.policy:
        return Tell("learner", message)
    return Tell("email" if event.kind == UNCERTAIN_SUCCESS else "rules", message)


def _merged_into(state: BehaviorState, into: str, here: Moment) -> list[Effect]:
    """Send this visitor's state to the older one, and leave a tombstone."""
    if into == here.visitor:
        return []  # it followed the tombstone of a merge that was done already
    message = MergedInto(here.visitor, here.now, into)
    return [
        *hide(state, here.now),
        *(Tell(bot, message) for bot in peers(here.view)),
        Tell("behavior", StateMerged(into, here.now, here.visitor, pack(state))),
        Moved(into),
    ]


def _state_merged(
    state: BehaviorState, younger: str, young: BehaviorState, here: Moment
) -> list[Effect]:
    if not young.counts_pages:
        looked.begin(young, here.rules)
    if young.kept < here.view.publication:
        settle(young, younger, here.view)
    lists = sorted(state.lists.keys() | young.lists.keys())
    if not absorb(state, younger, young, here.rules):
        return []
    absorb_lacking(state, young)
    # Whichever of the two Rules was told a no of: it may hold that for the one they are now.
    refused = not (state.told_may_show and young.told_may_show)
    effects = tell_site_consent(state, here.visitor, here.now, again=refused)
    if state.address or state.told:
        effects += tell_who(state, here.visitor, here.now, here.view, again=True)
        effects += confirming.ask(state, here)
    effects += show_lists(state, lists, here.now)
    judged = judge(state, here)
    effects += judged.effects
    effects += evaluate(state, here, ("merge",), judged.scored, young.cohorts)
    if squeeze_now(state, here.rules.counted):
        effects += evaluate(state, here, ("merge",), [])
    _arm(state, here, effects)
    effects += arm_moment(state, here.visitor, here.seconds)
    return effects


def _who(state: BehaviorState, here: Moment) -> list[Effect]:
    effects = tell_site_consent(state, here.visitor, here.now)
    return effects + tell_who(state, here.visitor, here.now, here.view)
