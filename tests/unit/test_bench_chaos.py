"""Hold chaos' own judgement: it must see what is lost or doubled, and excuse only what may be uncertain."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from config.load import validate_folder
from scripts.bench_rules import write_rules_now
from scripts.bench_smtp import Mailbox
from scripts.chaos_checks import Ended, differences, problems_of_counters, problems_of_mails
from scripts.chaos_script import BUYER, LEAD, Visitor, expected_counters, script

VISITORS = script(200)


def a(kind: str) -> Visitor:
    return next(visitor for visitor in VISITORS if visitor.kind == kind)


def all_ids(visitor: Visitor) -> set[str]:
    return {call["messageId"] for step in visitor.steps for call in step.calls}


def a_page(visitor: Visitor, **changes: int) -> dict[str, object]:
    return {"counters": dict(expected_counters(visitor, all_ids(visitor))) | changes}


def a_mailbox(*mails: tuple[str, str]) -> Mailbox:
    box = Mailbox()
    for message, recipient in mails:
        box.seen[message] += 1
        box.recipients[message] = recipient
    return box


def an_end(visitor: Visitor, status: str, uncertain: dict[str, str]) -> Ended:
    return Ended([], {visitor.name: (("p", "1", "s", "s", 1, status),)}, uncertain, 0)


def test_the_script_has_as_many_events_as_asked_and_each_has_an_id_of_its_own() -> None:
    ids = [call["messageId"] for v in VISITORS for step in v.steps for call in step.calls]
    assert len(ids) == len(set(ids)) == 200


def test_each_event_of_a_visitor_is_counted_under_a_name_of_its_own_but_pages() -> None:
    for visitor in VISITORS:
        counters = expected_counters(visitor, all_ids(visitor))
        assert counters.pop("page") == 3
        assert set(counters.values()) == {1}


def test_a_buyer_buys_after_the_first_mail_and_not_before() -> None:
    waits = [
        any(call.get("event") == "Order Completed" for call in step.calls)
        for step in a(BUYER).steps
        if step.after_mail
    ]
    assert waits == [True]


def test_an_event_that_was_lost_or_doubled_is_found() -> None:
    lead = a(LEAD)
    assert problems_of_counters([lead], all_ids(lead), {lead.name: a_page(lead)}) == []
    for changes in ({"step 07": 0}, {"step 07": 2}, {"unheard of": 1}):
        assert problems_of_counters([lead], all_ids(lead), {lead.name: a_page(lead, **changes)})
    assert problems_of_counters([lead], all_ids(lead), {lead.name: None})


def test_what_was_never_acknowledged_need_not_be_counted() -> None:
    lead = a(LEAD)
    assert problems_of_counters([lead], set(), {lead.name: None}) == []


def test_a_mail_that_is_missing_doubled_or_nobodys_is_found() -> None:
    lead = a(LEAD)
    mail = ("m1", lead.address)
    none: Counter[str] = Counter()
    assert problems_of_mails([lead], a_mailbox(mail), none) == []
    assert problems_of_mails([lead], a_mailbox(), none)
    assert problems_of_mails([lead], a_mailbox(mail, mail), none)
    assert problems_of_mails([lead], a_mailbox(mail, ("m2", lead.address)), none)
    assert problems_of_mails([lead], a_mailbox(mail, ("m2", "nobody@example.com")), none)


def test_an_uncertain_mail_may_be_missing_but_never_come_twice() -> None:
    lead = a(LEAD)
    mail = ("m1", lead.address)
    uncertain = Counter([lead.address])
    assert problems_of_mails([lead], a_mailbox(), uncertain) == []
    assert problems_of_mails([lead], a_mailbox(mail), uncertain) == []
    assert problems_of_mails([lead], a_mailbox(mail, mail), uncertain)


def test_another_end_than_without_faults_is_found_unless_a_send_is_uncertain() -> None:
    lead = a(LEAD)
    calm, same = an_end(lead, "waiting", {}), an_end(lead, "waiting", {})
    other, excused = an_end(lead, "won", {}), an_end(lead, "won", {"m1": lead.address})
    assert differences(calm, same, [lead]) == []
    assert differences(calm, other, [lead])
    assert differences(calm, excused, [lead]) == []


def test_the_rules_of_a_run_can_be_published(tmp_path: Path) -> None:
    for name, page in (("all", ""), ("page", "/offer")):
        write_rules_now(tmp_path / name, entry_page=page)
        assert validate_folder(tmp_path / name) == []
