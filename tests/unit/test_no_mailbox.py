"""Which refusals mean that there is no such mailbox."""

from __future__ import annotations

import pytest

from messaging.vocabulary.no_mailbox import about_recipient, reports_no_mailbox


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (550, "RCPT: no such user"),
        (550, "RCPT: Requested action not taken: mailbox unavailable"),
        (551, "RCPT: user not local"),
        (553, "RCPT: sorry, no mailbox here by that name"),
        (550, "RCPT: 5.5.0 Requested action not taken: mailbox unavailable"),
        (550, "RCPT: #5.1.0 Address rejected."),
        (550, "RCPT: 5.1.1 no such user"),
        (550, "RCPT: 5.1.1 unknown; for the policy see our pages"),
        (554, "RCPT: 5.1.2 no such domain"),
        (553, "RCPT: 5.1.3 bad address"),
        (551, "RCPT: 5.1.6 has moved"),
        (556, "RCPT: 5.1.10 takes no mail"),
        (550, "RCPT: 5.2.1 disabled"),
        (550, "DATA: 5.1.1 no such user"),
        (550, "END: 5.1.1 no such user"),
    ],
)
def test_a_server_that_knows_no_such_mailbox_says_so(code, reason):
    assert about_recipient(code, reason)


@pytest.mark.parametrize(
    "words",
    [
        "relay not permitted",
        "Relaying denied",
        "an address: Relay access denied",
        "Administrative prohibition",
        "Sender verify failed",
        "an address: Sender address rejected: Domain not found",
        "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        "192.0.2.1 is blacklisted",
        "192.0.2.1 is on our blocklist",
        "found in RBL",
        "looks like spam",
        "SPF check failed",
        "no DKIM signature",
        "does not pass DMARC",
        "poor reputation",
        "Rejected for policy reasons",
        "Authentication is required for relay",
        "Please turn on SMTP Authentication in your mail client",
        "an address: Recipient address rejected: Access denied",
        "Mailbox full",
        "an address: over quota",
        "Reverse DNS lookup failed",
    ],
)
def test_words_about_us_or_about_room_are_not_about_the_mailbox(words):
    for code in (550, 551, 553):
        assert not about_recipient(code, f"RCPT: {words}")
        assert not about_recipient(code, f"RCPT: 5.0.0 {words}")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (550, "MAIL: 5.1.8 bad sender"),
        (550, "MAIL: 5.1.1 no such sender"),
        (550, "CONNECT: no"),
        (550, "RCPT: 5.1.7 bad sender"),
        (550, "RCPT: 5.1.8 bad sender"),
        (550, "RCPT: 5.7.1 not allowed"),
        (552, "RCPT: 5.2.2 mailbox full"),
        (550, "RCPT: 5.2.2 mailbox full"),
        (550, "RCPT: 4.2.1 later"),
        (554, "RCPT: no"),
        (503, "RCPT: bad sequence of commands"),
        (550, "DATA: no such user"),
        (550, "END: no such user"),
        (550, "END: 5.0.0 no such user"),
        (554, "END: rejected"),
        (550, "END: 5.7.26 unauthenticated"),
        (554, "END: rejected, 5.1.1"),
        (554, "END: 5.1.1.9 is not welcome"),
        (554, "RCPT: host 5.1.1.9 is not welcome"),
    ],
)
def test_any_other_answer_leaves_the_mailbox_good(code, reason):
    assert not about_recipient(code, reason)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("5.1.1", "", ""),
        ("5.1.10", "", ""),
        ("5.1.1", "x-postfix", 'unknown user: "ann"'),
        ("5.0.0", "smtp", "550 5.1.1 gone"),
        ("5.0.0", "smtp", "550-5.1.1 The account\n 550-5.1.1 is not there"),
        ("5.4.4", "smtp", "550 5.1.2 no such domain"),
        ("5.0.0", "smtp", "5.1.1 unknown"),
        ("5.0.0", "smtp", "<ann@example.com>: 550 5.1.1 gone"),
        ("5.0.0", "smtp", "553 sorry, no mailbox here by that name. (#5.1.1)"),
        ("5.1.1", "smtp", "550 5.0.0 Rejected"),
        ("5.1.1", "smtp", "550 <ann@blockers.example>: no"),
    ],
)
def test_a_report_with_a_code_that_says_so_is_of_no_mailbox(status, kind, words):
    assert reports_no_mailbox(status, kind, words)


@pytest.mark.parametrize(
    "words",
    [
        "<ann@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "<ann@example.com>... User unknown",
        "No such user here",
        'No Such User Here"',
        "no such recipient",
        "ann@example.com: unknown user",
        "Unknown local-part",
        "<ann@example.com> Recipient unknown",
        "Recipient not found",
        "Mailbox not found",
        "Invalid Recipient",
        "The email account that you tried to reach does not exist",
        "user <ann@example.com> does not exist",
        "This user doesn't have a yahoo.com account (ann@yahoo.com) [0]",
        "The account ann@example.com is disabled",
        "not a valid mailbox",
        "sorry, no mailbox here by that name",
        "Unrouteable address",
        "Unroutable address",
    ],
)
def test_a_report_without_such_a_code_counts_by_words_that_leave_no_doubt(words):
    for status in ("", "5.0.0", "5.1.0", "5.5.0"):
        for code in (550, 551, 553):
            assert reports_no_mailbox(status, "smtp", f"{code} {words}")
    assert reports_no_mailbox("5.0.0", "smtp", f"<ann@example.com>: 550 {words}")
    assert reports_no_mailbox("5.0.0", "smtp", f"550 5.0.0 {words}")
    for said in (words, f"450 {words}", f"552 {words}"):
        assert not reports_no_mailbox("5.0.0", "smtp", said)
    assert not reports_no_mailbox("5.0.0", "x-unix", f"550 {words}")
    assert not reports_no_mailbox("5.7.1", "smtp", f"550 {words}")
    assert not reports_no_mailbox("5.1.1", "smtp", f"550 5.7.1 {words}")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Message rejected due to content restrictions",
        "Message contains a virus, rejected",
        "attachment type not accepted",
        "High probability of junk mail",
        "Requested action not taken: mailbox unavailable",
        "Message size exceeds limit",
        "temporarily unavailable, please retry",
        "Recipient not found, try again later",
        "message has lines too long for transport",
        "User is over the limit for messages",
        "Missing From header",
        "Delivery time expired",
        "message refused",
        "Invalid user agent",
        "Invalid user name or password",
        "Your account is disabled",
        "the domain of your e-mail does not exist",
        "the From address does not exist: unknown user",
        "Verification failed for <shop@shop.example> Unrouteable address Sender verify failed",
        "Sender address rejected: User unknown",
        "Relay access denied: unknown user",
        "5.1.1.9 is blocked",
    ],
)
def test_a_report_of_a_refusal_that_does_not_say_so_leaves_the_mailbox_good(words):
    for status in ("", "5.0.0", "5.1.0", "5.5.0"):
        for code in (550, 551, 553, 554):
            assert not reports_no_mailbox(status, "smtp", f"{code} {words}")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("", "", ""),
        ("5.0.0", "x-unix", "255"),
        ("5.0.0", "x-notes", "Mail was rejected: delivery time expired"),
        ("5.0.0", "smtp", "<ann@example.com>: 550 blocked, 192.0.2.1 is listed"),
        ("5.1.1", "smtp", "<ann@example.com>: 550 blocked, 192.0.2.1 is listed"),
        ("5.1.1", "smtp", "451 4.2.1 later"),
        ("5.2.2", "smtp", "552 full"),
        ("5.0.0", "smtp", "553 not in my rcpthosts (#5.7.1)"),
    ],
)
def test_a_report_says_nothing_that_its_servers_own_words_do_not(status, kind, words):
    assert not reports_no_mailbox(status, kind, words)
