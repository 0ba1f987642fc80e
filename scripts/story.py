"""Say a visitor's story in plain sentences: what the API gives as rows, one sentence for each.

Rules
1. Whatever comes gets a sentence: what is not known here is said by its own words, nothing is left out.
2. A decision says what was chosen, how likely that was, and what was refused by which rule.
3. What others wrote is shown (scripts/visible.py): nothing in it reaches the terminal as an order.
4. Hours are the visitor's own, as the path's hours are; all other times are UTC and say so.
"""

from __future__ import annotations

from typing import Any

from agents.rules.naming import counted_as
from messaging.vocabulary.effects import BY_ITSELF
from messaging.vocabulary.quarantine import DROPPED, EVENT, QUARANTINE, REPLAYED, UNREADABLE
from scripts.choices import decided
from scripts.reasons import why
from scripts.story_lines import line
from scripts.visible import plain, shown
from scripts.wording import TITLES, Row, because, did, held, mail, moment, offer, words

MOVERS = {
    "time": "time went by",
    "merge": "two were found to be one person",
    "history": "what they did before was looked up",
    "session": "their visit ended",
    "who": "more is known of who they are",
    "social": "what Social knows of them changed",
    "purchase": "what they bought changed",
    "machine": "an answer was found to be a machine's",
}
"""What moves a visitor between cohorts and is nothing that they did."""

NOT_SAID = frozenset(
    {"at", "kind", "bot", "id", "_id", "visitor", "detail", "path", "run", "stage"}
)
"""What stands elsewhere in a line, or says nothing to a person."""


def sentence(row: Row) -> str:
    """Return the sentence of one row of a timeline.

    >>> sentence({"kind": "event", "what": "Product Added"})
    'did "Product Added"'
    >>> sentence(
    ...     {
    ...         "kind": "story: run.won",
    ...         "detail": {"path": "p", "run": "1", "reason": "goal reached"},
    ...     }
    ... )
    'run 1 of p ended: won (the goal was reached)'
    """
    row = plain(row)
    table, _, kind = str(row.get("kind", "")).partition(": ")
    if table == "event":
        return did(str(row["what"]))
    if table == "cohorts.moved":
        return moved(row)
    if table == "decisions":
        return decided(row)
    if table == "sends":
        return _send(row)
    if table == "alerts":
        return _alert(row, kind)
    if table == "engagements":
        return engaged(row)
    if table == QUARANTINE:
        return set_aside(row | {"kind": kind})
    if table == "story":
        return line(kind, row.get("detail") or {})
    return f"{row.get('kind', '')}  {words(_rest(row))}".strip()


def moved(row: Row) -> str:
    """Return which cohorts were entered and left, and by what.

    >>> moved({"entered": ["keen"], "left": ["new"], "by": "track:Product Added"})
    'entered cohort keen, left cohort new: did "Product Added"'
    >>> moved({"entered": ["keen", "vip"], "left": [], "by": "rules:3"})
    'entered cohorts keen + vip: version 3 of the rules was published'
    """
    moves = [
        f"{way} cohort{'s' if len(row[way]) > 1 else ''} {words(row[way])}"
        for way in ("entered", "left")
        if row[way]
    ]
    return f"{', '.join(moves)}: {_moved_by(str(row['by']))}"


def _moved_by(by: str) -> str:
    kind, _, name = by.partition(":")
    if kind == "rules":
        return f"version {name} of the rules was published"
    if kind == "trait":
        trait = name.removeprefix("lists.")
        return f"{'list' if trait != name else 'trait'} {shown(trait)} changed"
    if kind == "place":
        return f"their {shown(name)} is another"
    if kind == "track":
        return did(counted_as(name))
    return MOVERS[kind] if kind in MOVERS else did(by)


def set_aside(row: Row) -> str:
    """Return what was set aside in quarantine, why, and what became of it (`told_aside`).

    >>> row = {"bot": "sales", "kind": "Purchased", "why": "the program failed at it", "again": ""}
    >>> set_aside({**row, "status": "open"})
    'Sales could not take what it was told ("Purchased"), and it was set aside: the program failed at it'
    >>> set_aside({**row, "status": "dropped"}).rpartition("; ")[2]
    'it was let go'
    """
    if row["kind"] in (EVENT, UNREADABLE):
        what = "an event could not be taken"
    else:
        to = TITLES.get(str(row["bot"]), "Machine")
        what = f'{to} could not take what it was told ("{row["kind"]}")'
    said = f"{what}, and it was set aside: {row['why']}"
    if row["status"] == REPLAYED and row["again"]:
        return f"{said}; it was replayed and could not be taken once more"
    if row["status"] == REPLAYED:
        return f"{said}; it was replayed and taken at {moment(row['settled_at'])}"
    return f"{said}; it was let go" if row["status"] == DROPPED else said


def by_whom(row: Row) -> str:
    """Return who did what a row tells: a bot, or the visitor."""
    if str(row.get("kind", "")).startswith("event"):
        return "Visitor"
    return TITLES.get(str(row.get("bot", "")), "Machine")


def _rest(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in NOT_SAID}


_STANDS = {
    "offered": "stands ready on the site",
    "shown": "is on the screen",
    "clicked": "was taken up",
    "submitted": "was answered",
    "dismissed": "was closed",
}
"""Status of an engagement that the visitor brought about -> what is said; the others are said by their own words."""


def engaged(row: Row) -> str:
    """Return how an engagement stands."""
    said = _STANDS.get(row["status"])
    if said is None:
        said = f"{row['status']} {'after it was seen' if row.get('shown_at') else 'unseen'}"
    return f"{offer(row)} {said}{because(row)}"


def _send(row: Row) -> str:
    return f"{mail(row)} {held(row) or row['status']}{because(row)}"


def _alert(row: Row, kind: str) -> str:
    if row["status"] == "open":
        return f"alert, waits for a person: {why(kind)}"
    when = f", {moment(row['settled_at'])}" if row.get("settled_at") else ""
    return f"alert {row['status']}{_settled_by(row.get('by'))}{when}: {why(kind)}"


def _settled_by(by: Any) -> str:
    if by in BY_ITSELF:
        return f" by itself ({why(by)})"
    return f" by {by}" if by else ""
