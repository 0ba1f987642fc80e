"""Take one message for one visitor: ask, take the answer, ask again later, tell Behavior.

| a visitor is      | message                        | next                                                    |
|-------------------|--------------------------------|---------------------------------------------------------|
| any               | identified: another address    | what was found is forgotten; asking, if they may be     |
| any               | identified: refused            | forgotten, and Behavior is told that nothing is known   |
| any               | looked up: not wanted any more | what was asked of whom is written down, nothing else    |
| asking            | looked up: all have answered   | resting: 30 days if found, 7 if nobody knows them       |
| asking            | looked up: one has not         | resting, and asked again; after some tries 7 days       |
| asking            | wake-up: no answer came        | asking: the same look-up once more                      |
| resting           | wake-up, or identified later   | asking those without an answer, or all                  |

Rules
1. The wish is committed before anybody is asked, and the commit reads suppression: who was suppressed before is not
   asked about. What came is committed as a message, so that a replay asks nobody.
2. A look-up may be repeated, unlike an e-mail: what a crash cut off is said again under the same id.
3. Behavior is told of the first answer, also of an empty one, since it waits; then only of what changed.
4. A wish is said by the consent setting in force: one of a start with a laxer setting is not said again by a stricter.
5. A look-up that is not wanted any more is cancelled with the commit. Who had been asked by then is written down, with
   the outcome alone: what came is not used.
6. A retry has a limit, and its pause a jitter that is drawn by the look-up's id.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.social_bot.facts import facts_of, unanswered
from agents.social_bot.state import (
    ABSORBED_MAX,
    SOURCES,
    Asking,
    SocialState,
    may_look_up,
    pack,
    unpack,
)
from messaging.vocabulary.effects import (
    CancelLookUp,
    CancelWake,
    Effect,
    LogStory,
    LookUp,
    Moved,
    Tell,
    WakeAt,
)
from messaging.vocabulary.ids import look_up_id, normal_address
from messaging.vocabulary.messages import (
    Identified,
    LookedUp,
    MergedInto,
    Message,
    ProfileSeen,
    StateMerged,
    Woke,
)
from messaging.vocabulary.plans import Finding

ASK = "ask"
"""Key of the one wake-up: asking again."""

ANSWER_WITHIN = timedelta(minutes=5)
"""The shell's line is so short that an answer that takes longer was lost with its process."""

TIMES_MAX = 4
"""How often one look-up is said before it counts as failed."""

FOUND_TTL = timedelta(days=30)
NOBODY_TTL = timedelta(days=7)
"""For so long what came is taken as it is (world time)."""

FAILED_TRIES_MAX = 3
BUSY_TRIES_MAX = 8
"""A source that was only asked too often answers in the end: an import of many leads takes its time."""

PAUSE_FIRST = timedelta(hours=1)
PAUSE_LAST = timedelta(hours=24)


def step(
    state: SocialState, message: Message, now: datetime, view: View, draw: DrawFor
) -> list[Effect]:
    """Take one message; the state is changed in place."""
    visitor = message.visitor
    match message:
        case Identified():
            return _identified(state, message, now, view)
        case LookedUp(look_up_id=id_, findings=findings):
            if state.asking is None or state.asking.look_up_id != id_:
                # Its owner refused meanwhile, the address changed, or it was said twice.
                return [_asked_in_vain(each) for each in findings if each.hosts]
            return _looked_up(state, visitor, findings, now, draw)
        case Woke():
            return _woke(state, visitor, now, view, draw)
        case MergedInto(into=into, at=at):
            return _merged_into(state, visitor, into, at)
        case StateMerged(younger=younger, state=body):
            return _state_merged(state, younger, body)
        case _:
            return []  # what is told to other bots only


def _identified(state: SocialState, message: Identified, now: datetime, view: View) -> list[Effect]:
    visitor, effects = message.visitor, list[Effect]()
    state.may_look_up, state.may_look_up_by = message.may_look_up, message.may_look_up_by
    if not _is_same(message.address, state.address) or not state.may_look_up:
        effects = _forget(state, visitor, now)
    state.address = message.address
    is_resting = state.rests_until is not None and now < state.rests_until
    may = may_look_up(state, view.consent)
    if not state.address or not may or state.asking is not None or is_resting:
        return effects
    asked = _ask(state, visitor, list(SOURCES), now, view)
    return effects + [each for each in asked if not (isinstance(each, Tell) and each in effects)]


def _is_same(one: str, other: str) -> bool:
    """Say whether two spellings are one address: what was found of one is of the other, too."""
    return normal_address(one) == normal_address(other)


def _forget(state: SocialState, visitor: str, now: datetime) -> list[Effect]:
    """Forget what was found; tell Behavior, if it believes anything, or waits for what nobody will say any more."""
    effects: list[Effect] = []
    is_awaited = state.asking is not None and not state.may_look_up
    if state.asking is not None or state.findings:
        effects = [CancelWake(ASK), LogStory("social.forgotten", {})]
    if state.asking is not None:
        effects.append(CancelLookUp(state.asking.look_up_id))
    state.asking, state.findings, state.rests_until, state.tries = None, [], None, 0
    if is_awaited or any(state.told):
        effects.append(Tell("behavior", ProfileSeen(visitor, now, "", "", "")))
    state.told = []
    return effects


def _ask(
    state: SocialState, visitor: str, sources: list[str], now: datetime, view: View
) -> list[Effect]:
    """Begin a look-up, unless the mailbox is suppressed, or the consent setting is a stricter one by now."""
    state.number += 1
    state.asking = Asking(look_up_id(visitor, state.number), sources)
    return _say(state, visitor, now, view)


def _say(state: SocialState, visitor: str, now: datetime, view: View) -> list[Effect]:
    """Say the look-up under way, for the first time or again."""
    asking = state.asking
    assert asking is not None, "a look-up is begun before it is said"
    mailbox = view.mailbox(state.address)
    if not may_look_up(state, view.consent):
        # Behavior tells everybody anew after a start with another setting; nothing is asked until then.
        state.asking = None
        put_off: list[Effect] = [LogStory("social.refused", {"rule": "consent"}), CancelWake(ASK)]
        if not any(state.told):
            put_off.append(Tell("behavior", ProfileSeen(visitor, now, "", "", "")))
        return put_off
    if mailbox in view.suppressed:
        was_told, state.asking = any(state.told), None
        refused = [
            LogStory("social.refused", {"rule": "suppressed"}),
            *_forget(state, visitor, now),
        ]
        state.may_look_up, state.rests_until = False, now + NOBODY_TTL
        unknown = Tell("behavior", ProfileSeen(visitor, now, "", "", ""))
        return refused if was_told else [*refused, unknown]
    said = LogStory("social.asking", {"sources": asking.sources, "times": asking.times})
    look_up = LookUp(asking.look_up_id, state.address, mailbox, asking.sources, now)
    return [said, look_up, WakeAt(ASK, now + ANSWER_WITHIN)]


def _looked_up(
    state: SocialState, visitor: str, findings: list[Finding], now: datetime, draw: DrawFor
) -> list[Effect]:
    """Take what came; say when somebody is asked again."""
    asking = state.asking
    assert asking is not None, "only the answer to the look-up under way is taken"
    state.asking = None
    newest = {each.source: each for each in (*state.findings, *findings)}
    state.findings = [newest[source] for source in SOURCES if source in newest]
    effects: list[Effect] = [_asked(each) for each in findings]
    facts = facts_of(state.findings, now)
    pause = _pause(state, draw(asking.look_up_id).uniform())
    if pause is not None:
        state.rests_until = now + pause
        effects.append(WakeAt(ASK, state.rests_until))
    else:
        state.tries = 0
        state.rests_until = now + (FOUND_TTL if facts[0] == "found" else NOBODY_TTL)
        effects.append(CancelWake(ASK))
    if facts != state.told:
        state.told = facts
        presence, profile, activity = facts
        seen = {"presence": presence, "profile": profile, "activity": activity}
        effects.append(LogStory("social.seen", seen))
        effects.append(Tell("behavior", ProfileSeen(visitor, now, presence, profile, activity)))
    return effects


def _pause(state: SocialState, chance: float) -> timedelta | None:
    """Count a try and return how long those without an answer are left alone; None: nothing is left to try."""
    again = set(unanswered(state.findings))
    if not again:
        return None
    state.tries += 1
    outcomes = {each.outcome for each in state.findings if each.source in again}
    if state.tries >= (BUSY_TRIES_MAX if outcomes == {"busy"} else FAILED_TRIES_MAX):
        return None
    return min(PAUSE_LAST, PAUSE_FIRST * 2.0 ** (state.tries - 1)) * (0.5 + chance)


def _woke(
    state: SocialState, visitor: str, now: datetime, view: View, draw: DrawFor
) -> list[Effect]:
    asking = state.asking
    if asking is None:
        again = unanswered(state.findings)
        may = may_look_up(state, view.consent)
        return _ask(state, visitor, again, now, view) if again and may else []
    if asking.times < TIMES_MAX:
        asking.times += 1
        return _say(state, visitor, now, view)
    lost = [Finding(source, [], now, "failed", "no answer came") for source in asking.sources]
    return _looked_up(state, visitor, lost, now, draw)


def _asked(finding: Finding) -> LogStory:
    """Return the line of what one source was asked and said."""
    detail = {name: getattr(finding, name) for name in finding.__struct_fields__ if name != "at"}
    said = {name: value for name, value in detail.items() if value not in (None, "")}
    return LogStory("social.asked", said | {"asked_at": finding.at})


def _asked_in_vain(finding: Finding) -> LogStory:
    """Return the line of a source that was asked for what nobody wanted to know any more: of whom, and the outcome."""
    return _asked(
        Finding(finding.source, finding.hosts, finding.at, finding.outcome, finding.reason)
    )


def _merged_into(state: SocialState, visitor: str, into: str, at: datetime) -> list[Effect]:
    """Send this visitor's state to the older one, and leave a tombstone that knows nothing."""
    if into == visitor:
        return []  # it followed the tombstone of a merge that was done already
    cancelled: list[Effect] = [CancelLookUp(state.asking.look_up_id)] if state.asking else []
    state.asking = None
    body = pack(state)
    state.address, state.findings, state.told = "", [], []
    return [Tell("social", StateMerged(into, at, visitor, body)), Moved(into), *cancelled]


def _state_merged(state: SocialState, younger: str, body: bytes) -> list[Effect]:
    """Take the younger's findings in, once, where nothing is known; Behavior tells whether they may be kept."""
    if younger in state.absorbed:
        return []
    young = unpack(body)
    state.absorbed = [*state.absorbed, younger][-ABSORBED_MAX:]
    if state.findings or state.asking is not None:
        return []
    if state.address and not _is_same(state.address, young.address):
        return []
    if state.address and not state.may_look_up:
        return []  # who they are now has refused; where that is not known yet, Behavior tells it next
    state.address, state.findings = young.address, young.findings
    state.rests_until, state.tries, state.told = young.rests_until, young.tries, young.told
    if state.rests_until is None or not unanswered(state.findings):
        return []
    return [WakeAt(ASK, state.rests_until)]
