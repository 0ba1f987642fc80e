"""What people are shown of a visitor is what the bots go by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.behavior_bot.state import BehaviorState, Stamped
from agents.runtime.held import Codec, Held
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from messaging.ports import BatchRecord, Commit, StateWrite
from messaging.store.memory import MemoryDatabase, MemoryStore

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ANN = "0a" * 12


@pytest.mark.parametrize("unsubscribed", [None, NOON])
async def test_who_unsubscribed_is_shown_as_one_who_may_not_be_written_to(
    unsubscribed: datetime | None,
) -> None:
    store = MemoryStore(MemoryDatabase())
    state = BehaviorState(consents={"email": Stamped(True, 1.0, 1), "site": Stamped(True, 1.0, 1)})
    if unsubscribed is not None:
        state.unsubscribed_at = unsubscribed.timestamp()
    owner = await store.acquire("behavior-0")
    body = Codec(WIRING["behavior"].make()).encode(Held(state, {}, "", b""))
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    write = StateWrite(ANN, body, None)
    await store.commit(
        Commit("behavior-0", "behavior", owner.epoch, 1, {}, {}, record, [write], [], [], [], [])
    )
    shown = await StoreReader(store).visitor(ANN)
    assert shown is not None
    assert shown["consent"] == {"email": unsubscribed is None, "site": True}
    assert shown["unsubscribed_at"] == unsubscribed
