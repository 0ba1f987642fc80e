"""What is told of an actor that is away: that it is, and for how long; nobody takes its silence for health."""

from __future__ import annotations

from agents.cluster.names import PartSpec
from agents.cluster.supervisor import Watched
from scripts.telling import prometheus

SPEC = PartSpec("rules-0", "", "", "")


def test_who_answers_is_told_as_it_says():
    watched = Watched(SPEC, metrics={"rate": 2.0, "ready": 1.0})
    assert watched.told(5.0) == {"rate": 2.0, "ready": 1.0, "up": 1.0}


def test_who_is_away_falls_behind_and_keeps_nobody_from_taking_traffic():
    watched = Watched(SPEC, restarts=2, lag_seconds=0.5, answered_at=100.0)
    assert watched.told(107.0) == {"up": 0.0, "restarts": 2.0, "lag_seconds": 7.5}
    text = prometheus({"rules-0": watched.told(107.0)})
    assert 'mdma_up{bot="rules",shard="rules-0"} 0.0' in text
    assert 'mdma_lag_seconds{bot="rules",shard="rules-0"} 7.5' in text


def test_who_was_never_there_is_waited_for():
    assert Watched(SPEC).told(107.0) == {"up": 0.0, "restarts": 0.0, "ready": 0.0}
