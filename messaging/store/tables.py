"""Name the bots that keep states and the tables of rows, with how people search them. Pure: every store reads it."""

from __future__ import annotations

BOTS = ("behavior", "rules", "engagement", "email", "sales", "social", "learner")

ROW_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "decisions": (("visitor", "at"),),
    "rewards": (("decision_id",),),
    "story": (("visitor", "at"),),
    "sends": (("visitor", "at"), ("status", "at")),
    "alerts": (("visitor", "at"), ("status", "at")),
    "engagements": (("visitor", "at"), ("status", "at"), ("at",)),
    "notices": (("visitor", "at"), ("channel", "status", "at")),
    "deliveries": (("visitor", "at"), ("status", "at")),
    "orders": (("visitor", "at"), ("at",)),
    "quarantine": (("at",),),
    "snapshots": (("policy", "at"),),
}
"""Table -> the fields of each index."""
