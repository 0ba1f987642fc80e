"""Count refused sends by an index that holds them alone: of no row more than its keys is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from messaging.store.connection import Database, world
from messaging.store.mongo_layout import REFUSALS_INDEX

Refusals = list[tuple[str, str, int, datetime, str]]


async def refusals(database: Database, since: datetime) -> Refusals:
    """Return template, reason, how many, when the newest, and whose. Raise `Unavailable`."""
    with world():
        cursor = database["sends"].aggregate(refusal_stages(since), hint=REFUSALS_INDEX)
        found = await cursor.to_list(None)
    return [
        (of["template"], of["reason"], each["n"], each["newest"]["at"], each["newest"]["visitor"])
        for each in found
        for of in (each["_id"],)
    ]


def refusal_stages(since: datetime) -> list[dict[str, Any]]:
    """Return how they are counted: documents compare field by field, so that the newest visitor is a maximum."""
    return [
        {"$match": {"status": "refused", "at": {"$gte": since}}},
        {
            "$group": {
                "_id": {"template": "$template", "reason": "$reason"},
                "n": {"$sum": 1},
                "newest": {"$max": {"at": "$at", "visitor": "$visitor"}},
            }
        },
    ]
