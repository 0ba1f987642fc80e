"""What becomes of a run when an e-mail comes back from an address that its visitor has given up meanwhile."""

from __future__ import annotations

from messaging.vocabulary.messages import RETURNED
from tests.flow_builders import on
from tests.rules_builders import OneVisitor

DAY = 24.0


def test_it_was_no_attempt_and_the_next_one_goes_to_the_present_address() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    assert (lead.run.attempts, lead.run.status) == (1, "waiting")
    lead.answer(RETURNED)
    assert (lead.run.attempts, lead.run.status, lead.run.tries) == (0, "planned", [])
    lead.pass_time(30 * DAY)
    assert len(lead.plans) == 1 + 4, "the present address gets all attempts"
    assert len({plan.send_id for plan in lead.plans}) == 5
    assert lead.run.status == "alerted"


def test_it_is_heard_once_and_only_by_who_is_under_way() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    for _ in range(2):
        lead.answer(RETURNED)
    assert lead.run.given_back == 1
    lead.pass_time(DAY)
    lead.buy()
    lead.answer(RETURNED)
    assert (lead.run.status, lead.run.attempts) == ("won", 1)


def test_an_e_mail_before_the_last_one_gives_its_attempt_back_and_no_more() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY * 5)
    assert len(lead.plans) == 2
    waits = dict(lead.wakes)
    lead.answer(RETURNED, send=0)
    assert (lead.run.attempts, lead.run.status) == (1, "waiting")
    assert lead.wakes == waits
    lead.pass_time(40 * DAY)
    assert len(lead.plans) == 1 + 4
    assert lead.run.status == "alerted"


def test_a_flow_goes_on_from_where_it_stands() -> None:
    lead = on(
        """
        - name: hello
          email: {timing: now, templates: [hello]}
        - name: rest
          wait: {days: 2}
        - name: more
          email: {timing: now, templates: [again]}
        """
    )
    lead.pass_time(DAY / 2)
    assert lead.run.stage == "rest"
    until = lead.run.until
    lead.answer(RETURNED)
    assert (lead.run.stage, lead.run.until, lead.run.attempts) == ("rest", until, 0)
    lead.pass_time(5 * DAY)
    assert len(lead.plans) == 2
