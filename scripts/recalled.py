"""Recall what Social was told in earnest: a dry run of the rules asks nobody again, and is to segment as it was."""

from __future__ import annotations

from agents.runtime.held import Codec
from agents.runtime.inprocess import Recall
from agents.runtime.registry import WIRING
from messaging.ports import Store
from messaging.vocabulary.effects import LookUp
from messaging.vocabulary.plans import Finding

READ_MAX = 1_000
SOCIAL = "social"


async def what_was_found(store: Store) -> Recall:
    """Return what answers a look-up by what stands in Social's states; nothing where nobody was asked of an address."""
    codec = Codec(WIRING[SOCIAL].make())
    known: dict[str, list[Finding]] = {}
    after = ""
    while visitors := await store.visitors(SOCIAL, after, READ_MAX):
        after = visitors[-1]
        for stored in (await store.load(SOCIAL, visitors)).values():
            held = codec.decode(stored)
            if not held.moved and held.state.findings:
                known[held.state.address] = held.state.findings

    def recall(asked: LookUp) -> list[Finding]:
        found = known.get(asked.address, [])
        return [each for each in found if each.source in asked.sources]

    return recall
