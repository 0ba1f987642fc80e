"""What becomes of a run when a merge takes back the e-mail that was on its way."""

from __future__ import annotations

import pytest

from agents.rules_manager.planning import NEWS_AFTER
from messaging.vocabulary.effects import LogStory, Tell
from messaging.vocabulary.messages import MergedInto, StateMerged
from tests.rules_builders import PATH, VISITOR, OneVisitor

DAY = 24.0
OLDER = "00" * 12


def asked(name: str = "0f" * 12, days: float = 2) -> OneVisitor:
    """Return a lead whose first e-mail is asked for, and nothing is known of it yet."""
    lead = OneVisitor()
    lead.state.visitor = name
    lead.outcome = ""
    lead.enter().pass_time(days * DAY)
    assert lead.run.status == "sending"
    return lead


def merged(younger: OneVisitor, older: OneVisitor) -> None:
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into=OLDER))
    told = next(e.message for e in effects if isinstance(e, Tell))
    assert isinstance(told, StateMerged)
    older.now = max(older.now, younger.now)
    older.take(told)


@pytest.mark.parametrize("outcome", ["cancelled", "refused"])
def test_the_run_of_a_browser_that_proves_to_be_a_lead_goes_on(outcome: str) -> None:
    younger, older = asked(), OneVisitor()
    older.identify()
    merged(younger, older)
    assert older.run.status == "sending"
    older.settle(younger.plans[0], outcome, "merged")
    assert older.run.status == "planned"
    older.pass_time(30 * DAY)
    assert len(older.plans) == 4
    assert older.run.status == "alerted"


def test_who_waits_for_an_answer_goes_on_waiting_and_gets_the_rest() -> None:
    younger, older = asked(), OneVisitor().enter()
    older.pass_time(2 * DAY)
    assert (older.run.status, older.run.attempts) == ("waiting", 1)
    merged(younger, older)
    older.settle(younger.plans[0], "cancelled", "merged")
    assert (older.run.status, older.run.attempts) == ("waiting", 1)
    older.pass_time(30 * DAY)
    assert older.run.attempts == 4
    assert len(older.alerts) == 1


def test_where_both_had_one_on_its_way_the_older_ones_goes_out_and_the_run_goes_on() -> None:
    for first in ("mine", "theirs"):
        younger, older = asked(), asked(OLDER)
        merged(younger, older)
        mine = older.plans[0]
        older.outcome = "handed over"
        if first == "mine":
            older.settle(mine, "handed over")
            older.settle(younger.plans[0], "cancelled", "merged")
        else:
            older.settle(younger.plans[0], "cancelled", "merged")
            assert older.run.status == "sending"
            older.settle(mine, "handed over")
        assert (older.run.status, older.run.attempts) == ("waiting", 1)
        older.pass_time(30 * DAY)
        assert older.run.attempts == 4
        assert PATH in older.state.runs


@pytest.mark.parametrize("reason", ["550 RCPT: 5.1.1 no such mailbox", "another address"])
def test_while_the_other_halfs_email_is_under_way_none_is_planned_in_place_of_one(
    reason: str,
) -> None:
    younger, older = asked(), asked(OLDER)
    merged(younger, older)
    older.settle(younger.plans[0], "given up", reason)
    assert (older.run.status, len(older.plans)) == ("sending", 1)
    older.outcome = "handed over"
    older.settle(older.plans[0], "handed over")
    assert (older.run.status, older.run.attempts) == ("waiting", 1)


def test_a_lead_whom_email_had_not_heard_of_yet_is_not_lost() -> None:
    lead = asked(VISITOR)
    lead.settle(lead.plans[0], "refused", "no address")
    assert lead.run.status == "planned"
    lead.outcome = "handed over"
    lead.pass_time(30 * DAY)
    assert (lead.run.attempts, lead.run.status) == (4, "alerted")


def test_a_send_is_decided_for_the_mailbox_that_rules_know() -> None:
    lead = asked(VISITOR)
    assert lead.plans[0].mailbox == lead.view.mailbox("lead@example.com")


def test_an_email_decided_for_another_address_is_decided_anew_when_all_have_heard_of_it() -> None:
    lead = asked(VISITOR)
    lead.settle(lead.plans[0], "given up", "another address")
    assert lead.run.status == "planned"
    assert lead.run.planned_at is not None
    assert lead.run.planned_at >= lead.now + NEWS_AFTER
    assert (lead.run.attempts, lead.state.touches) == (0, [])
    lead.identify(address="ann@home.example")
    lead.outcome = "handed over"
    lead.pass_time(30 * DAY)
    assert (lead.run.attempts, lead.run.status) == (4, "alerted")
    assert {each.mailbox for each in lead.plans[1:]} == {lead.view.mailbox("ann@home.example")}


def test_where_the_two_never_agree_on_the_address_a_person_is_called() -> None:
    lead = asked(VISITOR)
    for _ in range(20):
        if lead.run.status == "sending":
            lead.settle(lead.plans[-1], "given up", "another address")
        lead.pass_time(DAY)
    assert lead.run.status == "stopped"
    assert [alert.kind for alert in lead.alerts] == ["cannot be sent"]


def test_where_email_never_hears_of_a_lead_a_person_is_called() -> None:
    lead = asked(VISITOR)
    for _ in range(20):
        if lead.run.status == "sending":
            lead.settle(lead.plans[-1], "refused", "no address")
        lead.pass_time(DAY)
    assert lead.run.status == "stopped"
    assert [alert.kind for alert in lead.alerts] == ["cannot be sent"]


def test_who_is_heard_of_as_bounced_before_the_send_is_settled_is_brought_before_a_person() -> None:
    """Behavior's word and Email's come by ways of their own."""
    lead = asked(VISITOR)
    lead.identify(may_email=False, bounced=True)
    lead.settle(lead.plans[0], "bounced", "550 RCPT: 5.1.1 no such mailbox")
    assert lead.run.status == "stopped"
    assert [alert.kind for alert in lead.alerts] == ["address bounced"]
    stories = [each for each in lead.effects if isinstance(each, LogStory)]
    [stopped] = [each.detail for each in stories if each.kind == "run.stopped"]
    assert stopped["reason"] == "address bounced"


def test_who_bounced_just_before_two_became_one_is_brought_before_a_person_once_all_have_heard() -> (
    None
):
    younger, older = asked(), asked(OLDER)
    merged(younger, older)
    older.settle(younger.plans[0], "cancelled", "merged")
    older.settle(older.plans[0], "given up", "another address")
    older.identify(may_email=False, bounced=True)
    assert older.run.status == "planned", "so soon after a merge the word may be an older one"
    older.pass_time(10 * DAY)
    assert older.run.status == "stopped"
    assert [alert.kind for alert in older.alerts] == ["address bounced"]


def test_who_took_the_consent_back_is_left_alone() -> None:
    lead = asked(VISITOR)
    lead.identify(may_email=False)
    lead.settle(lead.plans[0], "refused", "no consent")
    assert lead.run.status == "stopped"
    assert lead.alerts == []


def test_a_run_that_email_refused_first_ends_for_the_reason_that_rules_would_have_given() -> None:
    """A mailbox bounces just after two became one: Email hears of it before Rules has asked, Rules afterwards."""
    younger, older = asked(), asked(OLDER)
    merged(younger, older)
    older.settle(younger.plans[0], "cancelled", "merged")
    older.identify(may_email=False)
    assert older.run.status == "sending", "so soon after a merge the word may be an older one"
    older.settle(older.plans[0], "refused", "no consent")
    assert older.run.status == "stopped"
    stories = [each for each in older.effects if isinstance(each, LogStory)]
    [stopped] = [each.detail for each in stories if each.kind == "run.stopped"]
    assert stopped["reason"] == "consent"


def test_a_lead_who_agreed_is_not_lost_where_the_merge_is_heard_of_in_another_order() -> None:
    """The e-mail is due before Behavior has said that the two have agreed as one."""
    younger, older = asked(), OneVisitor()  # an anonymous browser: nothing is known of it
    merged(younger, older)
    older.outcome = ""
    older.settle(younger.plans[0], "cancelled", "merged")
    older.pass_time(1)
    assert older.run.status in {"planned", "sending"}
    assert older.state.may_email


def test_an_older_word_of_no_consent_does_not_end_the_run_that_a_merge_brought() -> None:
    younger, older = asked(), OneVisitor()
    older.identify(may_email=False)
    merged(younger, older)
    older.settle(younger.plans[0], "cancelled", "merged")
    older.identify(may_email=False)  # told before the two were one, heard after
    older.pass_time(0.1)
    assert older.run.status == "planned"
    older.identify()
    older.outcome = "handed over"
    older.pass_time(30 * DAY)
    assert len(older.plans) == 4


def test_two_who_did_not_agree_as_one_get_no_e_mail() -> None:
    younger, older = asked(), OneVisitor()
    older.identify(may_email=False)
    merged(younger, older)
    older.settle(younger.plans[0], "cancelled", "merged")
    older.pass_time(2 * DAY)
    assert (older.run.status, older.plans) == ("stopped", [])
