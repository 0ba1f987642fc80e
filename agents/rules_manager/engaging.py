"""Choose what is offered on the site: the routine's on-site rows.

Rules
1. Consent is asked before any limit, whoever wants to offer something; nothing is offered to who is not on the site,
   but by a flow. Who takes it back loses what stands open.
2. A touch is reserved when it is offered and given back when it ended unseen: two tabs cannot show more than the
   caps allow. What is open counts as of now.
3. At the day's cap an offer that nobody has seen makes room for one of higher priority, once Engagement has
   taken it back.
4. What is refused stays in the decision as a refused candidate. The highest priority goes; among equals the type's
   policy picks, or by the rules (held out, learning off or taken back) the first by name.
5. Who leaves the cohort loses what was offered for it. Of a purchase Engagement hears from Sales itself.
6. A decision's reward is 1 for an answer and 0 for any other end of what was seen. What ended unseen has none, and
   so has what was seen only after Engagement had said that it ended: its answer is not listened to any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.rules.compiled import InteractionRule
from agents.rules_manager import guarding
from agents.rules_manager.state import OFFERED_MAX, Choice, Offered, RulesState
from agents.rules_manager.touching import is_full, note_shown
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import OFFER, count
from learning.serving import fixed, on_site
from learning.serving.fallback import choose_by_rules, is_taken_back
from messaging.vocabulary.ids import decision_id, engagement_id
from messaging.vocabulary.messages import (
    CohortEntered,
    EngagementRequested,
    EngagementSettled,
    EngagementsWithdrawn,
    SiteConsent,
)
from messaging.vocabulary.plans import EngagementPlan
from messaging.vocabulary.records import Decision

DAY = timedelta(hours=24)

FORGOTTEN_AFTER = timedelta(days=1)
"""After its time an offer whose end was never told (it ended with a visitor who was merged) is given back."""

ANSWERS = ("clicked", "submitted")
"""Outcomes that are worth a reward."""

CAP_SESSION, CAP_DAY, CAP_TOTAL = "cap_session", "cap_day", "cap_total"


def entered(turn: Turn, message: CohortEntered) -> None:
    """Take back what nobody of a cohort is offered, and offer what it is offered; of each type one."""
    state = turn.state
    rules = turn.view.rules.interactions
    stale = {name for name, rule in rules.items() if rule.unless == message.cohort}
    if stale:
        offered = state.offered.items()
        ids = [i for i, o in offered if o.interaction in stale and o.status != "ended"]
        _withdraw(turn, ids, f"entered {message.cohort}")
    if message.visit_at is not None:
        state.visit_at = message.visit_at
    refused = "not_on_site" if message.visit_at is None else ""
    _offer_for(turn, message.cohort, message.at, refused)


def heard(turn: Turn, message: EngagementSettled | SiteConsent) -> None:
    """Take what became of an offer, or whether anything may be offered."""
    if isinstance(message, SiteConsent):
        _agreed(turn, message)
    else:
        _settled(turn, message)


def offer(turn: Turn, name: str, hours: int) -> None:
    """Offer an interaction because a flow came to it, also to who is not there: it waits for them so long."""
    rule = turn.view.rules.interactions.get(name)
    if rule is None:
        turn.state.refused += 1
        turn.story("offer.refused", None, interaction=name, type="", rule="not_published")
        return
    _forget(turn)
    minutes = hours * 60 or rule.minutes
    # Without a cohort: it is not left with one, and not taken back by the end of a visit.
    free = msgspec.structs.replace(rule, cohort="", minutes=minutes)
    _offer_one(turn, [free], turn.now, "")


def left(turn: Turn, cohort: str) -> None:
    """Take back what was offered for a cohort."""
    offered = turn.state.offered
    ids = [id_ for id_, each in offered.items() if each.cohort == cohort and each.status != "ended"]
    _withdraw(turn, ids, f"left {cohort}")
    if turn.state.room_for == cohort:
        turn.state.room_for = ""


def visit_over(turn: Turn) -> None:
    """Take back whatever is open, but what a flow lets wait for the next visit: nobody is there any more."""
    offered = turn.state.offered
    waits = {i for i, each in offered.items() if each.unseen and not each.cohort}
    open_ = [i for i, each in offered.items() if each.status != "ended" and i not in waits]
    _withdraw(turn, open_, "session over")
    turn.state.room_for = ""


def merged(turn: Turn, younger: RulesState) -> None:
    """Take in what a younger visitor has seen; what it has not seen Engagement takes back, and counts nothing here.

    The later word on consent holds until Behavior says what it is of the two as one.
    """
    state, visit_at = turn.state, younger.visit_at
    said, other = state.may_show_said_at, younger.may_show_said_at
    if other is not None and (said is None or other > said):
        state.may_show, state.may_show_said_at = younger.may_show, other
    for id_, offer in younger.offered.items():
        mine = state.offered.get(id_)
        if mine is None:
            offer.status = "merging" if offer.unseen else offer.status
            state.offered[id_] = offer
        elif (
            not mine.choice.decision_id
        ):  # its end, or its being seen, overtook the state it belongs to
            mine.choice = offer.choice
            if mine.status == "ended":
                _reward(turn, mine)
    _trim(turn)
    if visit_at is not None:
        state.visit_at = max(visit_at, state.visit_at or visit_at)


def _agreed(turn: Turn, message: SiteConsent) -> None:
    """Keep whether the visitor may be spoken to on the site; who refuses it loses what stands open."""
    state = turn.state
    if state.may_show_said_at is not None and message.at < state.may_show_said_at:
        return  # it was said of one half, before the two were known as one
    state.may_show, state.may_show_said_at = message.may_show, message.at
    if not message.may_show:
        open_ = [id_ for id_, each in state.offered.items() if each.status != "ended"]
        _withdraw(turn, open_, "consent")
        state.room_for = ""


def _settled(turn: Turn, message: EngagementSettled) -> None:
    """Count what was seen, give back what was not, and join the answer to its decision."""
    state = turn.state
    offer = state.offered.get(message.engagement_id)
    if not message.seen:
        if offer is not None:
            del state.offered[message.engagement_id]
        _room_made(turn)
        return
    if offer is None:  # offered to a visitor who was merged meanwhile, or given back too early
        offer = Offered(message.interaction, message.interaction_type, "", message.at, message.at)
        state.offered[message.engagement_id] = offer
        _trim(turn)
        note_shown(state, message.at)
    elif offer.unseen:
        note_shown(state, message.at)
    if message.outcome == "shown":
        offer.at = message.at
        offer.status = "shown" if offer.status != "ended" else offer.status
        return
    offer.status, offer.answered = "ended", message.outcome in ANSWERS
    _reward(turn, offer)


def _reward(turn: Turn, offer: Offered) -> None:
    """Give the decision of what was seen and has ended its reward; who runs our script counts as human."""
    turn.reward(offer.choice, "response", 1.0 if offer.answered else 0.0, 1.0)
    guarding.seen(turn, offer.choice)


def _offer_for(turn: Turn, cohort: str, at: datetime, refused: str) -> None:
    rules = [r for r in turn.view.rules.interactions.values() if r.cohort == cohort]
    if not rules:
        return
    rules.sort(key=lambda rule: (-rule.priority, rule.name))
    _forget(turn)
    for type_ in dict.fromkeys(rule.type for rule in rules):
        _offer_one(turn, [rule for rule in rules if rule.type == type_], at, refused)


def _offer_one(turn: Turn, rules: list[InteractionRule], at: datetime, refused: str) -> None:
    """Offer one of the interactions of a type, the highest that is allowed."""
    refused = refused if turn.state.may_show else "consent"
    refusals = {rule.name: refused or _refusal(turn, rule) for rule in rules}
    allowed = [rule for rule in rules if not refusals[rule.name]]
    if not allowed:
        turn.state.refused += 1
        first = rules[0]
        why = refusals[first.name]
        turn.story("offer.refused", None, interaction=first.name, type=first.type, rule=why)
        if CAP_DAY in refusals.values():
            _make_room(turn, next(r for r in rules if refusals[r.name] == CAP_DAY), at)
        return
    best = [rule for rule in allowed if rule.priority == allowed[0].priority]
    names = {rule.name for rule in best}
    others = {name: why or "priority" for name, why in refusals.items() if name not in names}
    _request(turn, best, at, others)


def _refusal(turn: Turn, rule: InteractionRule) -> str:
    """Return the rule that refuses an interaction now, empty if none does."""
    state, now = turn.state, turn.now
    if rule.only and rule.only not in state.cohorts:
        return "cohort"
    if rule.unless and rule.unless in state.cohorts:
        return rule.unless
    if rule.unless and state.is_undecided(rule.unless, now):
        return "awaits_history"
    since = state.visit_at
    counted = [each for each in state.offered.values() if each.status != "merging"]
    in_session = sum(
        each.type == rule.type and (each.unseen or since is None or each.at >= since)
        for each in counted
    )
    if in_session >= rule.per_session:
        return CAP_SESSION
    of_day = sum(each.unseen or each.at > now - DAY for each in counted)
    if of_day >= rule.per_day:
        return CAP_DAY
    return CAP_TOTAL if is_full(turn) else ""


def _request(
    turn: Turn, best: list[InteractionRule], at: datetime, refused: dict[str, str]
) -> None:
    """Choose among equals, reserve the touch and ask Engagement for the offer."""
    state = turn.state
    state.offers += 1
    choice = _decide(turn, best, refused)
    count(state, OFFER, by_people=choice.by_people)
    rule = next(each for each in best if each.name == choice.arm)
    id_ = engagement_id(state.visitor, rule.name, state.offers)
    expires_at = turn.now + timedelta(minutes=rule.minutes)
    state.offered[id_] = Offered(
        rule.name,
        rule.type,
        rule.cohort,
        turn.now,
        expires_at,
        rule.priority,
        "open",
        choice,
    )
    _trim(turn)
    plan = EngagementPlan(
        engagement_id=id_,
        interaction=rule.name,
        interaction_type=rule.type,
        rules_version=turn.view.rules_version,
        expires_at=expires_at,
        decision_id=choice.decision_id,
        visit_at=state.visit_at,
    )
    turn.tell("engagement", EngagementRequested(visitor=state.visitor, at=at, plan=plan))


def _decide(turn: Turn, best: list[InteractionRule], refused: dict[str, str]) -> Choice:
    """Choose one of the equals, and log what was chosen of what."""
    state, first, holdout = turn.state, best[0], turn.held_out()
    id_ = decision_id(state.visitor, "", "", first.type, state.offers, "interaction")
    policy = on_site.policy_name(first.type)
    snapshot, names = turn.view.snapshots.get(policy), [rule.name for rule in best]
    if holdout or not turn.view.learning:
        others = {rule.name: "by_rules" for rule in best[1:]}
        chosen = fixed.choose_default(first.name, refused={**refused, **others})
    elif is_taken_back(snapshot):
        chosen = choose_by_rules(first.name, names, refused)
    else:
        chosen = on_site.choose_interaction(
            snapshot, names, turn.draw(id_), refused=refused, policy=policy
        )
    decision = Decision(
        id=id_,
        at=turn.now,
        visitor=state.visitor,
        path="",
        run="",
        stage="",
        step=first.type,
        attempt=state.offers,
        kind="interaction",
        candidates=chosen.candidates,
        probabilities=chosen.probabilities,
        arm=chosen.arm,
        policy=chosen.policy,
        policy_version=chosen.policy_version,
        rules_version=turn.view.rules_version,
        holdout=holdout,
    )
    return turn.decided(policy, decision)


def _make_room(turn: Turn, rule: InteractionRule, at: datetime) -> None:
    """Ask back the lowest of what nobody has seen, if it is below this one; `settled` goes on then.

    A flow's offer is for no cohort: it would not be found again when there is room.
    """
    if not rule.cohort:
        return
    state = turn.state
    unseen = [(each.priority, id_) for id_, each in state.offered.items() if each.status == "open"]
    if not unseen or min(unseen)[0] >= rule.priority:
        return
    state.room_for, state.room_at = rule.cohort, at
    _withdraw(turn, [min(unseen)[1]], "made room")


def _room_made(turn: Turn) -> None:
    state = turn.state
    cohort, at = state.room_for, state.room_at
    if not cohort or at is None:
        return
    state.room_for = ""
    if cohort in state.cohorts:
        _offer_for(turn, cohort, at, "")


def _withdraw(turn: Turn, ids: list[str], reason: str) -> None:
    state = turn.state
    ids = [id_ for id_ in ids if state.offered[id_].status != "withdrawing"]
    for id_ in ids:
        if state.offered[id_].status == "open":
            state.offered[id_].status = "withdrawing"
    if ids:
        told = EngagementsWithdrawn(
            visitor=state.visitor, at=turn.now, engagement_ids=ids, reason=reason
        )
        turn.tell("engagement", told)


def _forget(turn: Turn) -> None:
    """Forget what counts for no cap any more."""
    state, now = turn.state, turn.now
    for id_, each in list(state.offered.items()):
        if each.unseen:
            over = each.expires_at + FORGOTTEN_AFTER <= now
        else:
            in_session = state.visit_at is None or each.at >= state.visit_at
            over = each.status == "ended" and each.at <= now - DAY and not in_session
        if over:
            del state.offered[id_]


def _trim(turn: Turn) -> None:
    """Let the oldest go until the bound holds."""
    offered = turn.state.offered
    while len(offered) > OFFERED_MAX:
        del offered[min(offered, key=lambda id_: (offered[id_].at, id_))]
