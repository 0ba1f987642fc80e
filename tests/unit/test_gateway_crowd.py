"""Guessing who will be back: only after a crowd, and never for long."""

from __future__ import annotations

import pytest

from messaging.gateway.crowd import Crowd
from messaging.gateway.limits import Limits

LIMITS = Limits(crowd_requests_min=8, crowd_events_max=200, crowd_seconds_max=0.006)


def _crowd(requests: int = 64, seconds: float = 0.008) -> Crowd:
    crowd = Crowd(LIMITS)
    crowd.saw(requests, seconds, ended=100.0)
    return crowd


def test_nobody_waits_before_an_insert_was_seen() -> None:
    assert Crowd(LIMITS).wait_seconds(100.0) == 0.0


def test_a_few_requests_are_no_crowd() -> None:
    assert _crowd(requests=7).wait_seconds(100.0) == 0.0
    assert _crowd(requests=8).wait_seconds(100.0) > 0.0


def test_a_wait_is_a_part_of_an_insert_and_never_over_the_limit() -> None:
    assert _crowd(seconds=0.004).wait_seconds(100.0) == pytest.approx(0.002)
    assert _crowd(seconds=5.0).wait_seconds(100.0) == pytest.approx(0.006)


def test_the_wait_counts_from_the_end_of_the_insert() -> None:
    crowd = _crowd(seconds=0.008)
    assert crowd.wait_seconds(100.003) < crowd.wait_seconds(100.001)
    assert crowd.wait_seconds(100.01) == 0.0


def test_the_wait_ends_when_all_are_back_or_enough_events_are_there() -> None:
    crowd = _crowd(requests=64)
    assert not crowd.is_there(63, 63)
    assert crowd.is_there(64, 64)
    assert crowd.is_there(2, 200)


def test_a_crowd_that_went_away_is_forgotten_with_the_next_insert() -> None:
    crowd = _crowd(requests=64)
    crowd.saw(1, 0.008, ended=101.0)
    assert crowd.wait_seconds(101.0) == 0.0
