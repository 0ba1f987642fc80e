"""Turn the effects that people read into rows of tables: one function, one table of tables.

Rules
1. A row's id is derived from what it records, so that a repeat of a batch writes the same row.
2. Rows hold plain values. Times are aware UTC; each row has `at` and, where there is one, `visitor`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from messaging.alerts.notice import CHANNELS, notice_id
from messaging.ports import RowWrite
from messaging.vocabulary.effects import (
    MOMENTS_KEPT,
    CallWebhook,
    LogDecision,
    LogReward,
    LogStory,
    PublishSnapshot,
    PutAlert,
    PutEngagement,
    PutMember,
    PutMoment,
    PutOrder,
    PutRecipient,
    PutSend,
)
from messaging.vocabulary.ids import derive
from messaging.vocabulary.quarantine import QUARANTINE, REPLAYED

LINES_OF_A_BATCH = 100_000
"""More than a visitor can have in one batch."""

_PLAIN = (bytes, datetime)
"""Types the store takes as they are."""

_OF_AN_OFFER = ("interaction", "interaction_type", "rules_version", "decision_id", "visit_at")
"""What the row of an engagement takes over of its plan."""

Readable = (
    CallWebhook
    | LogDecision
    | LogReward
    | LogStory
    | PublishSnapshot
    | PutAlert
    | PutEngagement
    | PutMember
    | PutMoment
    | PutOrder
    | PutRecipient
    | PutSend
)


_AT_A_SERVER = frozenset({"handed over", "bounced", "complained", "uncertain"})
"""Ends of a send that are counted by day and domain: a server had a word in them."""


def row_for(effect: Readable, visitor: str, source: str, now: datetime) -> RowWrite:
    """Return the row an effect writes; `source` names shard, batch and place, for rows without an id."""
    match effect:
        case LogDecision(decision):
            return RowWrite("decisions", decision.id, _fields(decision, "id"), "insert")
        case LogReward(reward):
            fields = _fields(reward) | {"visitor": visitor}
            return RowWrite("rewards", f"{reward.decision_id}:{reward.kind}", fields, "insert")
        case LogStory():
            fields = _story_fields(effect, visitor, source, now)
            return RowWrite("story", derive("story", source), fields, "insert")
        case PublishSnapshot(snapshot):
            fields = _fields(snapshot) | {"at": now}
            return RowWrite("snapshots", f"{snapshot.policy}@{snapshot.version}", fields, "put")
        case PutSend():
            return RowWrite("sends", effect.plan.send_id, _send_fields(effect, visitor))
        case PutEngagement(plan=plan):
            fields = _fields(effect, "plan") | {"visitor": visitor}
            for name in _OF_AN_OFFER:
                fields[name] = getattr(plan, name)
            # The first row of its id: an insert costs a quarter of what a replacement does.
            mode = "insert" if effect.status == "offered" else "put"
            return RowWrite("engagements", plan.engagement_id, fields, mode)
        case _:
            return _state_row(effect, visitor)


def _state_row(
    effect: PutAlert | PutOrder | PutMoment | PutMember | CallWebhook | PutRecipient, visitor: str
) -> RowWrite:
    """Return the row of something of a visitor that a later one may replace."""
    fields = _fields(effect, "alert_id", "call_id") | {"visitor": visitor}
    match effect:
        case PutAlert():
            return RowWrite(
                "alerts", effect.alert_id, fields | {"visitor": _about(effect, visitor)}
            )
        case PutOrder():
            return RowWrite("orders", f"{visitor}:{effect.order_id}", fields)
        case PutMoment(week=week):
            # The oldest week makes room for the newest one.
            return RowWrite("moments", f"{visitor}:{week % MOMENTS_KEPT}", fields)
        case PutMember():
            return RowWrite("list_members", f"{effect.list}:{visitor}", fields)
        case CallWebhook():
            waits = {"status": "waiting", "tries": 0, "reason": ""}
            return RowWrite("webhooks", effect.call_id, fields | waits, "insert")
        case PutRecipient():
            return RowWrite("recipients", f"{effect.broadcast}:{visitor}", fields)


def _fields(record: msgspec.Struct, *without: str) -> dict[str, Any]:
    """Return a record's fields as the store takes them."""
    fields: dict[str, Any] = msgspec.to_builtins(record, builtin_types=_PLAIN)
    for name in without:
        fields.pop(name, None)
    return fields


def _story_fields(effect: LogStory, visitor: str, source: str, now: datetime) -> dict[str, Any]:
    """Return a line of the story: which bot told it, and in which order (batch by batch, then line by line)."""
    shard, batch, *_, number = source.split(":")
    return {
        "visitor": visitor,
        "at": now,
        "kind": effect.kind,
        "detail": effect.detail,
        "bot": shard.rpartition("-")[0],
        "order": int(batch) * LINES_OF_A_BATCH + int(number),
    }


def stamped(rows: list[RowWrite], positions: dict[str, int]) -> list[RowWrite]:
    """Say in a batch's snapshots how far each stream was read that they were learned from; the rows are returned."""
    for row in rows:
        if row.table == "snapshots":
            row.fields["learned_to"] = {**positions, **row.fields["learned_to"]}
    return rows


def notices_for(alert: PutAlert, visitor: str) -> list[RowWrite]:
    """Return the queue's rows of an alert that is open: they are committed with it, and told after that."""
    if alert.status != "open":
        return []
    about = _about(alert, visitor)
    fields = {"visitor": about, "at": alert.at, "alert": alert.alert_id, "status": "waiting"}
    return [
        RowWrite("notices", notice_id(alert.alert_id, channel), fields | {"channel": channel})
        for channel in CHANNELS
    ]


def _about(alert: PutAlert, visitor: str) -> str:
    """Return the visitor an alert is about: of a policy's, nobody."""
    return "" if alert.policy else visitor


def _send_fields(effect: PutSend, visitor: str) -> dict[str, Any]:
    """Return a ledger row: the plan in plain fields, the status and when."""
    plan = effect.plan
    fields: dict[str, Any] = {
        "visitor": visitor,
        "at": effect.at,
        "status": effect.status,
        "reason": effect.reason,
        "path": plan.path,
        "run": plan.run,
        "stage": plan.stage,
        "step": plan.step,
        "attempt": plan.attempt,
        "template": plan.template,
        "rules_version": plan.rules_version,
        "success": plan.success,
        "confirms": plan.confirms,
        "decision_id": plan.decision_id,
        "mailbox": effect.mailbox,
    }
    if plan.success and not plan.variables.get("order_id", plan.run):
        fields["is_unnamed"] = True  # what it thanks for has no id that people know
    if effect.handed_over_at is not None:
        fields["handed_over_at"] = effect.handed_over_at
    if effect.until is not None:
        fields["until"] = effect.until
    if effect.tried_since is not None:
        fields["tried_since"] = effect.tried_since
    if effect.status in _AT_A_SERVER:
        at = effect.handed_over_at or effect.at
        fields |= {"day": f"{at:%Y-%m-%d}", "domain": effect.domain, "left": effect.left}
        fields |= {"opened": effect.opened, "clicked": effect.clicked}
    return fields


def taken_row(row: str, now: datetime, again: str = "") -> RowWrite:
    """Return what is written into a row once its replay was taken; `again`: the row of a try that failed as well."""
    fields = {"status": REPLAYED, "settled_at": now, "again": again}
    return RowWrite(QUARANTINE, row, fields, mode="set")
