"""A visitor's story is told in the order in which one thing led to the other."""

from datetime import UTC, datetime, timedelta
from random import Random

from agents.runtime.tables import row_for
from agents.runtime.timelines import ordered
from messaging.vocabulary.effects import LogStory

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CAUSES = [
    ("behavior", "event"),
    ("behavior", "cohorts.moved"),
    ("sales", "story: order.refunded"),
    ("rules", "story: run.entered"),
    ("rules", "decisions: template"),
    ("rules", "story: step.reached"),
    ("email", "sends: sends"),
    ("rules", "alerts: alerts"),
]


def test_of_one_second_causes_stand_before_effects_however_the_rows_come():
    lines = [{"at": NOON, "bot": bot, "kind": kind} for bot, kind in CAUSES]
    for seed in range(20):
        mixed = [dict(line) for line in lines]
        Random(seed).shuffle(mixed)
        assert ordered(mixed) == lines


def test_seconds_apart_time_alone_counts():
    lines = [
        {"at": NOON + timedelta(seconds=n), "bot": bot, "kind": kind}
        for n, (bot, kind) in enumerate(reversed(CAUSES))
    ]
    assert ordered(lines[::-1]) == lines


def test_what_one_bot_tells_stands_as_it_told_it_also_over_batches():
    told = [("sales-0:9:aa:2", "first"), ("sales-0:10:aa:1", "then"), ("sales-0:10:aa:12", "last")]
    rows = [
        row_for(LogStory("order.refunded", {"said": said}), "aa", source, NOON).fields
        for source, said in told
    ]
    lines = [{**row, "kind": f"story: {row['kind']}"} for row in rows]
    assert [line["detail"]["said"] for line in ordered(lines[::-1])] == ["first", "then", "last"]
    assert all("order" not in line for line in lines)
