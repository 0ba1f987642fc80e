"""A start waits for who gets on, and no longer for who does not."""

from pathlib import Path

import pytest

from scripts.folder import Refused
from scripts.readying import Metrics, until_ready


def looks(*shown: Metrics):
    """Return what shows one after the other, the last one for good."""
    left = list(shown)

    async def look() -> Metrics:
        return left.pop(0) if len(left) > 1 else left[0]

    return look


def copying(states: float) -> Metrics:
    return {"behavior-0": {"ready": 0.0, "checkpoint_states": states}, "gateway-1": {}}


async def test_who_gets_on_is_waited_for_and_it_is_said():
    said: list[str] = []
    steps = [copying(5_000.0 * n) for n in range(8)] + [{"behavior-0": {"ready": 1.0}}]
    await until_ready(looks(*steps), said.append, Path("logs"), seconds_max=0.3)
    assert said == ["upgrading: 5,000 states of the version before are kept so far"]


@pytest.mark.parametrize("metrics", [copying(5_000.0), {"behavior-0": None, "gateway-1": {}}])
async def test_who_does_not_is_named(metrics):
    with pytest.raises(
        Refused, match=r"^behavior-0 did not get ready in 0\.3 s: start again, or see logs$"
    ):
        await until_ready(looks(metrics), lambda _: None, Path("logs"), seconds_max=0.3)


async def test_a_start_without_an_upgrade_says_nothing():
    said: list[str] = []
    steps = [{"behavior-0": None}, {"behavior-0": {"ready": 0.0}}, {"behavior-0": {"ready": 1.0}}]
    await until_ready(looks(*steps), said.append, Path("logs"), seconds_max=0.5)
    assert said == []
