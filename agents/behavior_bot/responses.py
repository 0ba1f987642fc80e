"""Judge opens and clicks: whether a human did them, and tell those who wait for the answer.

Rules
1. A click waits two seconds, for a scanner follows all links of a mail at once and only the third
   gives it away; its first two must not count either.
2. What comes before we know of the hand-over waits for that (a minute at most): "two seconds after the
   hand-over" cannot be judged earlier.
3. Only what a human probably did (one half or more) is activity, stands in windows and moves a path.
4. Each fact is counted when it comes and told once, when it is judged, with the moment at which it was taken:
   a purchase right after a click stands after it, although the click waits to be judged.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.behavior_bot.evaluate import Moment, Scored, add_points
from agents.behavior_bot.intake import note_marks
from agents.behavior_bot.sessions import note_activity
from agents.behavior_bot.state import (
    CLICKS_MAX,
    RECENT_MAX,
    WAITING_MAX,
    Answer,
    BehaviorState,
    KnownSend,
    keep,
    keep_sends,
)
from agents.behavior_bot.tallies import put_in_hours, tally_of
from learning.serving.human import human_probability
from learning.serving.presence import note
from messaging.vocabulary.effects import Effect, Tell, WakeAt
from messaging.vocabulary.events import MailClicked, MailOpened, Record
from messaging.vocabulary.messages import MailSent, Responded

ANSWERS_WAKE = "answers"
SWEEP_SECONDS = 2.0
HAND_OVER_WAIT_SECONDS = 60.0
USER_AGENT_CHARACTERS_MAX = 160
HUMAN = 0.5

_TOLD = {"mail_opened": "opened", "mail_clicked": "clicked"}


class Judged:
    """Collect what came of judging: effects, kinds of events, scores that changed."""

    __slots__ = ("effects", "kinds", "scored")

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.kinds: list[str] = []
        self.scored: list[Scored] = []


def take_answer(
    state: BehaviorState, event: MailOpened | MailClicked, record: Record, here: Moment
) -> Judged:
    """Take an open or a click: judge it, or let it wait."""
    clicked = isinstance(event, MailClicked)
    at = record.at.timestamp()
    send = _send(state, event.send_id)
    if isinstance(event, MailClicked):
        send.clicks = sorted([*send.clicks, (at, event.link)])[-CLICKS_MAX:]
    wait = SWEEP_SECONDS if clicked else 0.0
    if send.handed_over_at is None:
        wait = HAND_OVER_WAIT_SECONDS
    state.waiting.append(
        Answer(
            send_id=event.send_id,
            kind="mail_clicked" if clicked else "mail_opened",
            at=at,
            position=record.position,
            link=event.link if isinstance(event, MailClicked) else "",
            user_agent=event.user_agent[:USER_AGENT_CHARACTERS_MAX],
            method=event.method,
            judge_at=here.seconds + wait,
            taken_at=here.now,
        )
    )
    return judge(state, here)


def note_hand_over(state: BehaviorState, message: MailSent, here: Moment) -> Judged:
    """Remember when a send was handed over; judge what waited for it."""
    send = _send(state, message.send_id)
    send.handed_over_at = message.handed_over_at.timestamp()
    keep_sends(state, state.sends)
    for answer in state.waiting:
        if answer.send_id == message.send_id:
            wait = SWEEP_SECONDS if answer.kind == "mail_clicked" else 0.0
            answer.judge_at = min(answer.judge_at, here.seconds + wait)
    return judge(state, here)


def judge(state: BehaviorState, here: Moment) -> Judged:
    """Judge all answers whose time has come, and set the wake-up for the others."""
    judged = Judged()
    waiting = sorted(state.waiting, key=lambda each: (each.at, each.position))
    crowded = len(waiting) - WAITING_MAX
    state.waiting = []
    for index, answer in enumerate(waiting):
        if answer.judge_at <= here.seconds or index < crowded:
            _judge(state, answer, here, judged)
        else:
            state.waiting.append(answer)
    if state.waiting:
        first = min(answer.judge_at for answer in state.waiting)
        at = max(datetime.fromtimestamp(first, UTC), here.now + timedelta(milliseconds=1))
        judged.effects.append(WakeAt(ANSWERS_WAKE, at))
    return judged


def _judge(state: BehaviorState, answer: Answer, here: Moment, judged: Judged) -> None:
    send = _send(state, answer.send_id)
    links = {link for at, link in send.clicks if abs(at - answer.at) <= SWEEP_SECONDS}
    handed_over_at = send.handed_over_at
    human = human_probability(
        method=answer.method,
        user_agent=answer.user_agent,
        seconds_since_hand_over=None if handed_over_at is None else answer.at - handed_over_at,
        links_at_once=len(links) if answer.kind == "mail_clicked" else 0,
    )
    taken_at = answer.taken_at or here.now
    told = Responded(here.visitor, taken_at, answer.send_id, _TOLD[answer.kind], human)
    judged.effects.extend(Tell(bot, told) for bot in ("rules", "email", "sales"))
    if human > 0:
        judged.scored += add_points(state, here.rules, answer.kind, answer.at, human)
    if human < HUMAN:
        judged.kinds.append("machine")
        return
    tally = tally_of(state, answer.kind, here.rules.counted)
    tally.human += 1
    put_in_hours(state, tally, answer.at)
    keep(state.recent, (answer.at, answer.kind), RECENT_MAX)
    judged.kinds.append(answer.kind)
    judged.kinds += note_marks(state, here.rules, answer.kind, None, answer.at)
    if answer.kind != "mail_clicked":
        return
    note(state.presence, answer.at)
    judged.kinds += note_activity(state, answer.at, here.seconds, 0)


def _send(state: BehaviorState, send_id: str) -> KnownSend:
    """Return what is known of a send; the newest so many are kept."""
    for send in state.sends:
        if send.send_id == send_id:
            return send
    send = KnownSend(send_id, None)
    keep_sends(state, [*state.sends, send])
    return send
