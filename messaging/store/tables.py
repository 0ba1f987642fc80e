"""Name the bots that keep states and the tables of rows, with how people search them. Pure: every store reads it."""

from __future__ import annotations

BOTS = ("behavior", "rules", "engagement", "email", "sales", "social", "learner")

LISTED = ("behavior", "rules")
"""Bots whose visitors are listed by groups: by cohort, and by their place on a path."""

ROW_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "decisions": (("visitor", "at"), ("kind", "at")),
    "rewards": (("decision_id",),),
    "story": (("visitor", "at"),),
    "sends": (
        ("visitor", "at"),
        ("status", "at"),
        ("day", "domain", "status", "left", "path", "stage", "template", "opened", "clicked"),
    ),
    "alerts": (("visitor", "at"), ("status", "at"), ("by",)),
    "engagements": (("visitor", "at"), ("status", "at"), ("at",)),
    "notices": (("visitor", "at"), ("channel", "status", "at")),
    "deliveries": (("visitor", "at"), ("status", "at")),
    "orders": (("visitor", "at"), ("at",)),
    "moments": (("visitor", "at"), ("week", "at")),
    "webhooks": (("visitor", "at"), ("status", "at")),
    "broadcasts": (("at",), ("status", "at")),
    "recipients": (("visitor", "at"), ("broadcast", "status", "at"), ("broadcast", "at")),
    "list_members": (("visitor", "at"), ("list", "status", "at")),
    "quarantine": (("at",), ("status", "at"), ("visitor", "at")),
    "refunds_waiting": (("at",),),
    "snapshots": (("policy", "at"),),
    "audit_log": (("at",), ("visitor", "at"), ("act", "at")),
    "sessions": (("user", "at"),),
    "rules_versions": (("at",),),
    "trials": (("kind", "at"), ("status", "at")),
    "trial_people": (("trial", "at"), ("visitor", "at")),
}
"""Table -> the fields of each index."""

SOME_HAVE = frozenset({"day"})
"""Fields that not every row has: an index that begins with one holds only the rows that do."""

ROW_HOLDS: dict[str, str] = {
    "decisions": "numbers",
    "rewards": "numbers",
    "story": "visitor",
    "sends": "visitor",
    "alerts": "visitor",
    "engagements": "visitor",
    "notices": "visitor",
    "deliveries": "visitor",
    "orders": "numbers",
    "moments": "visitor",
    "webhooks": "visitor",
    "broadcasts": "nobody",
    "recipients": "visitor",
    "list_members": "visitor",
    "quarantine": "visitor",
    "refunds_waiting": "orders",
    "snapshots": "nobody",
    "audit_log": "numbers",
    "sessions": "nobody",
    "rules_versions": "nobody",
    "trials": "nobody",
    "trial_people": "visitor",
}
"""Table -> what becomes of a row when the visitor it names (`visitor`) is erased.

`visitor`: it goes. `numbers`: its numbers stay, without the visitor. `orders`: it goes by the order
that it names, if that was theirs. `nobody`: no row of it is about one visitor.
"""

COLLECTION_HOLDS: dict[str, str] = {
    **ROW_HOLDS,
    **{f"states_{bot}": "visitor" for bot in BOTS},
    "states_learner": "nobody",
    "outbox": "letters",
    "batches": "batches",
    "checkpoints": "nobody",
    "checkpoint_states": "visitor",
    "identity": "keys",
    "mailboxes": "keyed hash",
    "journal": "events",
    "journal_streams": "nobody",
    "shards": "nobody",
    "replay": "waiting calls",
    "control": "nobody",
    "publications": "nobody",
    "moves": "nobody",
    "fillings": "nobody",
    "users": "nobody",
    "erasures": "keyed hash",
}
"""Every collection there is -> what of a visitor is in it: `agents.runtime.sweeper` has a way for each."""
