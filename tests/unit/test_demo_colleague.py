"""The demo's made-up colleague: works in working hours, answers nearly everything, and never a lead a third time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from learning.audience.colleague import ZONE, Alert, answer, works_at

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
USED_UP = "No purchase after the last attempt (attempts used)"


def alerts(count: int, kind: str = USED_UP, run: str = "1") -> list[Alert]:
    """Return alerts that come all through a week."""
    apart = timedelta(days=7) / count
    return [Alert(f"a{number}", kind, run, MONDAY + number * apart) for number in range(count)]


def test_every_answer_comes_after_its_alert_and_in_working_hours() -> None:
    for alert in alerts(500):
        given = answer(1, alert)
        local = given.at.astimezone(ZONE)
        assert given.at >= alert.at + timedelta(minutes=30)
        assert local.weekday() < 5
        assert 9 <= local.hour < 17
        assert works_at(given.at)


def test_most_are_answered_within_a_few_days_and_all_within_weeks() -> None:
    waits = [answer(1, alert).at - alert.at for alert in alerts(500)]
    assert sum(wait < timedelta(days=4) for wait in waits) > 0.8 * len(waits)
    assert max(waits) < timedelta(days=28)
    assert sum(wait > timedelta(days=6) for wait in waits) > 10, "some are put off"


def test_some_go_on_some_go_on_elsewhere_and_some_are_left_alone() -> None:
    actions = Counter(answer(1, alert).action for alert in alerts(500))
    assert set(actions) == {"resume", "change", "close"}
    assert min(actions.values()) > 75
    stages = {(each.action, each.stage) for each in (answer(1, alert) for alert in alerts(500))}
    assert stages == {("resume", ""), ("change", "talk"), ("close", "")}


def test_nobody_gets_a_third_chance_and_what_cannot_work_is_closed() -> None:
    for given in (*alerts(200, run="2"), *alerts(200, "address bounced")):
        assert answer(1, given).action == "close"


def test_the_same_alert_gets_the_same_answer() -> None:
    [alert] = alerts(1)
    assert answer(1, alert) == answer(1, alert)
    assert {answer(seed, alert) for seed in range(20)} != {answer(1, alert)}
