"""Say why an e-mail was chosen for a lead, in words a marketer reads: what was known of them at that moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agents.rules_manager.context import NAMES
from scripts.counting import counted

Row = dict[str, Any]
Moment = Mapping[str, float]

LITTLE = "little is known yet"
EVERYBODY = "it is what leads answer best"
TRIED = "drawn to learn more of it, as far as is known another is answered better"
BY_LEAD = "by what is known of them"

COHORT = "cohort "

DAY_PARTS = ((5, "night"), (11, "morning"), (14, "midday"), (18, "afternoon"), (22, "evening"))
"""(Hour before which it is, what it is called)."""

DAY_HOURS = 24
WEEKEND = 5 * DAY_HOURS


def because(row: Row) -> str:
    """Return why a decision chose its arm; empty where nothing was learned for it, or an older version wrote it.

    >>> because({"because": ["little"], "context": []})
    'little is known yet'
    >>> moment = dict.fromkeys(NAMES, 0.0) | {"visits that ended in 7 days": 2.0}
    >>> because(
    ...     {
    ...         "because": ["visits_7_days", "clicked", "cohort keen"],
    ...         "context": list(moment.values()),
    ...     }
    ... )
    'by what is known of them: came twice this week, followed no link of this path, is "keen"'
    """
    reasons = row.get("because") or []
    if not reasons:
        return ""
    if reasons == ["little"]:
        return LITTLE
    if reasons == ["tried"]:
        return TRIED
    moment = dict(zip(NAMES, row.get("context") or [], strict=False))
    told = [reason_words(reason, moment) for reason in reasons if reason != "everybody"]
    said = list(dict.fromkeys(each for each in told if each))
    return f"{BY_LEAD}: {', '.join(said)}" if said else EVERYBODY


def reason_words(reason: str, moment: Moment) -> str:
    """Return one thing that is known of a lead, as it was; empty where the moment does not tell it.

    >>> reason_words("orders", {"orders of the visitor": 1.0})
    'bought once'
    >>> reason_words("days_since_visit", {"days since the last visit ended, -1 for none": -1.0})
    'no visit of theirs has ended yet'
    """
    if reason.startswith(COHORT):
        return f'is "{reason.removeprefix(COHORT)}"'
    if reason == "no cohort":
        return "is not in certain cohorts"
    if reason not in _WORDS:
        return reason.replace("_", " ")
    name, words = _WORDS[reason]
    return words(moment[name]) if name in moment else ""


def times(count: float) -> str:
    """Return how often.

    >>> times(1), times(2), times(5)
    ('once', 'twice', '5 times')
    """
    many = round(count)
    return {1: "once", 2: "twice"}.get(many, f"{many:,} times")


def _or_none(some: Callable[[float], str], none: str) -> Callable[[float], str]:
    return lambda value: some(value) if value > 0.0 else none


def _ago(what: str, never: str) -> Callable[[float], str]:
    def said(days: float) -> str:
        if days < 0.0:
            return never
        return f"{what} today" if days < 1.0 else f"{what} {counted(round(days), 'days')} ago"

    return said


def _part_of_day(slot: float) -> str:
    hour = int(slot) % DAY_HOURS
    part = next((name for before, name in DAY_PARTS if hour < before), "night")
    return f"it was {part} where they are"


def _weekend(slot: float) -> str:
    return "at the weekend" if slot >= WEEKEND else "on a working day"


_HOUR = "hour of the week in the visitor's zone, 0 = Monday 00:00"
_MAILED = "days since its last e-mail, -1 for none"

_WORDS: dict[str, tuple[str, Callable[[float], str]]] = {
    "attempts": (
        "attempts of the run",
        lambda n: f"e-mail {round(n) + 1} of this path",
    ),
    "days_on_path": (
        "days since the run was entered",
        lambda days: (
            "on the path since today"
            if days < 1.0
            else f"on the path for {counted(round(days), 'days')}"
        ),
    ),
    "first_of_run": (
        _MAILED,
        lambda days: "the first e-mail of this path" if days < 0.0 else "not the first e-mail",
    ),
    "days_since_mail": (_MAILED, _ago("last written to", "not written to on this path before")),
    "opened": (
        "its e-mails opened",
        _or_none(lambda n: f"opened {counted(round(n), 'e-mails')} of this path", "opened none"),
    ),
    "clicked": (
        "its e-mails clicked",
        _or_none(lambda n: f"clicked {times(n)} before", "followed no link of this path"),
    ),
    "orders": ("orders of the visitor", _or_none(lambda n: f"bought {times(n)}", "bought nothing")),
    "touches": (
        "touches that the caps remember",
        _or_none(lambda n: f"{counted(round(n), 'contacts')} of late", "no contact of late"),
    ),
    "hour_sine": (_HOUR, _part_of_day),
    "hour_cosine": (_HOUR, _part_of_day),
    "weekend": (_HOUR, _weekend),
    "visits_7_days": (
        "visits that ended in 7 days",
        _or_none(lambda n: f"came {times(n)} this week", "did not come this week"),
    ),
    "visits_30_days": (
        "visits that ended in 30 days",
        _or_none(lambda n: f"came {times(n)} in 30 days", "did not come in 30 days"),
    ),
    "days_since_visit": (
        "days since the last visit ended, -1 for none",
        _ago("last came", "no visit of theirs has ended yet"),
    ),
    "pages_of_visit": (
        "pages of the last visit",
        _or_none(
            lambda n: f"looked at {counted(round(n), 'pages')} last time", "looked at nothing"
        ),
    ),
    "opened_anywhere": (
        "e-mails opened on all paths",
        _or_none(lambda n: f"opened {counted(round(n), 'e-mails')}", "opened no e-mail"),
    ),
    "clicked_anywhere": (
        "e-mails clicked on all paths",
        _or_none(lambda n: f"clicked {times(n)} before", "followed no link of an e-mail"),
    ),
}
"""Input -> the number of the context that it follows from, and how that is said."""
