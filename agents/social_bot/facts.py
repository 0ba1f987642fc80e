"""Make three facts of findings: presence, profile, activity. An empty one is unknown.

Rules
1. `none` needs an answer of every source: who was not reached may know them.
2. Where sources differ about a profile, what says more goes first: an organization before a profession before a person.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from messaging.vocabulary.plans import Finding

ANSWERS = frozenset({"found", "nobody"})
OPEN = frozenset({"failed", "busy"})
"""Outcomes that another look-up may change soon."""

PROFILES = ("organization", "professional", "automated", "personal")

ACTIVE = timedelta(days=30)
OCCASIONAL = timedelta(days=365)
"""Since the last sign of life; what is older is dormant."""


def facts_of(findings: list[Finding], now: datetime) -> list[str]:
    """Return presence (`found`, `none`), profile and activity; each empty where it is unknown.

    >>> facts_of([], datetime(2026, 1, 1))
    ['', '', '']
    """
    found = [each for each in findings if each.outcome == "found"]
    if found:
        return ["found", _profile(found), _activity(found, now)]
    is_sure = bool(findings) and all(each.outcome in ANSWERS for each in findings)
    return ["none" if is_sure else "", "", ""]


def unanswered(findings: list[Finding]) -> list[str]:
    """Return the sources that may be asked again soon."""
    return [each.source for each in findings if each.outcome in OPEN]


def _profile(found: list[Finding]) -> str:
    kinds = {each.kind for each in found}
    return next((kind for kind in PROFILES if kind in kinds), "")


def _activity(found: list[Finding], now: datetime) -> str:
    """Return how lately they were active; without a time, whether there is anything by them at all."""
    times = [each.last_active_at for each in found if each.last_active_at is not None]
    if times:
        age = now - max(times)
        return "active" if age <= ACTIVE else "occasional" if age <= OCCASIONAL else "dormant"
    posts = [each.posts for each in found if each.posts is not None]
    if not posts:
        return ""
    return "occasional" if max(posts) else "dormant"
