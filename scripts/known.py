"""Say what is known of a visitor: names and words, for the console and the visitor's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.behavior_bot.intake import MINUTE_EVENTS_MAX
from agents.behavior_bot.state import MARKS_IN_ALL_MAX
from agents.rules.event_models import MARKS_MAX
from agents.rules_manager.broadcast_rule import name_of
from scripts.choices import percent
from scripts.counting import counted
from scripts.visible import plain, shown
from scripts.wording import because, did, held, moment, words
from scripts.worth import amount_said, sum_said

SMALLEST = 0.001
"""Probabilities below it are said as being below it: that something will not happen is never known."""

SOCIAL = "social_"
"""Traits that the Social bot found begin so."""

ALERTS = "alert_settled"
NOT_THEIRS = frozenset(
    {
        ALERTS,
        "rules_published",
        "rules_filled",
        "broadcast_ordered",
        "entry_asked",
        "webhook_answered",
    }
)
"""Counted for a visitor, and no act of theirs."""


def facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what is known of a visitor, as names and words."""
    found = plain(found)
    yield "visitor", found["visitor_id"]
    yield "known as", words([*found["user_ids"], *found["anonymous_ids"]])
    known = {name: each for name, each in found["traits"].items() if each not in ("", None)}
    social = {name: known.pop(name) for name in list(known) if name.startswith(SOCIAL)}
    yield "traits", words(known)
    if social:
        yield (
            "social profile",
            words({name.removeprefix(SOCIAL): each for name, each in social.items()}),
        )
    if found.get("zone"):
        yield "time zone", found["zone"]
    if found["lists"]:
        yield "lists", ", ".join(found["lists"])
    yield "consent", _consent(found)
    yield "cohorts", ", ".join(found["cohorts"]) or "-"
    yield "scores", words(found["scores"])
    if found["unsubscribed_at"]:
        yield "unsubscribed", moment(found["unsubscribed_at"])
    yield (
        "has done",
        ", ".join(
            f"{did(shown(what))} ({_times(count, found.get('by_people', {}).get(what))})"
            for what, count in found["counters"].items()
            if what not in NOT_THEIRS
        ),
    )
    yield from bounded(
        found.get("marks_dropped", 0) + found.get("let_go", 0), found.get("over_bound", 0)
    )
    if answered := found["counters"].get(ALERTS):
        yield "alerts", f"answered by a person ({answered:,} x)"
    for name, told in found.get("probabilities", {}).items():
        yield name, _likely(told)
    for order in found.get("orders", []):
        yield "order", order_said(order)
    for run in found["runs"]:
        is_broadcast = run["path"].startswith(name_of(""))
        yield ("broadcast", _broadcast(run)) if is_broadcast else ("path", _run(run))
    for send in found["sends"]:
        yield "e-mail", _send(send)
    for offer in found.get("engagements", []):
        yield "on site", f"{offer['interaction']}: {offer['status']}, {moment(offer['at'])}"


def bounded(
    let_go: int, over: int, visitors: tuple[int, int] = (0, 0)
) -> Iterator[tuple[str, str]]:
    """Return what bounds kept from rules, in words; of many visitors with how many met each bound.

    >>> [name for name, _ in bounded(0, 0)], [name for name, _ in bounded(12, 3)]
    ([], ['let go', 'not looked at'])
    """
    of = [f" of {counted(many, 'visitors')}" if many else "" for many in visitors]
    if let_go:
        kept = f"the newest {MARKS_MAX} of each kind are kept, {MARKS_IN_ALL_MAX} in all"
        looked = "of what rules look at one by one (keyed, in sequence, with properties)"
        unseen = "a rule that reaches back further does not see them"
        events = f"{counted(let_go, 'older events')}{of[0]}, or hours of them"
        yield "let go", f"{events}: {looked} {kept}; {unseen}"
    if over:
        beyond = f"beyond {MINUTE_EVENTS_MAX:,} in one minute: counted, and nothing more"
        yield "not looked at", f"{counted(over, 'events')}{of[1]} {beyond}"


def _times(count: int, by_people: int | None) -> str:
    """Return how often something was done; opens and clicks are told apart from what machines do.

    >>> _times(6, 0), _times(6, 2), _times(3, 3), _times(1, None)
    ('6 x, by machines only', '6 x, 2 by a person', '3 x', '1 x')
    """
    said = f"{count:,} x"
    if by_people is None or by_people == count:
        return said
    return f"{said}, {by_people:,} by a person" if by_people else f"{said}, by machines only"


def _consent(found: dict[str, Any]) -> str:
    """Return what was agreed to, when that was last said, and on what basis.

    >>> at = "2026-11-26T14:00:00Z"
    >>> said = {
    ...     "category": "email",
    ...     "given": True,
    ...     "at": at,
    ...     "by": "identify",
    ...     "basis": "order form",
    ... }
    >>> _consent({"consent": {"email": True, "site": False}, "consents": [said]})
    'email yes (order form, said Thu 26 Nov 2026, 14:00 UTC by identify), site no'

    >>> _consent({"consent": {"email": True}, "confirmation_asked_at": at})
    'email yes, not confirmed yet (asked Thu 26 Nov 2026, 14:00 UTC)'
    """
    details = {each["category"]: each for each in found.get("consents", ())}
    parts = []
    for category, given in found["consent"].items():
        said = f"{shown(category)} {words(given)}"
        each = details.get(category)
        if each is not None and each["given"] == given:
            by = f" by {each['by']}" if each["by"] else ""
            basis = f"{each['basis']}, " if each["basis"] else ""
            said += f" ({basis}said {moment(each['at'])}{by})"
        asked = found.get("confirmation_asked_at")
        if category == "email" and given and asked:
            said += f", not confirmed yet (asked {moment(asked)})"
        parts.append(said)
    return ", ".join(parts) or "-"


def _likely(told: dict[str, Any]) -> str:
    """Return a probability with its reasons.

    >>> _likely(
    ...     {
    ...         "value": 0.12,
    ...         "horizon_days": 30,
    ...         "early": True,
    ...         "reasons": ["more likely: e-mails opened (1)"],
    ...     }
    ... )
    '12 % likely within 30 days (learned from few so far); more likely: e-mails opened (1)'
    """
    few = " (learned from few so far)" if told["early"] else ""
    if told.get("made_up"):
        few = " (learned from made-up people so far)"
    said = f"{chance(told['value'])} likely within {told['horizon_days']} days{few}"
    held = told.get("in_rules")
    rules = [f"rules go by {percent(held['value'])} of {moment(held['at'])}"] if held else []
    return "; ".join([said, *told["reasons"], *rules])


def chance(value: float) -> str:
    """Return a probability in words.

    >>> chance(0.124), chance(0.0)
    ('12 %', 'under 0.1 %')
    """
    return percent(value) if value >= SMALLEST else f"under {percent(SMALLEST)}"


def order_said(order: dict[str, Any]) -> str:
    """Return an order with what is left of it, and the e-mails that share its credit (the last touch first)."""
    currency = order["currency"]
    name = "without an id of the site's" if order.get("is_unnamed") else order["order_id"]
    said = f"{name}: {sum_said(order['value'], currency)}"
    if order.get("issue"):
        said += f" ({order['issue']})"
    if order["refunded"]:
        back, left = (amount_said(order[name], currency) for name in ("refunded", "left"))
        said += f", {back} given back, {left} left"
    templates = [each["template"] for each in reversed(order["credits"])]
    return said + (f", thanks to {words(templates)}" if templates else "")


def _run(run: dict[str, Any]) -> str:
    said = f"{run['path']}, run {run['run']}: {run['status']} at stage {run['stage']}"
    said += f", {run['attempt']} of its e-mails sent, since {moment(run['entered_at'])}"
    if run["planned_at"]:
        said += f", the next e-mail {moment(run['planned_at'])}"
    return said + (", held out from learning" if run["holdout"] else "")


def _broadcast(run: dict[str, Any]) -> str:
    """Return how a broadcast fares, which is a run of its own.

    >>> run = {"path": "broadcast:01ef", "status": "planned", "entered_at": "2026-11-26T14:00:00Z"}
    >>> _broadcast(run)
    '01ef: planned, since Thu 26 Nov 2026, 14:00 UTC'
    """
    id_ = run["path"].removeprefix(name_of(""))
    return f"{id_}: {run['status']}, since {moment(run['entered_at'])}"


def _send(send: dict[str, Any]) -> str:
    if waits := held(send):
        return f"{send['template']}: {waits}{because(send)}, {moment(send['at'])}"
    reason = f" ({send['reason']})" if send["reason"] else ""
    return f"{send['template']}: {send['status']}{reason}, {moment(send['at'])}"
