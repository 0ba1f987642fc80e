"""What a monitor calls a person for is counted at a scrape: never stale, never dear, and no name is told."""

from __future__ import annotations

from typing import Any

from messaging.gateway.attention import KEPT_SECONDS, Attention
from messaging.gateway.metrics import gauges
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Unavailable


class Known:
    """Know some split tests; or nothing, while the store is away."""

    def __init__(self) -> None:
        self.tests: list[dict[str, Any]] = [
            {"name": "crooked", "verdict": "alarm", "published": True},
            {"name": "of before", "verdict": "alarm", "published": False},
            {"name": "going", "verdict": "running", "published": True},
        ]
        self.asked = 0
        self.is_away = False

    async def policies_held(self) -> int:
        return 2

    async def experiments(self) -> list[dict[str, Any]]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("the store is away")
        return self.tests


async def an_attention() -> tuple[Attention, Known, list[float]]:
    store, tests, clock = MemoryStore(MemoryDatabase()), Known(), [100.0]
    await store.put_document("alerts", "a1", {"status": "open", "visitor": "v1"})
    await store.put_document("alerts", "a2", {"status": "closed", "visitor": "v1"})
    return Attention(store, tests, lambda: clock[0]), tests, clock  # type: ignore[arg-type]


async def test_open_alerts_and_published_tests_in_alarm_are_counted_without_a_name() -> None:
    attention, _, _ = await an_attention()
    text = gauges(await attention.readings())
    assert 'mdma_alerts{of="open"} 1.0' in text
    assert 'mdma_split_tests{of="alarm"} 1.0' in text
    assert 'mdma_split_tests{of="running"} 1.0' in text
    assert 'mdma_policies{of="held"} 2.0' in text
    assert "crooked" not in text


async def test_without_a_test_the_alarm_is_zero_and_not_unknown() -> None:
    attention, tests, _ = await an_attention()
    tests.tests = []
    assert (await attention.readings())["mdma_split_tests"] == {"alarm": 0.0}


async def test_however_many_scrape_the_store_is_asked_once_in_a_while() -> None:
    attention, tests, clock = await an_attention()
    for _ in range(20):
        await attention.readings()
    assert tests.asked == 1
    clock[0] += KEPT_SECONDS
    tests.tests[0]["verdict"] = "running"
    assert (await attention.readings())["mdma_split_tests"] == {"alarm": 0.0, "running": 2.0}


async def test_while_the_store_is_away_no_old_number_stands_for_a_present_one() -> None:
    attention, tests, clock = await an_attention()
    await attention.readings()
    clock[0] += KEPT_SECONDS
    tests.is_away = True
    assert await attention.readings() == {}
    clock[0] += KEPT_SECONDS
    tests.is_away = False
    assert (await attention.readings())["mdma_alerts"] == {"open": 1.0}
