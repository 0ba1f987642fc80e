"""How many shards a bot has is settled by the first start on its data."""

from __future__ import annotations

import pytest

from agents.runtime.registry import WIRING
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.folder import Refused
from scripts.shards import agree_on_shards, refuse_newer
from tests.contract.test_store_batches import a_commit, a_record


async def test_the_numbers_of_the_first_start_hold():
    store = MemoryStore(MemoryDatabase())
    await agree_on_shards(store, {"behavior": 2, "rules": 1})
    await agree_on_shards(store, {"behavior": 2, "rules": 1})
    with pytest.raises(Refused, match=r"--set bots\.behavior=2") as refused:
        await agree_on_shards(store, {"behavior": 1, "rules": 1})
    assert refused.value.code == 1


async def test_a_bot_that_is_new_to_the_data_may_have_any_number():
    store = MemoryStore(MemoryDatabase())
    await agree_on_shards(store, {"behavior": 1})
    await agree_on_shards(store, {"behavior": 1, "social": 3})
    await agree_on_shards(
        store, {"behavior": 1}
    )  # a start without it does not forget how it was divided
    with pytest.raises(Refused, match="social=3"):
        await agree_on_shards(store, {"behavior": 1, "social": 1})


async def test_older_data_says_by_its_owners_how_it_was_divided():
    store = MemoryStore(MemoryDatabase())
    for shard in ("behavior-0", "behavior-1", "rules-0"):
        await store.acquire(shard)
    with pytest.raises(Refused, match="behavior=2"):
        await agree_on_shards(store, {"behavior": 4, "rules": 1})


async def test_data_of_a_newer_version_is_refused_in_one_line():
    store = MemoryStore(MemoryDatabase())
    await store.acquire("sales-1")
    known = WIRING["sales"].make().version
    codes = {1: known - 1, 2: known, 3: known + 1}
    for number, layout in codes.items():
        record = a_record(code=f"state={layout} build=0a consent=opt-in publication=1")
        await store.commit(a_commit(1, number, shard="sales-1", bot="sales", record=record))
        if layout <= known:
            await refuse_newer(store, {"behavior": 1, "sales": 2})
    with pytest.raises(
        Refused, match=rf"newer version .*sales: layout {known + 1}, this code"
    ) as no:
        await refuse_newer(store, {"behavior": 1, "sales": 2})
    assert "\n" not in str(no.value)
