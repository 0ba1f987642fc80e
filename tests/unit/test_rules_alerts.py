"""Alerts of the loop that a merge, a purchase or a bad address must not leave open or silent."""

from __future__ import annotations

import pytest

from messaging.vocabulary.effects import Tell
from messaging.vocabulary.messages import AlertAnswered, MergedInto, StateMerged
from tests.rules_builders import PATH, VISITOR, OneVisitor

DAY = 24
OTHER = "11" * 12


def younger_visitor() -> OneVisitor:
    """Return somebody who becomes one with `VISITOR` later."""
    visitor = OneVisitor()
    visitor.state.visitor = OTHER
    return visitor


def merge(younger: OneVisitor, older: OneVisitor) -> None:
    """Let the younger visitor's state come to the older one."""
    effects = younger.take(MergedInto(visitor=OTHER, at=younger.now, into=VISITOR))
    [told] = [e.message for e in effects if isinstance(e, Tell)]
    assert isinstance(told, StateMerged)
    older.now = max(older.now, younger.now)
    older.take(told)


def alerted(visitor: OneVisitor) -> OneVisitor:
    """Let a visitor use all attempts up."""
    visitor.enter().pass_time(17 * DAY)
    assert visitor.run.status == "alerted"
    return visitor


def open_alerts(*visitors: OneVisitor) -> list[str]:
    """Return the ids of the alerts that still wait for a person, as the rows of the store say."""
    rows = {alert.alert_id: alert.status for visitor in visitors for alert in visitor.alerts}
    return [alert_id for alert_id, status in rows.items() if status == "open"]


def answer(visitor: OneVisitor, alert_id: str, run: str, action: str = "close") -> None:
    """Answer an alert as a person."""
    visitor.take(
        AlertAnswered(
            visitor=VISITOR,
            at=visitor.now,
            alert_id=alert_id,
            path=PATH,
            run=run,
            action=action,
            by="ann",
            stage="",
        )
    )


def test_two_alerts_about_one_lead_become_one() -> None:
    younger, older = alerted(younger_visitor()), alerted(OneVisitor())
    merge(younger, older)
    assert open_alerts(younger, older) == [older.run.alert_id]
    assert (older.alerts[-1].alert_id, older.alerts[-1].by) == (younger.alerts[0].alert_id, "merge")
    older.buy()
    assert not open_alerts(younger, older)


@pytest.mark.parametrize("customer_is_older", [True, False])
def test_a_merge_with_a_customer_closes_the_alert(customer_is_older: bool) -> None:
    younger, older = younger_visitor(), OneVisitor()
    lead, customer = (younger, older) if customer_is_older else (older, younger)
    alerted(lead)
    customer.enter()
    customer.now = lead.now
    customer.buy()
    merge(younger, older)
    assert older.run.status == "won"
    assert not open_alerts(younger, older)
    assert older.alerts[-1].by == "goal"


def test_the_alert_of_a_younger_visitor_can_be_answered_after_the_merge() -> None:
    younger, older = alerted(younger_visitor()), alerted(OneVisitor())
    answer(older, older.run.alert_id, older.run.run)
    assert older.run.status == "closed"
    merge(younger, older)
    [waits] = open_alerts(younger, older)
    assert waits == younger.alerts[0].alert_id
    answer(older, waits, "1")
    assert not open_alerts(younger, older)


def test_a_purchase_closes_the_alert_about_a_bad_address() -> None:
    lead = OneVisitor()
    lead.outcome = "bounced"
    lead.enter().pass_time(DAY)
    assert len(open_alerts(lead)) == 1
    lead.buy()
    assert not open_alerts(lead)


def test_who_resumes_a_lead_with_a_bad_address_hears_of_it_again() -> None:
    lead = OneVisitor()
    lead.outcome = "bounced"
    lead.enter().pass_time(DAY)
    lead.outcome = ""
    answer(lead, lead.run.alert_id, lead.run.run, "resume")
    lead.pass_time(DAY)
    lead.settle(lead.plans[-1], "refused", "address bad")
    assert lead.run.status == "stopped"
    assert [alert.status for alert in lead.alerts] == ["open", "resumed", "open"]
    assert lead.alerts[-1].run == "2"
