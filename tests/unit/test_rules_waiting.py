"""What is planned says why it does not go at once: an hour that was picked, quiet hours, a cap, a visit."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from messaging.vocabulary.effects import LogStory
from tests.rules_builders import HOUR, PATH, OneVisitor, a_view, some_rules


def planned(lead: OneVisitor) -> list[dict[str, Any]]:
    """Return what the story says of each e-mail that was planned."""
    return [e.detail for e in lead.effects if isinstance(e, LogStory) and e.kind == "send.planned"]


def at_noon(**changes: Any) -> OneVisitor:
    """Return a lead who enters at noon."""
    lead = OneVisitor(a_view(some_rules(**changes)))
    lead.now += 5 * HOUR
    return lead.enter()


def test_what_may_go_at_once_names_no_reason() -> None:
    [line] = planned(at_noon(timing="now"))
    assert "why" not in line


def test_an_hour_that_was_picked_is_the_reason() -> None:
    lead = at_noon()
    [line] = planned(lead)
    assert line["why"] == "send_time"
    assert line["at"] > lead.now


def test_quiet_hours_are_the_reason_where_nothing_else_is() -> None:
    [line] = planned(OneVisitor(a_view(some_rules(timing="now"))).enter())
    assert (line["why"], line["at"].hour) == ("quiet_hours", 8)


def test_a_visit_is_the_reason_of_what_it_puts_off() -> None:
    """The response window ends at night, so that the next e-mail waits; somebody who looks in is left alone."""
    rules = some_rules(timing="now")
    path = replace(rules.paths[PATH], response_window_hours=82, after_visit_hours=36)
    rules.paths[PATH] = path
    lead = OneVisitor(a_view(rules))
    lead.now += 5 * HOUR
    lead.enter().pass_time(83)
    assert planned(lead)[-1]["why"] == "quiet_hours"
    lead.end_session()
    assert planned(lead)[-1]["why"] == "after_visit"
    assert planned(lead)[-1]["at"] == lead.now + 36 * HOUR
