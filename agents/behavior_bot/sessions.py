"""Cut a visitor's activity into sessions: 30 minutes without any end one.

Rules
1. A session is the span of activities of which each is less than 30 minutes from the next. So it does
   not matter in which order they are told: a late one extends a span, or joins two.
2. The newest spans are kept; the older ones are a number, which what comes still later cannot mend.
3. Pages, screens, track calls and human clicks are activity; what servers say about somebody is not.
4. Its pages are counted for each question of the published rules as they come, however many others follow; what joins
   spans adds their counts. The oldest spans' counts go first where there are too many, and are counted (`let_go`).
5. After each activity the end of the newest session is untold again, however late the activity came: for
   what it caused (a cart, say) makes others wait for that end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from agents.behavior_bot.state import BehaviorState, Span
from agents.rules.parts import SESSION, depth_kind, depth_kinds

IDLE_SECONDS = 30 * 60
"""The web's common measure, and the routine's."""

SPANS_MAX = 8
"""Far more than a late event can be late by."""

VIEWED_MAX = 64
"""Counts of pages kept of all spans together; in one session hardly anybody sees what so many rules ask for."""


def touch(state: BehaviorState, at: float, pages: int, questions: Collection[str] = ()) -> None:
    """Note activity.

    Args:
        state: of the visitor.
        at: when it happened.
        pages: how many were viewed by it: one, or none.
        questions: what rules ask of a session's pages for which this one counts.
    """
    viewed = dict.fromkeys(questions, 1)
    spans = state.sessions
    if spans:
        latest = spans[-1]
        if latest.start <= at < latest.last + IDLE_SECONDS:
            latest.last = max(latest.last, at)
            latest.depth += pages
            latest.told = False
            if viewed:
                _add(latest.viewed, viewed)
                trim_viewed(state)
            return
    _place(state, Span(at, at, pages, viewed=viewed))
    state.sessions[-1].told = False


def note_activity(
    state: BehaviorState, at: float, now: float, pages: int, questions: Collection[str] = ()
) -> list[str]:
    """Note activity; return the kinds of what may be another one by it for who asks at the moment `now`.

    A session that began may follow one whose end nobody was told of: it is as if that one ended now.
    """
    before, number = present(state, now), state.sessions_before + len(state.sessions)
    deep = state.sessions[-1].depth if state.sessions else 0
    touch(state, at, pages, questions)
    after = present(state, now)
    if (
        after is None
        or after is not before
        or state.sessions_before + len(state.sessions) != number
    ):
        return [SESSION, *depth_kinds(max(deep, state.sessions[-1].depth))]
    return [depth_kind(after.depth)] if pages else []


def absorb(state: BehaviorState, spans: list[Span], before: int) -> None:
    """Take in another visitor's sessions."""
    for span in spans:
        _place(state, span)
    if spans:
        state.sessions[-1].told = False
    state.sessions_before += before


def add_viewed(state: BehaviorState, told: Iterable[tuple[float, dict[str, int]]]) -> None:
    """Add what history counted of sessions' pages: all its activity lies within the spans that stand."""
    for start, viewed in told:
        for span in state.sessions:
            if span.start <= start <= span.last:
                _add(span.viewed, viewed)
    trim_viewed(state)


def forget_viewed(state: BehaviorState, questions: Collection[str]) -> None:
    """Let the counts of these questions go."""
    for span in state.sessions:
        for question in span.viewed.keys() & questions:
            del span.viewed[question]


def trim_viewed(state: BehaviorState, count_max: int = VIEWED_MAX) -> None:
    """Let counts go until the bound holds, the oldest session's first."""
    over = sum([len(span.viewed) for span in state.sessions]) - count_max
    if over <= 0:
        return
    state.let_go += over
    for span in state.sessions:
        for question in sorted(span.viewed)[:over]:
            del span.viewed[question]
            over -= 1


def present(state: BehaviorState, now: float) -> Span | None:
    """Return the session under way, None if there is none."""
    if state.sessions and now < state.sessions[-1].last + IDLE_SECONDS:
        return state.sessions[-1]
    return None


def untold(state: BehaviorState) -> Span | None:
    """Return the newest session if its end is not told yet."""
    if state.sessions and not state.sessions[-1].told:
        return state.sessions[-1]
    return None


def _place(state: BehaviorState, span: Span) -> None:
    """Join a span with all it touches."""
    spans = state.sessions
    if state.sessions_before and spans and span.last + IDLE_SECONDS <= spans[0].start:
        return  # it lies among the sessions that are only a number
    apart = []
    joined = Span(span.start, span.last, span.depth, viewed=dict(span.viewed))
    for each in spans:
        if each.last + IDLE_SECONDS <= joined.start or joined.last + IDLE_SECONDS <= each.start:
            apart.append(each)
            continue
        joined.start, joined.last = min(each.start, joined.start), max(each.last, joined.last)
        joined.depth += each.depth
        _add(joined.viewed, each.viewed)
    apart.append(joined)
    apart.sort(key=lambda each: each.start)
    state.sessions = apart[-SPANS_MAX:]
    state.sessions_before += max(0, len(apart) - SPANS_MAX)
    trim_viewed(state)


def _add(viewed: dict[str, int], more: dict[str, int]) -> None:
    for question, count in more.items():
        viewed[question] = viewed.get(question, 0) + count
