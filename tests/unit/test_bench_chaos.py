"""Hold chaos' own judgement: it must see what is lost or doubled, and excuse only what may be uncertain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from aiosmtpd.smtp import Envelope

from config.load import validate_folder
from messaging.mail.compose import Sender, TemplateText, compose
from messaging.mail.pool import SESSIONS
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.plans import SendPlan
from scripts.bench_rules import write_rules_now
from scripts.bench_smtp import Mailbox
from scripts.bench_system import Running
from scripts.chaos_checks import (
    Ended,
    differences,
    problems_of_counters,
    problems_of_facts,
    problems_of_ledger,
    problems_of_mails,
    problems_of_runs,
    problems_of_uncertain,
)
from scripts.chaos_mail import ReadMailbox, read_mail
from scripts.chaos_script import (
    BROWSER,
    BUY,
    CART,
    CLICK,
    LEAVE,
    MAILS_MAX,
    OPEN,
    ORDER,
    ROWS,
    Taken,
    Visitor,
    browse,
    expected_counters,
    script,
    taken,
)
from scripts.chaos_world import WorldTime

VISITORS = script(200)
NOBODY: Counter[str] = Counter()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def a(kind: str) -> Visitor:
    return next(visitor for visitor in VISITORS if visitor.kind == kind)


def acknowledged(visitor: Visitor) -> dict[str, Taken]:
    """Return the list of a client who sent everything, answers to e-mails included."""
    acts = [act for acts in visitor.row.answers.values() for act in acts]
    shown = [browse(visitor, act) for act in acts if act in (CLICK, CART, BUY, ORDER)]
    calls = [call for step in visitor.steps for call in step.calls]
    return taken(visitor, [*calls, *shown])


def a_page(visitor: Visitor, **changes: int) -> dict[str, Any]:
    counters = expected_counters(acknowledged(visitor))[visitor.name]
    return {"counters": dict(counters) | changes}


def a_mailbox(*mails: tuple[str, str]) -> Mailbox:
    box = Mailbox()
    for message, recipient in mails:
        box.seen[message] += 1
        box.recipients[message] = recipient
    return box


def an_end(visitor: Visitor, status: str, uncertain: Iterable[str] = ()) -> Ended:
    run = ("path", "1", "invited", "invitation", visitor.row.mails, status)
    return Ended([], {visitor.name: (run,)}, dict.fromkeys(uncertain, visitor.address), 0)


class Did(msgspec.Struct):
    """Hold what was done at e-mails, as a client does."""

    facts: Counter[Taken]
    asked: Counter[Taken]


# ------------------------------------------------------------------------------ the script


def test_the_script_has_as_many_events_as_asked_and_each_has_an_id_of_its_own() -> None:
    ids = [call["messageId"] for v in VISITORS for step in v.steps for call in step.calls]
    assert len(ids) == len(set(ids)) == 200
    everything = [each for visitor in VISITORS for each in acknowledged(visitor)]
    assert len(everything) == len(set(everything)) > 200


def test_the_script_has_every_kind_of_visitor() -> None:
    assert {visitor.kind for visitor in VISITORS} == set(ROWS)
    acts = {act for row in ROWS.values() for acts in row.answers.values() for act in acts}
    assert acts == {OPEN, CLICK, CART, BUY, ORDER, LEAVE}


def test_each_event_of_a_visitor_is_counted_under_a_name_of_its_own_but_pages() -> None:
    for visitor in VISITORS:
        counters = expected_counters(acknowledged(visitor))[visitor.name]
        clicks = sum(CLICK in acts for acts in visitor.row.answers.values())
        assert counters.pop("page") == 3 + clicks
        assert set(counters.values()) == {1}


def test_whoever_acts_does_so_early_enough_for_a_lost_mail_to_be_made_up_for() -> None:
    """Or an uncertain send would cost more e-mails than itself, and the check of e-mails be wrong."""
    for row in ROWS.values():
        assert row.mails <= MAILS_MAX
        assert max(row.answers, default=1) <= MAILS_MAX - 1


# ------------------------------------------------------------------------------ the checks


def test_an_event_that_was_lost_or_doubled_is_found() -> None:
    buyer = a("buyer")
    known = acknowledged(buyer)
    assert problems_of_counters([buyer], known, {buyer.name: a_page(buyer)}) == []
    for changes in ({"step 07": 0}, {"step 07": 2}, {"Product Added": 2}, {"page": 3}, {"new": 1}):
        assert problems_of_counters([buyer], known, {buyer.name: a_page(buyer, **changes)})
    assert problems_of_counters([buyer], known, {buyer.name: None})


def test_what_was_never_acknowledged_must_not_be_counted_by_the_clients_list() -> None:
    buyer = a("buyer")
    assert problems_of_counters([buyer], {}, {buyer.name: None}) == []
    assert problems_of_counters([buyer], {}, {buyer.name: a_page(buyer)})


def test_an_open_that_was_answered_is_counted_and_not_more_often_than_it_was_asked_for() -> None:
    reader = a("reader")
    fact = Taken(reader.name, "mail_opened")
    did = Did(Counter({fact: 1}), Counter({fact: 2}))
    for count, is_well in ((0, False), (1, True), (2, True), (3, False)):
        page = a_page(reader, mail_opened=count)
        assert (problems_of_facts([reader], did, {reader.name: page}) == []) is is_well
    assert problems_of_facts([reader], did, {reader.name: None})
    nothing = Did(Counter(), Counter())
    clicked = {reader.name: a_page(reader, mail_clicked=1)}
    assert problems_of_facts([reader], nothing, clicked)


def test_an_unsubscribe_is_one_fact_however_often_it_is_said() -> None:
    leaver = a("leaver")
    fact = Taken(leaver.name, "unsubscribed")
    did = Did(Counter({fact: 1}), Counter({fact: 3}))
    for count, is_well in ((0, False), (1, True), (2, False)):
        page = a_page(leaver, unsubscribed=count)
        assert (problems_of_facts([leaver], did, {leaver.name: page}) == []) is is_well


def test_a_mail_that_is_missing_doubled_or_nobodys_is_found() -> None:
    buyer = a("buyer")
    mail, thanks = ("m1", buyer.address), ("m2", buyer.address)
    assert problems_of_mails([buyer], a_mailbox(mail, thanks), NOBODY) == []
    assert problems_of_mails([buyer], a_mailbox(), NOBODY)
    assert problems_of_mails([buyer], a_mailbox(mail), NOBODY)
    assert problems_of_mails([buyer], a_mailbox(mail, thanks, thanks), NOBODY)
    assert problems_of_mails([buyer], a_mailbox(mail, thanks, ("m3", buyer.address)), NOBODY)
    assert problems_of_mails([buyer], a_mailbox(mail, thanks, ("m3", "x@example.com")), NOBODY)


def test_an_uncertain_mail_may_be_missing_but_never_come_twice() -> None:
    buyer = a("buyer")
    mail, thanks = ("m1", buyer.address), ("m2", buyer.address)
    uncertain = Counter([buyer.address])
    assert problems_of_mails([buyer], a_mailbox(), uncertain)
    assert problems_of_mails([buyer], a_mailbox(mail), uncertain) == []
    assert problems_of_mails([buyer], a_mailbox(mail, thanks), uncertain) == []
    assert problems_of_mails([buyer], a_mailbox(mail, mail), uncertain)


@pytest.mark.parametrize(
    ("status", "came", "is_well"),
    [
        ("handed over", True, True),
        ("handed over", False, False),
        ("uncertain", True, True),
        ("uncertain", False, True),
        ("cancelled", True, False),
        ("cancelled", False, True),
        ("refused", True, False),
    ],
)
def test_the_ledger_and_the_server_must_agree(status: str, came: bool, is_well: bool) -> None:
    page = {"sends": [{"message_id": "m1", "status": status}]}
    box = a_mailbox(*([("m1@shop.example", "x@example.com")] if came else []))
    assert (problems_of_ledger([page], box) == []) is is_well


def test_a_mail_that_stands_in_nobodys_ledger_is_found() -> None:
    assert problems_of_ledger([{"sends": []}], a_mailbox(("m1@shop.example", "x@example.com")))


def test_more_uncertain_sends_than_kills_can_cause_are_found_also_when_they_were_settled() -> None:
    uncertain = {"status": "uncertain", "reason": "the connection broke"}
    settled = {"status": "handed over", "reason": "opened"}
    plain = {"status": "handed over", "reason": ""}
    sends = [uncertain] * (SESSIONS - 1) + [settled] + [plain] * SESSIONS
    assert problems_of_uncertain([{"sends": sends}], kills=1) == []
    assert problems_of_uncertain([{"sends": [*sends, settled]}], kills=1)
    assert problems_of_uncertain([{"sends": [uncertain]}], kills=0)


def test_a_run_that_does_not_end_as_the_script_says_is_found_unless_a_send_is_uncertain() -> None:
    silent, browser = a("silent"), a(BROWSER)
    assert problems_of_runs([silent], an_end(silent, "alerted")) == []
    assert problems_of_runs([silent], an_end(silent, "waiting"))
    assert problems_of_runs([silent], an_end(silent, "waiting", ["m1"])) == []
    assert problems_of_runs([silent], Ended([], {silent.name: ()}, {}, 0))
    assert problems_of_runs([browser], Ended([], {browser.name: ()}, {}, 0)) == []
    assert problems_of_runs([browser], an_end(browser, "alerted"))


def test_another_end_than_without_faults_is_found_unless_a_send_is_uncertain() -> None:
    silent = a("silent")
    calm, same = an_end(silent, "alerted"), an_end(silent, "alerted")
    other, excused = an_end(silent, "won"), an_end(silent, "won", ["m1"])
    assert differences(calm, same, [silent]) == []
    assert differences(calm, other, [silent])
    assert differences(calm, excused, [silent]) == []


# --------------------------------------------------------------------------- rules and mail


def test_the_rules_of_a_run_can_be_published(tmp_path: Path) -> None:
    for name, page, hours in (("all", "", 0), ("page", "/offer", 0), ("day", "", 24)):
        write_rules_now(tmp_path / name, entry_page=page, response_hours=hours)
        assert validate_folder(tmp_path / name) == []


def a_letter(send_id: str = "abc123", **changes: Any) -> bytes:
    """Return an e-mail as the product writes it."""
    plan = SendPlan(
        send_id=send_id,
        path="p",
        run="1",
        stage="s",
        step="s",
        attempt=1,
        template="t",
        rules_version=1,
        entered_at=NOW,
        sender="shop",
        **changes,
    )
    html = '<html><body><a href="{{ shop_url }}">go</a></body></html>'
    return compose(
        TemplateText("Hello", "", html, "Hi"),
        {},
        plan=plan,
        visitor="v1",
        address="ann@example.com",
        sender=Sender("Shop", "shop@shop.example", "https://shop.example"),
        postal_address="1 Main Street",
        public_url="http://127.0.0.1:1",
        secret=b"s",
        date=NOW,
    )


def an_envelope(content: bytes) -> Envelope:
    envelope = Envelope()
    envelope.content, envelope.rcpt_tos = content, ["ann@example.com"]
    return envelope


def test_a_reader_finds_pixel_link_and_the_way_to_leave() -> None:
    mail = read_mail(a_letter())
    assert mail.at == NOW
    assert [part[:3] for part in (mail.pixel, mail.link, mail.unsubscribe)] == ["/o/", "/c/", "/u/"]


def test_a_mail_without_a_link_is_none_that_a_reader_answers() -> None:
    with pytest.raises(ValueError, match="no pixel, link or way to leave"):
        read_mail(a_letter().replace(b"/c/", b"/x/"))


async def test_a_mail_that_comes_twice_is_counted_twice_and_read_once() -> None:
    box = ReadMailbox()
    for content in (a_letter("abc123"), a_letter("abc123"), a_letter("def456")):
        await box.handle_DATA(None, None, an_envelope(content))
    assert sorted(box.seen.values()) == [1, 2]
    first, second = await box.next("ann@example.com"), await box.next("ann@example.com")
    assert first.pixel != second.pixel


class Clockwork:
    """Be the store of a system whose database is away every second time."""

    def __init__(self) -> None:
        self.store = self
        self.asked = 0

    async def get_document(self, _table: str, _key: str) -> dict[str, Any] | None:
        self.asked += 1
        if self.asked % 2:
            raise Unavailable("the database is away")
        return {"at": NOW + self.asked * timedelta(minutes=1)} if self.asked > 2 else None


async def test_whoever_waits_for_a_moment_of_the_world_goes_on_once_it_has_come() -> None:
    world, clockwork = WorldTime(look_seconds=0.001), Clockwork()
    following = asyncio.ensure_future(world.follow(cast("Running", clockwork)))
    await world.reached(NOW + timedelta(minutes=7))
    assert clockwork.asked == 8
    assert world.now == NOW + timedelta(minutes=8)
    following.cancel()
