"""Reports of mail servers and mailbox providers are read as RFC 3464 and RFC 5965 have them, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail.reports import BOUNCED, COMPLAINED, Report, read_report

SEND = "0123456789abcdef01234567"
HEAD = f"Message-ID: <{SEND}@shop.example>\nX-MDMA-Send: {SEND}\nTo: ann@example.com\n"


def a_report(kind: str, machine: str, head: str = HEAD, about: str = "message/rfc822") -> bytes:
    """Return a report of three parts: for people, for machines, and what it is about (RFC 6522 section 3)."""
    return (
        "From: MAILER-DAEMON@example.com\nMessage-ID: <CAF1@example.com>\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nSorry. X-MDMA-Send: ffffffffffffffffffffffff\n"
        f"--b\nContent-Type: message/{kind}\n\n{machine}\n"
        f"--b\nContent-Type: {about}\n\n{head}\nHello\n--b--\n"
    ).encode()


def a_bounce(status: str, diagnostic: str = "", action: str = "failed", **more: str) -> bytes:
    fields = f"Final-Recipient: rfc822; ann@example.com\nAction: {action}\nStatus: {status}\n"
    fields += f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return a_report("delivery-status", f"Reporting-MTA: dns; mx.example\n\n{fields}", **more)


def a_complaint(feedback: str) -> bytes:
    return a_report(
        "feedback-report", f"Feedback-Type: {feedback}\nUser-Agent: SomeISP/1.0\nVersion: 1\n"
    )


@pytest.mark.parametrize(
    ("status", "diagnostic", "said"),
    [
        (
            "5.1.1",
            "smtp; 550 5.1.1 <ann@example.com> unknown user",
            "5.1.1 <an address> unknown user",
        ),
        ("5.1.1", "smtp;550-5.1.1 The email account\n does not exist", None),
        ("5.0.0", "smtp; 550 No such user here", "5.0.0 No such user here"),
        ("5.1.10", "", "5.1.10"),
        ("5.4.4", "smtp; 550 5.1.2 no such domain", None),
    ],
)
def test_who_has_no_mailbox_bounced(status: str, diagnostic: str, said: str | None) -> None:
    for about in ("message/rfc822", "text/rfc822-headers"):
        found = read_report(a_bounce(status, diagnostic, about=about))
        assert found is not None
        assert (found.send, found.kind) == (SEND, BOUNCED)
        assert said in (None, found.said)
        assert "ann@" not in found.said


@pytest.mark.parametrize(
    ("status", "diagnostic", "action"),
    [
        ("4.4.1", "smtp; 451 try later", "delayed"),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", "failed"),
        ("5.7.1", "smtp; 550 5.7.1 looks like spam", "failed"),
        ("5.0.0", "smtp; 550 blocked by policy", "failed"),
        ("2.0.0", "smtp; 250 ok", "delivered"),
        ("4.4.7", "smtp; 421 too long in the queue", "failed"),
    ],
)
def test_what_says_nothing_of_the_mailbox_changes_nothing(
    status: str, diagnostic: str, action: str
) -> None:
    found = read_report(a_bounce(status, diagnostic, action))
    assert found is not None
    assert (found.send, found.kind) == (SEND, "")
    assert found.said


def test_who_calls_it_spam_complained_and_who_does_not_did_not() -> None:
    assert read_report(a_complaint("abuse")) == Report(SEND, COMPLAINED, "abuse")
    assert read_report(a_complaint("not-spam")) == Report(SEND, "", "not-spam")
    assert read_report(a_complaint("")) == Report(SEND, "", "it names no type")


def test_an_e_mail_is_known_by_its_message_id_and_by_no_other() -> None:
    alone = read_report(a_bounce("5.1.1", head=f"Message-ID:\n <{SEND}@shop.example>\n"))
    assert alone == Report(SEND, BOUNCED, "5.1.1")
    other = read_report(a_bounce("5.1.1", head="Message-ID: <CAF2@mail.example>\n"))
    assert other == Report("", BOUNCED, "5.1.1")


def test_an_e_mail_that_is_no_report_is_none() -> None:
    assert read_report(b"") is None
    assert read_report(HEAD.encode() + b"\nStatus: 5.1.1\nAction: failed\n") is None
    assert read_report(b'Content-Type: multipart/report; boundary="b"\n\n--b--\n') is None
    empty = read_report(a_report("delivery-status", ""))
    assert empty == Report(SEND, "", "it names no recipient")


_WHOLE = a_bounce("5.1.1", "smtp; 550 5.1.1 unknown")


@given(st.integers(0, len(_WHOLE)), st.binary(max_size=40), st.integers(0, 60))
def test_a_broken_report_is_read_as_far_as_it_goes(at: int, put: bytes, cut: int) -> None:
    found = read_report(_WHOLE[:at] + put + _WHOLE[at + cut :])
    assert found is None or found.send in ("", SEND) or len(found.send) == len(SEND)


def test_parts_within_parts_without_end_are_no_report() -> None:
    deep = b"".join(
        b'Content-Type: multipart/report; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3_000)
    )
    assert read_report(deep) is None
