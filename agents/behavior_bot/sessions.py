"""Cut a visitor's activity into sessions: 30 minutes without any end one.

Rules
1. A session is the span of activities of which each is less than 30 minutes from the next. So it does
   not matter in which order they are told: a late one extends a span, or joins two.
2. The newest spans are kept; the older ones are a number, which what comes still later cannot mend.
3. Pages, screens, track calls and human clicks are activity; what servers say about somebody is not.
4. After each activity the end of the newest session is untold again, however late the activity came: for
   what it caused (a cart, say) makes others wait for that end.
"""

from __future__ import annotations

from agents.behavior_bot.state import BehaviorState, Span

IDLE_SECONDS = 30 * 60
"""The web's common measure, and the routine's."""

SPANS_MAX = 8
"""Far more than a late event can be late by."""


def touch(state: BehaviorState, at: float, pages: int) -> bool:
    """Note activity; return whether a session began by it."""
    spans = state.sessions
    if spans:
        latest = spans[-1]
        if latest.start <= at < latest.last + IDLE_SECONDS:
            latest.last = max(latest.last, at)
            latest.depth += pages
            latest.told = False
            return False
    alone = _place(state, Span(at, at, pages))
    state.sessions[-1].told = False
    return alone


def absorb(state: BehaviorState, spans: list[Span], before: int) -> None:
    """Take in another visitor's sessions."""
    for span in spans:
        _place(state, span)
    if spans:
        state.sessions[-1].told = False
    state.sessions_before += before


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


def _place(state: BehaviorState, span: Span) -> bool:
    """Join a span with all it touches; return whether it stands alone."""
    spans = state.sessions
    if state.sessions_before and spans and span.last + IDLE_SECONDS <= spans[0].start:
        return False  # it lies among the sessions that are only a number
    apart = []
    joined = Span(span.start, span.last, span.depth)
    alone = True
    for each in spans:
        if each.last + IDLE_SECONDS <= joined.start or joined.last + IDLE_SECONDS <= each.start:
            apart.append(each)
            continue
        joined = Span(
            min(each.start, joined.start), max(each.last, joined.last), each.depth + joined.depth
        )
        alone = False
    apart.append(joined)
    apart.sort(key=lambda each: each.start)
    state.sessions = apart[-SPANS_MAX:]
    state.sessions_before += max(0, len(apart) - SPANS_MAX)
    return alone and joined in state.sessions
