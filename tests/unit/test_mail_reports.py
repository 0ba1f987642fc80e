"""Reports of mail servers and mailbox providers are read as RFC 3464 and RFC 5965 have them, and nothing else is."""

from __future__ import annotations

import base64
import quopri

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
        ("5.0.0", "", "failed"),
        ("", "", "failed"),
        ("5.5.0", "X-Unix; 75", "failed"),
        ("5.0.0", "X-Unix; 255", "failed"),
        ("5.0.0", "X-Notes; Mail was rejected: delivery time expired", "failed"),
        ("5.0.0", "smtp ; 550 5.7.1 blocked", "failed"),
        ("5.0.0", "smtp; <ann@example.com>: 550 blocked, 192.0.2.1 is listed", "failed"),
        ("5.0.0", "smtp; 550 Message contains a virus, rejected", "failed"),
    ],
)
def test_what_says_nothing_of_the_mailbox_changes_nothing(
    status: str, diagnostic: str, action: str
) -> None:
    found = read_report(a_bounce(status, diagnostic, action))
    assert found is not None
    assert (found.send, found.kind) == (SEND, "")
    assert found.said


@pytest.mark.parametrize(
    ("diagnostic", "said"),
    [
        ("smtp ; 550 5.7.1 blocked", "failed: 5.7.1 blocked"),
        ("X-Unix; 255", "failed: 5.0.0 255"),
        ("smtp; <ann@example.com>: 550 blocked", "failed: 5.0.0 <an address>: 550 blocked"),
    ],
)
def test_no_word_of_a_server_is_lost(diagnostic: str, said: str) -> None:
    assert read_report(a_bounce("5.0.0", diagnostic)) == Report(SEND, "", said)


def test_a_comment_in_a_field_is_none_of_its_value() -> None:
    for status, action in (("5.1.1(bad mailbox)", "failed"), ("5.1.1", "Failed (for good)")):
        assert read_report(a_bounce(status, action=action)) == Report(SEND, BOUNCED, "5.1.1")


def test_who_calls_it_spam_complained_and_who_does_not_did_not() -> None:
    assert read_report(a_complaint("abuse")) == Report(SEND, COMPLAINED, "abuse")
    assert read_report(a_complaint("not-spam")) == Report(SEND, "", "not-spam")
    for other in ("opt-out", "fraud", "virus", "other"):
        assert read_report(a_complaint(other)) == Report(SEND, "", other)
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


def several(*recipients: tuple[str, str, str], to: str = "Ann <Ann@Example.com>") -> bytes:
    """Return a report on recipients: their address field, action and status."""
    blocks = [f"{who}\nAction: {action}\nStatus: {status}\n" for who, action, status in recipients]
    machine = "\n".join(["Reporting-MTA: dns; mx.example\n", *blocks])
    return a_report("delivery-status", machine, head=HEAD.replace("ann@example.com", to))


ANN, BOB = "Final-Recipient: rfc822; ann@example.com", "Final-Recipient: rfc822; bob@example.com"


@pytest.mark.parametrize(
    ("recipients", "kind"),
    [
        ([(BOB, "delivered", "2.0.0"), (ANN, "failed", "5.1.1")], BOUNCED),
        ([(BOB, "failed", "5.7.1"), (ANN, "failed", "5.1.1")], BOUNCED),
        ([(BOB, "failed", "5.1.1"), (ANN, "delivered", "2.0.0")], ""),
        ([(ANN, "delayed", "4.0.0"), (ANN, "failed", "5.1.1")], ""),
        ([(BOB, "failed", "5.1.1")], BOUNCED),
        ([(BOB, "failed", "5.1.1"), (BOB, "delivered", "2.0.0")], ""),
        ([(BOB, "failed", "5.1.1"), (BOB, "failed", "5.1.1")], BOUNCED),
        (
            [
                (BOB, "failed", "5.7.1"),
                (f"Original-{ANN.removeprefix('Final-')}\n{BOB}", "failed", "5.1.1"),
            ],
            BOUNCED,
        ),
    ],
)
def test_of_several_recipients_the_one_counts_whom_it_was_to(
    recipients: list[tuple[str, str, str]], kind: str
) -> None:
    found = read_report(several(*recipients))
    assert found is not None
    assert (found.send, found.kind) == (SEND, kind)


@pytest.mark.parametrize(
    "address", ["utf-8; jörg@bücher.example", r"utf-8; j\x{F6}rg@b\x{fc}cher.example"]
)
@pytest.mark.parametrize("about", ["message/global", "message/global-headers"])
def test_a_report_with_addresses_in_utf_8_is_read_alike(address: str, about: str) -> None:
    raw = several(
        (BOB, "delivered", "2.0.0"),
        (f"Final-Recipient: {address}", "failed", "5.1.1"),
        to="jörg@xn--bcher-kva.example",
    )
    raw = raw.replace(b"message/delivery-status", b"message/global-delivery-status")
    raw = raw.replace(b"message/rfc822", about.encode())
    assert read_report(raw) == Report(SEND, BOUNCED, "5.1.1")


@pytest.mark.parametrize("how", ["base64", "quoted-printable"])
def test_parts_that_are_encoded_are_decoded_first(how: str) -> None:
    encode = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}[how]
    fields = b"Reporting-MTA: dns; mx\n\nAction: failed\nStatus: 5.1.1\n"
    raw = (
        b'Content-Type: multipart/report; boundary="b"\n\n'
        b"--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: %b\n\n%b\n"
        b"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: %b\n\n%b\n--b--\n"
    ) % (how.encode(), encode(fields), how.encode(), encode(HEAD.encode() + b"\nHello\n"))
    assert read_report(raw) == Report(SEND, BOUNCED, "5.1.1")


def test_a_report_beside_other_parts_is_read() -> None:
    whole = a_bounce("5.1.1")
    mixed = b'Content-Type: multipart/mixed; boundary="z"\n\n--z\n\na list\n--z\n%b\n--z--\n'
    for raw in (whole, a_complaint("abuse")):
        older = raw.replace(b"multipart/report", b"multipart/mixed")
        expected = read_report(raw)
        assert expected is not None
        assert read_report(mixed % raw) == read_report(older) == expected
    assert read_report(mixed % b"Content-Type: message/rfc822\n\n%b" % whole) is None


def test_a_report_of_a_report_says_nothing_of_the_e_mail_within() -> None:
    inner = a_bounce("4.0.0", action="delayed").replace(b'"b"', b'"i"').replace(b"--b", b"--i")
    assert read_report(a_bounce("5.1.1", head=inner.decode())) == Report("", BOUNCED, "5.1.1")
    same_boundary = a_bounce("5.1.1", head=a_bounce("4.0.0").decode())
    assert read_report(same_boundary) == Report("", BOUNCED, "5.1.1")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("between", [b"", b"fold"])
def test_an_e_mail_with_a_content_type_without_end_is_not_read(end: bytes, between: bytes) -> None:
    """The standard library takes the square of its parameters' number: minutes, for what a stranger sent."""
    parameter = between.replace(b"fold", end + b"\t") + b"a=1;"
    whole = _WHOLE.replace(b"\n", end)
    few, many = (
        whole.replace(b"report-type", parameter * times + b"report-type")
        for times in (300, 100_000)
    )
    assert read_report(few) == read_report(_WHOLE)
    assert read_report(many) is None
    inner = whole.replace(b"text/plain", b"text/plain; " + parameter * 2_000)
    assert read_report(inner) is None


@pytest.mark.parametrize("to", ["(" * 3_000, "a@b.example, " * 9_000, "\\x{ffffff}@x", ""])
def test_an_address_that_is_none_is_nobodys(to: str) -> None:
    kinds = [("delivered", "2.0.0"), ("failed", "5.1.1")]
    found = read_report(
        several(*((f"Final-Recipient: utf-8; {to}", *each) for each in kinds), to=to)
    )
    assert found == Report(SEND, "", "delivered: 2.0.0")


def test_parts_in_which_each_line_is_looked_for_many_ends_are_not_read() -> None:
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(17)
    )
    assert read_report(_WHOLE) is not None
    assert read_report(_WHOLE + nested) is None


def test_parts_within_parts_without_end_are_no_report() -> None:
    deep = b"".join(
        b'Content-Type: multipart/report; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3_000)
    )
    assert read_report(deep) is None
