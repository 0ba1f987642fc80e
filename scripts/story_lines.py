"""Say each kind of line that the bots write into a visitor's story, in one sentence.

Rules
1. Whatever comes gets a sentence: a kind that is not known here is said by its own words.
2. A kind stands in one table (`_TOLD`); what takes more than a line has a function of its own above it.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.protocol.currency import is_same
from scripts.choices import percent
from scripts.counting import counted
from scripts.reasons import not_offered, why, why_capped
from scripts.wording import Row, because, mail, moment, of_path, offer, order_of, words
from scripts.worth import sum_said

OF_BROADCASTS = "broadcast:"
"""Stands before the id of a broadcast where a path is named."""


def _goal(d: Row) -> str:
    worth = f" of {sum_said(d['value'], d.get('currency') or '')}" if d.get("value") else ""
    credit = _credit(d)
    order = f" {d['order_id']}" if d["order_id"] else ""
    # Whoever was on one of these paths has a line of the run that ended by it; this says nothing of who was on none.
    paths = d["paths"]
    whose = f"{words(paths)} has as its" if len(paths) == 1 else f"{len(paths)} paths have as their"
    return f'did what {whose} goal: "{d["event"]}"{order}{worth}{credit}'


def _credit(d: Row) -> str:
    if not d.get("credited"):
        return ""
    sends = len(d.get("linear") or ())
    return ", thanks to an e-mail of ours" + (f" (and {sends - 1} before it)" if sends > 1 else "")


def _refund(d: Row) -> str:
    currency = d.get("currency") or ""
    amount = "all of it" if d["amount"] is None else sum_said(d["amount"], currency)
    if d.get("issue"):
        is_counted = d["amount"] and is_same(currency, d.get("left_currency") or "")
        amount = f"{amount if is_counted else 'an amount that counts nothing'} ({d['issue']})"
    if d.get("failed"):
        amount = f"giving {amount} back failed"
        if d["left"] is None:
            return f"{_order(d)}: {amount}, before the order itself is known"
        left = sum_said(d["left"], d.get("left_currency") or currency)
        return f"{_order(d)}: {amount}, {left} and its credit are left"
    if d["left"] is None:
        return f"{_order(d)}: {amount} given back, before the order itself is known"
    left = sum_said(d["left"], d.get("left_currency") or currency)
    return f"{_order(d)}: {amount} given back, {left} and its credit are left"


def _order(d: Row) -> str:
    return f"order {d['order_id']}" if d["order_id"] else "an order"


def _unread(d: Row) -> str:
    worth = sum_said(d["value"], d.get("currency") or "") if d.get("value") else "nothing"
    return f"{_order(d)} counts {worth}: {d['issue']}"


def _given_back(d: Row) -> str:
    return f"the attempt does not count: {d['outcome']}{because(d)}"


def _asked(d: Row) -> str:
    """Return whom Social asked, and what came.

    >>> _asked(
    ...     {"source": "gravatar", "hosts": ["api.example"], "outcome": "found", "kind": "personal"}
    ... )
    'asked gravatar (api.example) for a public profile: found, personal'
    >>> _asked(
    ...     {
    ...         "source": "activitypub",
    ...         "hosts": [],
    ...         "outcome": "busy",
    ...         "reason": "our own line is full",
    ...     }
    ... )
    'asked activitypub (nobody was reached) for a public profile: busy (our own line is full)'
    """
    hosts = list(dict.fromkeys(d["hosts"]))
    said = d["outcome"] + (f" ({d['reason']})" if d.get("reason") else "")
    said += f", {d['kind']}" if d.get("kind") else ""
    said += f", {counted(d['posts'], 'posts')}" if d.get("posts") is not None else ""
    if d.get("last_active_at"):
        said += f", last active {moment(d['last_active_at'])}"
    return f"asked {d['source']} ({', '.join(hosts) or 'nobody was reached'}) for a public profile: {said}"


def _seen(d: Row) -> str:
    """Return what was found in the end.

    >>> (
    ...     _seen({"presence": "found", "profile": "personal", "activity": "active"}),
    ...     _seen({"presence": ""}),
    ... )
    ('social presence found: profile personal, activity active', 'social presence unknown')
    """
    known = [f"{name} {d[name]}" for name in ("profile", "activity") if d.get(name)]
    return f"social presence {d['presence'] or 'unknown'}" + (
        f": {', '.join(known)}" if known else ""
    )


def _asking(d: Row) -> str:
    again = "" if d["times"] == 1 else " once more: the answer was lost"
    return f"looks for a public profile at {words(d['sources'])}{again}"


def _likely(d: Row) -> str:
    """Return what a rule made of a probability.

    >>> _likely({"chances": {"customer": 0.31}, "entered": ["likely"], "left": []})
    'is 31 % likely to become a customer: entered likely'
    """
    said = [
        f"{percent(v)} likely to become {_OF[n]}" for n, v in d["chances"].items() if v is not None
    ]
    moves = [f"{way} {words(d[way])}" for way in ("entered", "left") if d[way]]
    return f"is {' and '.join(said) or 'no lead any more'}: {', '.join(moves)}"


def _form(d: Row) -> str:
    """Return what was answered, and what followed at once.

    >>> _form({"answers": {"missing": "The price"}, "entered": ["asks-for-price"], "left": []})
    'answered: missing The price; entered asks-for-price'
    """
    moves = [f"{way} {words(d[way])}" for way in ("entered", "left") if d[way]]
    return "; ".join([f"answered: {words(d['answers'])}", *moves])


def _broadcast(d: Row) -> str:
    """Return the broadcast that a line is about, empty where it is about a path."""
    return d["path"].removeprefix(OF_BROADCASTS) if d["path"].startswith(OF_BROADCASTS) else ""


def _planned(d: Row) -> str:
    """Return when an e-mail is to go, and why not at once.

    >>> _planned({"path": "broadcast:b1", "at": "2026-11-26T08:00:00Z", "why": "quiet_hours"})
    'broadcast b1 waits until Thu 26 Nov 2026, 08:00 UTC: quiet hours'
    """
    reason = f": {why_capped(d['why'], d.get('cap'))}" if d.get("why") else ""
    at = moment(d["at"])
    if name := _broadcast(d):
        return f"broadcast {name} {'waits until' if reason else 'is due at'} {at}{reason}"
    return f'planned the e-mail "{d["step"]}"{of_path(d)} for {at}{reason}'


_CALLED_OFF = ("address bounced", "cohort", "consent", "mailbox_of_another_visitor")
"""Rules that end a run whose e-mail is due, but where two became one and a word on them may be on its way (`waits`)."""


def _put_off(d: Row) -> str:
    """Return why an e-mail waits, with what went before it and what each was worth; or why it does not go at all.

    >>> row = {"path": "club", "stage": "invited", "rule": "outvalued", "ahead": "lead"}
    >>> _put_off(row | {"ahead_template": "hi", "ahead_value": 80.0, "value": 12.5})[40:]
    'put off: an e-mail of more value went before it (hi of lead, 80 against 12.5)'
    >>> _put_off({"path": "broadcast:b1", "stage": "broadcast", "rule": "cohort"})
    'broadcast b1 is not sent: they have left its cohort meanwhile'
    >>> _put_off({"path": "club", "stage": "invited", "rule": "consent"})
    'the e-mail of stage invited of club is not sent: the visitor has not agreed to it'
    """
    ahead = ""
    if d.get("ahead"):
        values = "ahead_value" in d
        worth = f", {d['ahead_value']:.3g} against {d['value']:.3g}" if values else ""
        ahead = f" ({d.get('ahead_template') or 'an e-mail'} of {d['ahead']}{worth})"
    name = _broadcast(d)
    what = f"broadcast {name}" if name else f"the e-mail of stage {d['stage']}{of_path(d)}"
    if d["rule"] in _CALLED_OFF and not d.get("waits"):
        is_left = name and d["rule"] == "cohort"
        reason = "they have left its cohort meanwhile" if is_left else why(d["rule"])
        return f"{what} is not sent: {reason}"
    return f"{what} was put off: {why_capped(d['rule'], d.get('cap'))}{ahead}"


def _at_publishing(d: Row) -> str:
    """Return when and by whom it was decided what becomes of a run.

    >>> _at_publishing({"version": 3, "by": "kim"})
    'decided at publishing version 3, by kim'
    """
    return f"decided at publishing version {d['version']}" + (
        f", by {d['by']}" if d.get("by") else ""
    )


def _stayed(d: Row) -> str:
    """Return that a run stays on its version, and why.

    >>> row = {"run": "1", "path": "club", "stage": "cart", "stays": 3, "version": 4}
    >>> _stayed(row).partition("of the rules, ")[2]
    'as was chosen for stage cart: decided at publishing version 4'
    """
    reason = f"since version {d['version']} has {d['reason']}" if d.get("reason") else ""
    reason = reason or f"as was chosen for stage {d['stage']}"
    return (
        f"run {d['run']} of {d['path']} stays on version {d['stays']} of the rules, {reason}:"
        f" {_at_publishing(d)}"
    )


_DOES = {
    "wait": "a wait",
    "wait_until": "something is waited for",
    "if": "a question",
    "split": "the ways part",
    "email": "an e-mail",
    "offer": "an offer on the site",
    "traits": "something is noted of them",
    "alert": "a person is called",
    "webhook": "another system is asked",
    "goto": "back, or on",
    "end": "the end",
}
"""Kind of a flow's step -> what it is for."""

_OF = {"opportunity": "an opportunity", "customer": "a customer"}

_TOLD: dict[str, Callable[[Row], str]] = {
    "run.entered": lambda d: (
        f"entered path {d['path']} (run {d['run']}, version {d['version']}) at stage {d['stage']}"
    ),
    "run.migrated": lambda d: (
        f"run {d['run']} of {d['path']} went over to version {d['version']} of the rules, from {d['before']}:"
        f" {_at_publishing(d)}"
    ),
    "run.stayed": _stayed,
    "run.refused": lambda d: f"did not enter path {d['path']}: {why(d['rule'])}",
    "run.kept_off": lambda d: f"does not enter path {d['path']} yet: {why(d['rule'])}",
    "broadcast.planned": lambda d: f"is to get the broadcast of {d['template']}",
    "broadcast.refused": lambda d: f"does not get broadcast {d['broadcast']}: {why(d['rule'])}",
    "step.answered": lambda d: f"step {d['stage']}: the webhook was answered",
    "step.unanswered": lambda d: f"step {d['stage']}: the webhook got no answer ({d['reason']})",
    "run.held": lambda d: f"waits: path {d['path']} is paused",
    "run.alerted": lambda d: (
        f"run {d['run']} of {d['path']} rests after {counted(d['attempts'], 'attempts')}: a person is called"
    ),
    "run.ended": lambda d: (
        f"run {d['run']} of {d['path']} came to the end of its flow, at step {d['stage']}"
    ),
    "step.reached": lambda d: (
        f"came to step {d['stage']}{of_path(d)}: {_DOES.get(d['does'], d['does'])}"
    ),
    "step.waits": lambda d: f"waits at step {d['stage']}{of_path(d)} until {moment(d['until'])}",
    "step.awaits_history": lambda d: (
        f"waits at step {d['stage']}{of_path(d)} for history: what it asks of the past is being filled in, "
        f"until {moment(d['until'])} at most"
    ),
    "step.came_true": lambda d: f"what step {d['stage']}{of_path(d)} waited for has happened",
    "step.timed_out": lambda d: (
        f"what step {d['stage']}{of_path(d)} waited for did not happen in time"
    ),
    "step.split": lambda d: f'goes the way "{d["way"]}" at step {d["stage"]}{of_path(d)}',
    "stage.reached": lambda d: (
        f"moved on to stage {d['stage']}{of_path(d)}"
        + (", a sales opportunity" if d.get("opportunity") else "")
    ),
    "send.planned": _planned,
    "send.revised": lambda d: (
        f"more is known of their hours: the e-mail{of_path(d)} is planned again"
    ),
    "send.given_back": _given_back,
    "send.settled": lambda d: (
        f"attempt {d['attempt']} counts ({d['outcome']}): an answer is waited for"
    ),
    "send.refused": lambda d: f"{mail(d)} refused{because(d)}",
    "send.cancelled": lambda d: f"{mail(d)} cancelled{because(d)}",
    "send.bounced": lambda d: f"{mail(d)} came back{because(d)}",
    "send.resent": lambda d: f"{mail(d)} is sent once more{because(d)}",
    "success.refused": lambda d: f"no success e-mail for {order_of(d)}{because(d)}",
    "touch.refused": _put_off,
    "response.by_machine": lambda d: f"a machine {d['response']} an e-mail: it counts nothing",
    "response.late": lambda d: f"{d['response']} an e-mail after the run had ended",
    "confirmation.refused": lambda d: f"nobody was asked to confirm the address{because(d)}",
    "address.confirmed": lambda _: "their address is confirmed: it may be written to",
    "list.changed": lambda d: ", ".join(
        f"{'put on' if is_on else 'taken off'} the list {n}" for n, is_on in d["lists"].items()
    ),
    "goal.reached": _goal,
    "order.refunded": _refund,
    "order.unread": _unread,
    "alert.settled": lambda d: f"{d['by'] or 'somebody'} answered the alert: {d['action']}",
    "alert.stale": lambda d: (
        f"{d['by'] or 'somebody'} answered an alert that was over: {d['action']}"
    ),
    "offer.refused": lambda d: f"was not offered the {offer(d)}: {not_offered(d['rule'])}",
    "engagement.refused": lambda d: f"the {offer(d)} was not put up{because(d)}",
    "engagement.late": lambda d: (
        f"{d['response']} the {offer(d)}, which had been taken back meanwhile"
    ),
    "social.asking": _asking,
    "social.asked": _asked,
    "social.seen": _seen,
    "social.refused": lambda d: f"is not looked for elsewhere: {d['rule']}",
    "social.forgotten": lambda _: "what was found of them elsewhere is forgotten",
    "probability.moved": _likely,
    "form.answered": _form,
    "visitor.merged": lambda d: f"is the same person as visitor {d['younger']}: both are one now",
    "outcome.unexpected": lambda d: (
        f"an outcome came for an e-mail that did not wait for one: {d['outcome']}"
    ),
}
"""Kind of a line -> its sentence. What ends a run (`run.won` and the like) is said alike for all."""


def line(kind: str, detail: Row) -> str:
    """Return the sentence of a line: its kind, and what was noted with it."""
    if kind in _TOLD:
        return _TOLD[kind](detail)
    group, _, what = kind.partition(".")
    if kind == "run.stopped" and "version" in detail:
        return f"run {detail['run']} of {detail['path']} left the path: {_at_publishing(detail)}"
    if group == "run" and "path" in detail:
        reason = f" ({why(detail['reason'])})" if detail.get("reason") else ""
        return f"run {detail['run']} of {detail['path']} ended: {what}{reason}"
    return f"{kind}  {words(detail)}"
