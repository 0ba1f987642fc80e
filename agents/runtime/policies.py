"""Read the newest snapshot of each policy that chooses: hours, e-mails, offers."""

from __future__ import annotations

import msgspec

from agents.runtime.views import SNAPSHOTS
from learning.serving import split_test
from learning.serving.probability import POLICIES
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot


async def choosing(store: Store) -> list[Snapshot]:
    """Return the newest snapshots, by policy; split tests and probabilities choose nothing by what was learned."""
    found = []
    for name in sorted(await store.tally(SNAPSHOTS, "policy")):
        if name in POLICIES or split_test.is_policy(name):
            continue
        rows = await store.rows(SNAPSHOTS, {"policy": name}, limit=1)
        found += [msgspec.convert(row, Snapshot) for row in rows]
    return found
