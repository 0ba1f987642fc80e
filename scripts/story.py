"""Say a visitor's story in plain sentences: what the API gives as rows, one sentence for each.

Rules
1. Whatever comes gets a sentence: what is not known here is said by its own words, nothing is left out.
2. A decision says what was chosen, how likely that was, and what was refused by which rule.
3. What others wrote is shown (scripts/visible.py): nothing in it reaches the terminal as an order.
4. Hours are the visitor's own, as the path's hours are; all other times are UTC and say so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from messaging.gateway.moments import in_words
from messaging.vocabulary.quarantine import DROPPED, EVENT, QUARANTINE, REPLAYED, UNREADABLE
from scripts.choices import decided, percent
from scripts.counting import counted
from scripts.reasons import not_offered, why
from scripts.visible import plain, shown

Row = dict[str, Any]

TITLES = {
    "behavior": "Behavior",
    "social": "Social",
    "engagement": "Engagement",
    "email": "Email",
    "rules": "Rules Manager",
    "sales": "Sales",
    "learner": "Learner",
}
"""Bot -> its name as people say it."""

EVENTS = {
    "identify": "said who they are",
    "page": "viewed a page",
    "screen": "viewed a screen",
    "group": "joined a group",
    "alias": "got another user id",
    "opened": "opened an e-mail",
    "clicked": "clicked in an e-mail",
    "unsubscribed": "unsubscribed",
    "address_confirmed": "confirmed their address",
    "bounced": "an e-mail came back",
    "complained": "complained of an e-mail",
    "entry_asked": "was let onto a path by the API",
    "broadcast_ordered": "was reached by a broadcast",
    "webhook_answered": "another system answered about them",
}

TYPES = frozenset({"notice_bar", "opinion_form", "chat_invitation", "exit_offer"})

RESPONSES = {"shown": "saw", "clicked": "took up", "dismissed": "closed", "submitted": "answered"}
"""What was done with an interaction, followed by its type."""

MOVERS = {
    "time": "time went by",
    "merge": "two were found to be one person",
    "history": "what they did before was looked up",
    "session": "their visit ended",
    "who": "more is known of who they are",
    "social": "Social's answer came",
    "purchase": "what they bought changed",
    "machine": "an answer was found to be a machine's",
}
"""What moves a visitor between cohorts and is nothing that they did."""

BY_ITSELF = ("goal", "answer", "merge")
"""Stands where no person settled an alert."""

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
        return _told(kind, row.get("detail") or {})
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
    return MOVERS[kind] if kind in MOVERS else did(name if kind == "track" else by)


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


def did(what: str) -> str:
    """Return what a visitor did.

    >>> did("shown opinion_form"), did("page"), did("mail_opened"), did("shown the way")
    ('saw the opinion form', 'viewed a page', 'opened an e-mail', 'did "shown the way"')
    """
    name = what.removeprefix("mail_").removeprefix("engagement_").replace(":", " ", 1)
    response, _, type_ = name.partition(" ")
    if response in RESPONSES and type_ in TYPES:
        return f"{RESPONSES[response]} the {type_.replace('_', ' ')}"
    return EVENTS.get(name, f'did "{what}"')


def moment(value: Any) -> str:
    """Return a time in UTC.

    >>> moment("2026-11-26T14:00:00Z")
    'Thu 26 Nov 2026, 14:00 UTC'
    """
    return in_words(datetime.fromisoformat(str(value))) if value else "-"


def words(value: Any) -> str:
    """Return anything in words: names and values one after the other, never brackets.

    >>> words({"city": "Rio", "tags": ["a", "b"]}), words([]), words(True)
    ('city Rio, tags a + b', '-', 'yes')
    """
    if isinstance(value, dict):
        return ", ".join(f"{shown(name)} {words(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return " + ".join(words(each) for each in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in ("", None) else shown(value)


def _rest(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in NOT_SAID}


def _mail(row: Row) -> str:
    """Return which e-mail is spoken of."""
    if "template" not in row:
        return "an e-mail"
    if row.get("confirms") or row.get("step") == "confirm":
        return f"e-mail {row['template']} (asks to confirm the address)"
    if row.get("success") or row.get("step") == "success":
        return f"success e-mail {row['template']} for order {row['run']}"
    return (
        f"e-mail {row['template']} (attempt {row['attempt']}, stage {row['stage']}{_of_path(row)})"
    )


def _of_path(row: Row) -> str:
    """Return of which path something is: a visitor may be on several with stages of one name."""
    return f" of {row['path']}" if row.get("path") else ""


def _offer(row: Row) -> str:
    """Return which interaction is spoken of.

    >>> _offer({"interaction": "opinion", "type": "opinion_form"})
    'opinion form "opinion"'
    """
    type_ = row.get("type") or row.get("interaction_type") or "interaction"
    return f'{type_.replace("_", " ")} "{row["interaction"]}"'


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
    return f"{_offer(row)} {said}{_because(row)}"


def _because(row: Row) -> str:
    return f": {why(row['reason'])}" if row.get("reason") else ""


def _send(row: Row) -> str:
    return f"{_mail(row)} {row['status']}{_because(row)}"


def _alert(row: Row, kind: str) -> str:
    if row["status"] == "open":
        return f"alert, waits for a person: {why(kind)}"
    when = f", {moment(row['settled_at'])}" if row.get("settled_at") else ""
    return f"alert {row['status']}{_settled_by(row.get('by'))}{when}: {why(kind)}"


def _settled_by(by: Any) -> str:
    if by in BY_ITSELF:
        return f" by itself ({why(by)})"
    return f" by {by}" if by else ""


def _goal(d: Row) -> str:
    worth = f" of {d['value']:g} {d.get('currency') or ''}".rstrip() if d.get("value") else ""
    credit = _credit(d)
    return f'reached the goal of {words(d["paths"])}: "{d["event"]}" {d["order_id"]}{worth}{credit}'


def _credit(d: Row) -> str:
    if not d.get("credited"):
        return ""
    sends = len(d.get("linear") or ())
    return ", thanks to an e-mail of ours" + (f" (and {sends - 1} before it)" if sends > 1 else "")


def _refund(d: Row) -> str:
    currency = f" {d['currency']}" if d.get("currency") else ""
    amount = "all of it" if d["amount"] is None else f"{d['amount']:g}{currency}"
    if d.get("issue"):
        amount = f"an amount that counts nothing ({d['issue']})"
    if d["left"] is None:
        return f"order {d['order_id']}: {amount} given back, before the order itself is known"
    return f"order {d['order_id']}: {amount} given back, {d['left']:g}{currency} and its credit are left"


def _unread(d: Row) -> str:
    return f"order {d['order_id']} counts nothing: {d['issue']}"


def _given_back(d: Row) -> str:
    return f"the attempt does not count: {d['outcome']}{_because(d)}"


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


def _at_publishing(d: Row) -> str:
    """Return when and by whom it was decided what becomes of a run.

    >>> _at_publishing({"version": 3, "by": "kim"})
    'decided at publishing version 3, by kim'
    """
    return f"decided at publishing version {d['version']}" + (
        f", by {d['by']}" if d.get("by") else ""
    )


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


def _put_off(d: Row) -> str:
    """Return why an e-mail waits, with what went before it, and what each was worth.

    >>> row = {"path": "club", "stage": "invited", "rule": "outvalued", "ahead": "lead"}
    >>> _put_off(row | {"ahead_template": "hi", "ahead_value": 80.0, "value": 12.5})[40:]
    'put off: an e-mail of more value went before it (hi of lead, 80 against 12.5)'
    """
    ahead = ""
    if d.get("ahead"):
        values = "ahead_value" in d
        worth = f", {d['ahead_value']:.3g} against {d['value']:.3g}" if values else ""
        ahead = f" ({d.get('ahead_template') or 'an e-mail'} of {d['ahead']}{worth})"
    return f"the e-mail of stage {d['stage']}{_of_path(d)} was put off: {why(d['rule'])}{ahead}"


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
    "run.refused": lambda d: f"did not enter path {d['path']}: {why(d['rule'])}",
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
        f"came to step {d['stage']}{_of_path(d)}: {_DOES.get(d['does'], d['does'])}"
    ),
    "step.waits": lambda d: f"waits at step {d['stage']}{_of_path(d)} until {moment(d['until'])}",
    "step.came_true": lambda d: f"what step {d['stage']}{_of_path(d)} waited for has happened",
    "step.timed_out": lambda d: (
        f"what step {d['stage']}{_of_path(d)} waited for did not happen in time"
    ),
    "step.split": lambda d: f'goes the way "{d["way"]}" at step {d["stage"]}{_of_path(d)}',
    "stage.reached": lambda d: (
        f"moved on to stage {d['stage']}{_of_path(d)}"
        + (", a sales opportunity" if d.get("opportunity") else "")
    ),
    "send.planned": lambda d: (
        f'planned the e-mail "{d["step"]}"{_of_path(d)} for {moment(d["at"])}'
    ),
    "send.given_back": _given_back,
    "send.settled": lambda d: (
        f"attempt {d['attempt']} counts ({d['outcome']}): an answer is waited for"
    ),
    "send.refused": lambda d: f"{_mail(d)} refused{_because(d)}",
    "send.cancelled": lambda d: f"{_mail(d)} cancelled{_because(d)}",
    "send.bounced": lambda d: f"{_mail(d)} came back{_because(d)}",
    "send.resent": lambda d: f"{_mail(d)} is sent once more{_because(d)}",
    "success.refused": lambda d: f"no success e-mail for order {d['run']}{_because(d)}",
    "touch.refused": _put_off,
    "response.by_machine": lambda d: f"a machine {d['response']} an e-mail: it counts nothing",
    "response.late": lambda d: f"{d['response']} an e-mail after the run had ended",
    "confirmation.refused": lambda d: f"nobody was asked to confirm the address{_because(d)}",
    "address.confirmed": lambda _: "their address is confirmed: it may be written to",
    "goal.reached": _goal,
    "order.refunded": _refund,
    "order.unread": _unread,
    "alert.settled": lambda d: f"{d['by'] or 'somebody'} answered the alert: {d['action']}",
    "alert.stale": lambda d: (
        f"{d['by'] or 'somebody'} answered an alert that was over: {d['action']}"
    ),
    "offer.refused": lambda d: f"was not offered the {_offer(d)}: {not_offered(d['rule'])}",
    "engagement.refused": lambda d: f"the {_offer(d)} was not put up{_because(d)}",
    "engagement.late": lambda d: (
        f"{d['response']} the {_offer(d)}, which had been taken back meanwhile"
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


def _told(kind: str, detail: Row) -> str:
    if kind in _TOLD:
        return _TOLD[kind](detail)
    group, _, what = kind.partition(".")
    if kind == "run.stopped" and "version" in detail:
        return f"run {detail['run']} of {detail['path']} left the path: {_at_publishing(detail)}"
    if group == "run" and "path" in detail:
        reason = f" ({why(detail['reason'])})" if detail.get("reason") else ""
        return f"run {detail['run']} of {detail['path']} ended: {what}{reason}"
    return f"{kind}  {words(detail)}"
