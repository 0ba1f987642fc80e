"""Which refusals mean that there is no such mailbox."""

from __future__ import annotations

import pytest

from messaging.vocabulary.no_mailbox import about_recipient


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
