"""What the console and the rules' versions rely on: pages of rows, documents that are swapped or not, and removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from messaging.store.audit_log import AUDIT_LOG, Change, note
from tests.gateway_builders import NOON


@pytest.mark.parametrize("newest", [True, False])
async def test_pages_of_rows_meet_each_row_once_in_the_order_of_all(keeping, newest: bool) -> None:
    """Also where many rows have one moment, and where rows come in between."""
    store = keeping.store()
    for number in range(23):
        at = NOON + timedelta(minutes=number // 5)
        await store.put_document(AUDIT_LOG, f"r{number:02}", {"at": at, "visitor": "v"})
    everything = await store.rows(AUDIT_LOG, {"visitor": "v"}, newest=newest)
    found, after = [], None
    while rows := await store.rows(
        AUDIT_LOG, {"visitor": "v"}, limit=4, newest=newest, after=after
    ):
        found += rows
        after = (rows[-1]["at"], rows[-1]["id"])
        first = found[0]["at"] + timedelta(hours=1 if newest else -1)
        await store.put_document(AUDIT_LOG, f"late{len(found)}", {"at": first, "visitor": "v"})
    assert [row["id"] for row in found] == [row["id"] for row in everything]
    assert len(found) == 23


@pytest.mark.parametrize("newest", [True, False])
async def test_pages_of_rows_with_one_of_several_values_are_in_the_order_of_all(
    keeping, newest: bool
) -> None:
    """Beside a field that is to be equal; counted alike."""
    store = keeping.store()
    for number in range(24):
        fields = {"visitor": "vwx"[number % 3], "act": "yz"[number % 4 == 0]}
        at = NOON + timedelta(minutes=number // 5)
        await store.put_document(AUDIT_LOG, f"r{number:02}", {"at": at, **fields})
    wanted = {"visitor": ("v", "x"), "act": "y"}
    found, after = [], None
    while rows := await store.rows(AUDIT_LOG, wanted, limit=4, newest=newest, after=after):
        found += [row["id"] for row in rows]
        after = (rows[-1]["at"], rows[-1]["id"])
    numbers = [n for n in range(24) if n % 3 != 1 and n % 4]
    assert found == [f"r{n:02}" for n in sorted(numbers, reverse=newest)]
    assert await store.count(AUDIT_LOG, wanted) == len(numbers)
    assert await store.rows(AUDIT_LOG, {"visitor": ()}) == []


async def test_of_many_who_swap_a_document_at_once_one_does(keeping) -> None:
    store, other = keeping.store(), keeping.store()
    done = await asyncio.gather(
        *(each.swap_document("control", "x", {"n": 1}, None) for each in (store, other, store))
    )
    assert sorted(done) == [False, False, True]
    done = await asyncio.gather(
        *(each.swap_document("control", "x", {"n": 2}, {"n": 1}) for each in (store, other))
    )
    assert sorted(done) == [False, True]
    assert (await store.get_document("control", "x"))["n"] == 2


async def test_a_document_that_is_not_as_expected_stays_as_it_is(keeping) -> None:
    store = keeping.store()
    assert not await store.swap_document("control", "gone", {"n": 1}, {"n": 0})
    assert await store.get_document("control", "gone") is None
    await store.put_document("control", "x", {"n": 1, "by": "kim"})
    assert not await store.swap_document("control", "x", {"n": 9}, {"n": 2})
    assert not await store.swap_document("control", "x", {"n": 9}, {"n": {"$gt": 0}})
    assert not await store.swap_document("control", "x", {"n": 9}, {"of": "x"})
    assert await store.get_document("control", "x") == {"id": "x", "n": 1, "by": "kim"}


async def test_a_document_is_removed_and_may_be_gone_already(keeping) -> None:
    store = keeping.store()
    await store.put_document("users", "kim", {"role": "viewer"})
    for _ in range(2):
        await store.remove_document("users", "kim")
        assert await store.get_document("users", "kim") is None


async def test_equal_changes_are_two_rows(keeping) -> None:
    store = keeping.store()
    for _ in range(2):
        await note(store, Change(by="kim", act="hand_overs.paused"), NOON)
    rows = await store.rows(AUDIT_LOG, {"act": "hand_overs.paused"})
    assert [(row["by"], row["at"]) for row in rows] == [("kim", NOON)] * 2
