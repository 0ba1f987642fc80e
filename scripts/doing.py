"""Say what each bot is doing right now in one sentence, with its figures.

Rule 1: the sentence is made of the bot's newest row and of sums; its parts' numbers say how busy it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from messaging.gateway.told import BotNow
from scripts.choices import decided, policy_words
from scripts.counting import counted
from scripts.story import engaged
from scripts.wording import TITLES
from scripts.worth import revenue_said, sum_said

Facts = dict[str, Any]
Numbers = dict[str, dict[str, float]]
Said = tuple[str, list[tuple[str, str]]]

BEHIND_CHUNKS = 20
"""Chunks that wait in an inbox: more than arrive while a batch is committed."""

BUSY_RATE = 0.05

UNITS = (("days", 86_400, 2), ("hours", 3_600, 2), ("minutes", 60, 1))
"""Name, seconds, and from how many on it is used: 90 minutes say more than one hour."""

PRESENCES = ("found", "none", "unknown")
OPTIONAL = "social"
"""The bot that runs only when it is switched on."""

JOBS = {
    "behavior": "Knows who somebody is, what they did, and which cohorts they are in.",
    "social": "Looks up what people show of themselves in public, if you switch it on.",
    "engagement": "Shows what fits on the site: notices, a question, a chat, an offer.",
    "email": "Hands e-mails over, each at most once, and takes every answer.",
    "rules": "Keeps everybody's place on the path; says what is allowed and picks what is best.",
    "sales": "Counts orders and refunds, and what led to them.",
    "learner": "Learns from what came of each decision, and publishes better policies.",
}


def bots_now(facts: Facts, parts: Numbers, now: datetime) -> list[BotNow]:
    """Return what each bot does, in the order in which a visitor meets them."""
    found = []
    for bot, job in JOBS.items():
        numbers = numbers_of(bot, parts)
        said, figures = _SAY[bot](facts, now)
        state = state_of(numbers, optional=bot == OPTIONAL)
        if state == "off":
            said = "Is off: nobody is looked up anywhere."
        figures = [*figures, ("per second", f"{numbers.get('rate', 0.0):,.1f}")]
        if numbers:
            figures.append(("lag, s", f"{numbers['lag_seconds']:,.1f}"))
        found.append(BotNow(title=TITLES[bot], job=job, now=said, state=state, figures=figures))
    return found


def numbers_of(bot: str, parts: Numbers) -> dict[str, float]:
    """Return a bot's numbers over its shards, empty where none runs.

    >>> numbers_of("rules", {"rules-0": {"rate": 1.0}, "rules-1": {"rate": 2.0, "ready": 0.0}})
    {'ready': 0.0, 'lag_seconds': 0.0, 'rate': 3.0, 'pending': 0.0, 'inbox_chunks': 0.0}
    """
    shards = [each for name, each in parts.items() if name.rpartition("-")[0] == bot]
    if not shards:
        return {}
    sums = {
        key: sum(each.get(key, 0.0) for each in shards)
        for key in ("rate", "pending", "inbox_chunks")
    }
    return {
        "ready": min(min(each.get("ready", 1.0), each.get("up", 1.0)) for each in shards),
        "lag_seconds": max(each.get("lag_seconds", 0.0) for each in shards),
        **sums,
    }


def state_of(numbers: dict[str, float], *, optional: bool = False) -> str:
    """Return how a bot fares: `off`, `away`, `behind`, `works` or `rests`.

    >>> state_of({}, optional=True), state_of({}), state_of({"ready": 1.0, "rate": 3.0})
    ('off', 'away', 'works')
    >>> state_of({"up": 0.0, "lag_seconds": 4.0})
    'away'
    """
    if not numbers:
        return "off" if optional else "away"
    if not numbers.get("ready", 1.0) or not numbers.get("up", 1.0):
        return "away"
    if numbers.get("inbox_chunks", 0.0) > BEHIND_CHUNKS:
        return "behind"
    return "works" if numbers.get("rate", 0.0) >= BUSY_RATE or numbers.get("pending") else "rests"


def ago(at: Any, now: datetime) -> str:
    """Return how long ago something was, in world time.

    >>> ago("2026-11-26T11:00:00Z", datetime.fromisoformat("2026-11-26T12:30:00Z"))
    '90 minutes ago'
    """
    seconds = (now - datetime.fromisoformat(str(at))).total_seconds()
    for unit, size, least in UNITS:
        if seconds >= least * size:
            return f"{counted(int(seconds // size), unit)} ago"
    return "just now"


def _behavior(facts: Facts, _: datetime) -> Said:
    people = facts["counts"]["people"]
    unknown = people["people"] - people["known"]
    said = (
        f"Follows {counted(unknown, 'visitors')} whose address is not known yet, and "
        f"{counted(people['known'], 'leads and customers')} by address."
    )
    return said, [("people", f"{people['people']:,}"), ("customers", f"{people['customers']:,}")]


def _social(facts: Facts, now: datetime) -> Said:
    found, nobody, unknown = (facts["counts"]["presences"][name] for name in PRESENCES)
    if not found + nobody + unknown:
        return "Waits for the first address to ask about.", []
    said = (
        f"Has asked about {counted(found + nobody + unknown, 'people')}: {found:,} "
        f"{'have' if found != 1 else 'has'} a public profile, {nobody:,} {'are' if nobody != 1 else 'is'} "
        "not known anywhere"
    )
    said += f", about {unknown:,} nobody answered" if unknown else ""
    last = facts["newest"]["seen"]
    if last is not None:
        said += f"; the last: {_profile(last['detail'])}, {ago(last['at'], now)}"
    return f"{said}.", [("found", f"{found:,}"), ("not found", f"{nobody:,}")]


def _profile(seen: Facts) -> str:
    """Return what was found of somebody.

    >>> _profile({"presence": "found", "profile": "personal", "activity": "active"})
    'a profile (personal, active)'
    """
    if seen["presence"] != "found":
        return "nobody knew them" if seen["presence"] else "no answer"
    known = [seen[name] for name in ("profile", "activity") if seen.get(name)]
    return f"a profile ({', '.join(known)})" if known else "a profile"


def _engagement(facts: Facts, now: datetime) -> Said:
    counts, offer = facts["counts"]["engagements"], facts["newest"]["offer"]
    standing = counts["offered"] + counts["shown"]
    last = f"; the last: {engaged(offer)}, {ago(offer['at'], now)}" if offer is not None else ""
    stands = counted(standing, "offers") if standing else "nothing"
    said = f"Has {stands} standing on the site{last}."
    answered = counts["clicked"] + counts["submitted"]
    return said, [("on screens", f"{counts['shown']:,}"), ("answered", f"{answered:,}")]


def _email(facts: Facts, now: datetime) -> Said:
    sends = facts["counts"]["sends"]
    last, late = facts["newest"]["send"], facts["newest"]["late"]
    under_way = sends["waiting"] + sends["handing over"] + sends["deferred"]
    said = f"{counted(under_way, 'e-mails')} on the way to the server".capitalize()
    if not under_way:
        said = "Waits for the hour of the next e-mail"
    if late is not None and sends["deferred"]:
        said += f", {sends['deferred']:,} of them tried again, the newest for: {late['reason']}"
    if last is not None:
        said += f"; handed over “{last['template']}” {ago(last['at'], now)}"
    return f"{said}.", [
        ("handed over", f"{sends['handed over']:,}"),
        ("came back", f"{sends['bounced']:,}"),
    ]


def _rules(facts: Facts, now: datetime) -> Said:
    runs = facts["counts"]["runs"]
    going = sum(runs.get(status, 0) for status in ("planned", "sending", "waiting", "visiting"))
    said = f"Leads {counted(going, 'people')} along their path" if going else "Has nobody on a path"
    decisions = facts["decisions"]
    if decisions:
        row = decisions[0]
        said += f"; {decided(row, brief=True)}, {ago(row['at'], now)}"
    return f"{said}.", [
        ("on the way", f"{going:,}"),
        ("decisions", f"{facts['decided']:,}"),
    ]


def _sales(facts: Facts, now: datetime) -> Said:
    counts, order = facts["counts"], facts["newest"]["order"]
    figures = [
        ("orders", f"{counts['orders']:,}"),
        ("revenue", revenue_said(counts["sales"])),
    ]
    if order is None:
        return "Waits for the first order.", figures
    thanks = (
        f", thanks to “{order['template']}”"
        if order.get("template")
        else ", without an e-mail of ours"
    )
    value = sum_said(order["value"], order["currency"])
    return f"Counted an order of {value} {ago(order['at'], now)}{thanks}.", figures


def _learner(facts: Facts, now: datetime) -> Said:
    snapshot = facts["newest"]["snapshot"]
    figures = [("answers", f"{facts['rewarded']:,}")]
    if snapshot is None:
        return "Collects what comes of each decision; nothing is published yet.", figures
    policy = policy_words(snapshot["policy"])
    learned = f"Has learned from {counted(facts['rewarded'], 'answers')}; published version"
    said = f"{learned} {snapshot['version']:,} of {policy} {ago(snapshot['at'], now)}."
    return said, figures


_SAY: dict[str, Callable[[Facts, datetime], Said]] = {
    "behavior": _behavior,
    "social": _social,
    "engagement": _engagement,
    "email": _email,
    "rules": _rules,
    "sales": _sales,
    "learner": _learner,
}
