"""Kill a bot, the gateway and the database under traffic, and hold the outcome against the client's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench_system import MONGOD
from scripts.chaos_kills import GATEWAY
from scripts.chaos_main import broken
from scripts.chaos_script import script


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_nothing_is_lost_or_doubled_when_a_bot_the_gateway_and_mongod_are_killed(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    kills = ("rules-0", GATEWAY, MONGOD)
    problems = await broken(tmp_path, script(2_000), kills, told.append, compare=False)
    assert not problems, (problems[:10], told)
