"""Say the shape of each answer of the HTTP API that is JSON, for the OpenAPI document.

Rules
1. What a struct says is said by it alone: its schema is made of it.
2. A test asks every route, and finds in each answer all that is said here and nothing else. What has no fixed names
   (a visitor's traits, the arrays of a snapshot) says so: `additionalProperties`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.gateway.console.delivered import DeliveredNow
from messaging.gateway.console.desk import SystemNow
from messaging.gateway.console.learned import Evaluation, LearningNow
from messaging.gateway.console.mailings import Preview, TemplateLine
from messaging.gateway.console.routine import OlderLine, Routine, RoutineLine
from messaging.gateway.console.rulebook import (
    CohortLine,
    FillingLine,
    Finding,
    Matching,
    PathLine,
    Place,
    VersionLine,
)
from messaging.gateway.console.trials import OneTold, Trial, TrialPerson
from messaging.gateway.told import Overview
from messaging.mail.asking import LinkAnswer
from messaging.vocabulary.effects import PutAlert, PutEngagement, PutRecipient, PutSend
from messaging.vocabulary.records import Decision, Snapshot

Schema = dict[str, Any]

_STRUCTS = (
    CohortLine,
    Decision,
    DeliveredNow,
    Evaluation,
    FillingLine,
    Finding,
    LearningNow,
    LinkAnswer,
    Matching,
    OlderLine,
    OneTold,
    Overview,
    PathLine,
    Place,
    Preview,
    Routine,
    RoutineLine,
    Snapshot,
    SystemNow,
    TemplateLine,
    Trial,
    TrialPerson,
    VersionLine,
)

_REFERENCES, COMPONENTS = msgspec.json.schema_components(
    _STRUCTS, ref_template="#/components/schemas/{name}"
)
"""Components: name of a struct -> its schema."""

_, _WRITTEN = msgspec.json.schema_components(
    (PutAlert, PutEngagement, PutRecipient, PutSend, Decision, Snapshot),
    ref_template="#/components/schemas/{name}",
)
"""What bots write into tables: rows are made of it."""

_OF = dict(zip(_STRUCTS, _REFERENCES, strict=True))

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
ANYTHING: Schema = {}
TEXTS: Schema = {"type": "array", "items": TEXT}


def _named(**fields: Schema) -> Schema:
    """Return the schema of an object with these fields and no other; a name that ends in `_` may be lacking."""
    properties = {name.rstrip("_"): each for name, each in fields.items()}
    required = [name for name in fields if not name.endswith("_")]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _map_of(schema: Schema) -> Schema:
    """Return the schema of an object whose names nobody knows beforehand."""
    return {"type": "object", "additionalProperties": schema}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _row_of(struct: type, *without: str, **more: Schema) -> Schema:
    """Return the schema of a row that is made of a struct, without some of its fields and with others."""
    fields: Schema = _WRITTEN[struct.__name__]["properties"]
    kept = {name: each for name, each in fields.items() if name not in without}
    properties = {"id": TEXT, "visitor": TEXT} | kept | more
    return _named(id=TEXT, at=TIME) | {"properties": properties}


OPEN: Schema = _map_of(ANYTHING)
AFTER = _or_null(TEXT) | {
    "description": "Give it as `after` for the next page; null: there is none."
}

_PATHS_HELD: Schema = {"anyOf": [{"const": "all"}, TEXTS]}

_OF_AN_OFFER = {
    "interaction": TEXT,
    "interaction_type": TEXT,
    "rules_version": WHOLE,
    "decision_id": TEXT,
    "visit_at": _or_null(TIME),
}
_OF_A_SEND = {
    **dict.fromkeys(("path", "run", "stage", "step", "template", "decision_id"), TEXT),
    "attempt": WHOLE,
    "rules_version": WHOLE,
    "success": FLAG,
    "confirms": FLAG,
    "is_unnamed": FLAG
    | {"description": "It thanks for an order of no id that the site gave: `run` is our own."},
    "day": TEXT,
}

ROWS: dict[str, Schema] = {
    "alerts": _row_of(PutAlert, "alert_id"),
    "deliveries": _named(
        id=TEXT,
        visitor=TEXT,
        at=TIME,
        alert=TEXT,
        channel=TEXT,
        status=TEXT,
        tries_=WHOLE,
        reason_=TEXT,
        told_at_=_or_null(TIME),
    )
    | {"additionalProperties": True},
    "sends": _row_of(
        PutSend,
        "plan",
        **_OF_A_SEND,
        status=TEXT | {"description": "`planned`: it is held for the word that lifts `reason`."},
        until=_or_null(TIME) | {"description": "When what is held is refused, if none came."},
        tried_since=_or_null(TIME) | {"description": "Of a `deferred` one: its first try."},
    ),
    "engagements": _row_of(PutEngagement, "plan", **_OF_AN_OFFER),
    "decisions": _row_of(Decision),
    "snapshots": _row_of(Snapshot, at=TIME, left_out=_map_of(WHOLE)) | {"required": ["id"]},
    "recipients": _row_of(
        PutRecipient,
        reason=TEXT | {"description": "Why it does not go, or not yet."},
        until=_or_null(TIME)
        | {"description": "Until when what is planned waits; once that is past, it is with Email."},
        cap=_or_null(_named(channel=TEXT, count=WHOLE, hours=WHOLE))
        | {"description": "The cap that it waits for, where it is one."},
    ),
    "webhooks": _named(
        id=TEXT,
        visitor=TEXT,
        at=TIME,
        **dict.fromkeys(("path", "run", "step", "url", "status", "reason"), TEXT),
        tries=WHOLE,
    )
    | {"additionalProperties": True},
    "audit_log": _named(id=TEXT, at=TIME, by=TEXT, act=TEXT, of=TEXT, visitor=TEXT, said=TEXT),
}
"""Table -> its rows."""


def table(path: str, name: str, **beside: Schema) -> Schema:
    """Return the shape of a page of a table's rows, and what stands beside them."""
    return _named(**{path: _list_of(ROWS[name]), "after": AFTER}, **beside)


_SUMMARY = _named(visitor_id=TEXT, email=_or_null(TEXT), cohorts=TEXTS, counters=_map_of(WHOLE))
_MANY = WHOLE | {
    "description": "Of all pages; at a stage the runs, of which a visitor may have some."
}
_VISITORS = _named(count=_MANY, visitors=_list_of(_SUMMARY), after=AFTER)

_RUN = _named(
    path=TEXT,
    version=WHOLE,
    run=TEXT,
    stage=TEXT,
    step=TEXT,
    attempt=WHOLE,
    status=TEXT,
    entered_at=TIME,
    planned_at=_or_null(TIME),
    holdout=FLAG,
)
_SENT = _named(
    message_id=TEXT,
    template=TEXT,
    status=TEXT,
    reason=TEXT,
    at=TIME,
    path=TEXT,
    run=TEXT,
    stage=TEXT,
    attempt=WHOLE,
    success=FLAG,
    until=_or_null(TIME),
)
_OFFERED = _named(
    engagement_id=TEXT,
    interaction=TEXT,
    interaction_type=TEXT,
    status=TEXT,
    reason=TEXT,
    at=TIME,
    shown_at=_or_null(TIME),
)

VISITOR = _named(
    visitor_id=TEXT,
    user_ids=TEXTS,
    anonymous_ids=TEXTS,
    email=_or_null(TEXT),
    traits=OPEN,
    counters=_map_of(WHOLE),
    by_people=_map_of(NUMBER),
    over_bound=WHOLE,
    marks_dropped=WHOLE,
    let_go=WHOLE,
    scores=_map_of(NUMBER),
    cohorts=TEXTS,
    zone=TEXT,
    lists=TEXTS,
    runs=_list_of(_RUN),
    sends=_list_of(_SENT),
    engagements=_list_of(_OFFERED),
    orders=_list_of(OPEN),
    revenue=NUMBER,
    revenues=_map_of(NUMBER),
    consent=_map_of(FLAG),
    consents=_list_of(OPEN),
    unsubscribed_at=_or_null(TIME),
    address_confirmed_at=_or_null(TIME),
    confirmation_asked_at=_or_null(TIME),
    probabilities=_map_of(OPEN),
)

_LINE = {
    "type": "object",
    "properties": {"at": TIME, "bot": TEXT, "kind": TEXT},
    "required": ["at", "bot", "kind"],
    "additionalProperties": True,
}

BROADCAST = _named(
    id=TEXT,
    at=TIME,
    by=TEXT,
    template=TEXT,
    cohort=TEXT,
    path=TEXT,
    version=WHOLE,
    priority=WHOLE,
    dry_run=FLAG,
    status={
        "enum": ["ordered", "under way", "done", "cancelling", "cancelled"],
        "description": "`done`: everybody in the cohort was asked; `recipients` says who has it, and who waits.",
    },
    told=_map_of(WHOLE) | {"description": "Reason, or `would get it` -> people."},
    completed_at_=TIME,
    recipients_=_map_of(WHOLE) | {"description": "What became of it -> people."},
    notes_=TEXTS
    | {"description": "What is to be known before it goes out: its path is paused, or archived."},
)

_SET_ASIDE = _named(
    id=TEXT,
    at=TIME,
    bot=TEXT,
    shard=TEXT,
    kind=TEXT | {"description": "`Arrived`: an event; `Record`: one that nobody could read."},
    reason=TEXT,
    visitor=TEXT,
    status={"enum": ["open", "replayed", "dropped"]},
    by=TEXT | {"description": "Who decided; of an open one: its replay is under way."},
    settled_at=_or_null(TIME),
    again=TEXT | {"description": "The id under which it is open again, where its replay failed."},
)

SUCCESS = _named(success={"const": True})
_HELD = _named(success=FLAG, paused=_PATHS_HELD)
_ARCHIVED = _named(success=FLAG, archived=TEXTS)
_REPORTED = _named(taken=WHOLE, before=WHOLE, unknown=TEXTS)
_REJECTED = _list_of(_named(index=WHOLE, reason=TEXT, field_=TEXT))
TAKEN = _named(success={"const": True}, rejected_=_REJECTED)
_SAVED = _named(version=WHOLE, outcome=TEXT, findings=_list_of(_OF[Finding]))
_TRIALS = _named(trials=_list_of(_OF[Trial]), after=AFTER)
_TRIAL = _named(trial=_OF[Trial], people=_list_of(_OF[TrialPerson]), one=_or_null(_OF[OneTold]))
_ASKED, _ENDED = _named(id=TEXT, status=TEXT), _named(success=FLAG, status=TEXT)

SHAPES: dict[tuple[str, str], Schema] = {
    ("GET", "visitors"): _named(visitors=_list_of(_SUMMARY), after=AFTER),
    ("GET", "visitors/{id}"): VISITOR,
    ("GET", "visitors/{id}/timeline"): _named(timeline=_list_of(_LINE)),
    ("GET", "visitors/{id}/export"): OPEN,
    ("DELETE", "visitors/{id}"): _named(receipt=TEXT, done=FLAG),
    ("GET", "erasures/{id}"): _named(receipt=TEXT, done=FLAG, said=TEXTS),
    ("GET", "cohorts/{id}/visitors"): _VISITORS,
    ("GET", "paths/{id}/stages/{stage}/visitors"): _VISITORS,
    ("GET", "alerts"): table("alerts", "alerts"),
    ("POST", "alerts/{id}/{action}"): _named(success=FLAG, status=TEXT),
    ("GET", "notices"): table(
        "notices", "deliveries", mail_waits=TEXT | {"description": "Empty: no e-mail waits."}
    ),
    ("GET", "stats"): OPEN,
    ("GET", "sends"): table("sends", "sends"),
    ("GET", "engagements"): table("engagements", "engagements"),
    ("GET", "decisions"): table("decisions", "decisions"),
    ("GET", "snapshots"): table("snapshots", "snapshots"),
    ("GET", "policies"): table("policies", "snapshots"),
    ("GET", "overview"): _named(overview=_OF[Overview]),
    ("GET", "learning"): _named(learning=_OF[LearningNow]),
    ("POST", "learning/evaluate"): _named(evaluation=_OF[Evaluation]),
    ("POST", "learning/resume"): _named(policy=TEXT, status=TEXT),
    ("GET", "system"): _named(system=_OF[SystemNow]),
    ("GET", "experiments"): _named(experiments=_list_of(OPEN), after=AFTER),
    ("GET", "cohorts"): _named(
        version=WHOLE,
        cohorts=_list_of(_OF[CohortLine]),
        filling=_or_null(_OF[FillingLine]),
    ),
    ("GET", "paths"): _named(
        version=WHOLE, paths=_list_of(_OF[PathLine]), older=_list_of(_OF[OlderLine])
    ),
    ("POST", "paths/{id}/enter"): _named(let_in=WHOLE, before=WHOLE, unknown=TEXTS),
    ("POST", "paths/{id}/archive"): _ARCHIVED,
    ("POST", "paths/{id}/unarchive"): _ARCHIVED,
    ("GET", "routines"): _named(version=WHOLE, routines=_list_of(_OF[RoutineLine])),
    ("GET", "routines/{id}"): _named(routine=_OF[Routine]),
    ("GET", "deliverability"): _named(deliverability=_OF[DeliveredNow]),
    ("GET", "suppressions"): _named(
        suppressions=_list_of(_named(id=TEXT, at=TIME, reason=TEXT)), after=AFTER
    ),
    ("POST", "reports"): _REPORTED,
    ("POST", "reports/mail"): _named(**_REPORTED["properties"], said=TEXT),
    ("GET", "audit-log"): table("audit-log", "audit_log"),
    ("GET", "rules"): _named(
        published=WHOLE, newest=WHOLE, rules=_list_of(_OF[VersionLine]), after=AFTER
    ),
    ("POST", "rules"): _SAVED,
    ("POST", "rules/check"): _named(findings=_list_of(_OF[Finding]), diff=TEXT),
    ("POST", "rules/matching"): _named(matching=_or_null(_OF[Matching])),
    ("GET", "rules/{id}"): _named(version=_OF[VersionLine], files=_map_of(TEXT)),
    ("GET", "rules/{id}/diff/{other}"): _named(said=TEXTS, text=TEXT),
    ("GET", "rules/{id}/impact"): _named(impact=_list_of(_OF[Place]), entering=TEXTS),
    ("POST", "rules/{id}/publish"): _named(success=FLAG, published=WHOLE),
    ("GET", "templates"): _named(version=WHOLE, templates=_list_of(_OF[TemplateLine]), after=AFTER),
    ("GET", "templates/{id}"): _named(template=_OF[Preview]),
    ("POST", "templates/{id}/test"): SUCCESS,
    ("POST", "templates/{id}/preview"): _named(template=_OF[Preview]),
    ("POST", "templates/{id}/links"): _named(links=_list_of(_OF[LinkAnswer])),
    **{
        ("GET", kind): _named(**{"version": WHOLE, kind: OPEN})
        for kind in ("scores", "interactions", "senders")
    },
    **{
        (method, f"{name}{path}"): shape
        for name in ("tries", "simulations")
        for method, path, shape in (
            ("GET", "", _TRIALS),
            ("POST", "", _ASKED),
            ("GET", "/{id}", _TRIAL),
            ("POST", "/{id}/cancel", _ENDED),
        )
    },
    ("GET", "lists"): _named(lists=_list_of(_named(name=TEXT, people=WHOLE)), after=AFTER),
    ("GET", "lists/{id}"): _named(
        name=TEXT,
        people=WHOLE,
        members=_list_of(_named(visitor=TEXT, since=TIME)),
        after=AFTER,
    ),
    ("POST", "lists/{id}/{action}"): _named(
        changed=WHOLE,
        before=WHOLE,
        unknown=TEXTS,
        refused=_list_of(_named(person=TEXT, reason=TEXT)),
    ),
    ("POST", "broadcasts"): BROADCAST,
    ("GET", "broadcasts"): _named(broadcasts=_list_of(BROADCAST), after=AFTER),
    ("GET", "broadcasts/{id}"): _named(broadcast=BROADCAST),
    ("POST", "broadcasts/{id}/cancel"): _named(broadcast=BROADCAST),
    ("GET", "recipients"): table("recipients", "recipients"),
    ("GET", "webhooks"): table("webhooks", "webhooks"),
    ("GET", "quarantine"): _named(quarantine=_list_of(_SET_ASIDE), after=AFTER),
    ("GET", "quarantine/{id}"): _SET_ASIDE,
    ("POST", "quarantine/{id}/replay"): _SET_ASIDE,
    ("POST", "quarantine/{id}/drop"): _SET_ASIDE,
    ("POST", "pause"): _HELD,
    ("POST", "resume"): _HELD,
    ("POST", "replay"): _named(success=FLAG, added=WHOLE, known=WHOLE, rejected=_REJECTED),
    ("GET", "replay"): _named(waiting=WHOLE),
    ("POST", "imports"): SUCCESS,
}
"""(method, path under `/api/v1/`) -> the shape of what is answered when all goes well."""

NOT_DATED = frozenset({"visitors/{id}/export"})
"""Looked up, and not told with `as_of`: a person's data is a document of its own."""


def _dated(shape: Schema) -> Schema:
    """Return the shape of what is told with the moment it is of."""
    properties = {"as_of": TIME, **shape.get("properties", {})}
    required = list(dict.fromkeys(("as_of", *shape.get("required", ()))))
    return {**shape, "properties": properties, "required": required}


SHAPES |= {
    (method, path): _dated(shape)
    for (method, path), shape in SHAPES.items()
    if method == "GET" and path not in NOT_DATED
}

_OFFER = _named(id=TEXT, type=TEXT, trigger=TEXT, name=TEXT, content=OPEN, expires_at=TIME)
STANDING = _named(engagements=_list_of(_OFFER), withdrawn=TEXTS, cursor=TEXT, poll_seconds=NUMBER)
"""What stands open for a browser."""

HOOKED = _named(success={"const": True}, outcome=TEXT)
"""What became of a webhook."""
