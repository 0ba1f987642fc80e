"""What an SMTP server's answer means for a send."""

from __future__ import annotations

import socket
import ssl

import pytest
from aiosmtplib.errors import SMTPConnectError, SMTPException, SMTPServerDisconnected

from messaging.mail.outcomes import answered, failed

OF_US = [530, 534, 535, 538]


@pytest.mark.parametrize("step", ["CONNECT", "MAIL"])
@pytest.mark.parametrize(
    ("code", "text"),
    [(530, "5.7.0 Authentication required"), (550, "5.7.1 no"), (501, "5.1.7 bad sender")],
)
def test_what_is_refused_before_the_recipient_is_named_is_tried_again(step, code, text):
    assert answered(step, code, text).outcome == "deferred"


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("code", OF_US)
def test_a_server_that_wants_a_login_refuses_us_and_no_mail(step, code):
    assert answered(step, code, "Authentication required").outcome == "deferred"


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
@pytest.mark.parametrize("enhanced", ["5.7.0", "5.7.8", "5.7.9", "5.7.11", "5.7.14"])
def test_an_enhanced_code_about_our_login_refuses_us_and_no_mail(step, enhanced):
    assert answered(step, 554, f"{enhanced} please log in").outcome == "deferred"


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        ("RCPT", 550, "5.1.1 unknown"),
        ("RCPT", 554, "5.7.1 Relay access denied"),
        ("DATA", 554, "5.7.1 rejected"),
        ("RCPT", 550, "5.7.00 no such code"),
        ("RCPT", 550, "unknown, see section 5.7.8"),
        ("RCPT", 550, "5.7.8.9 is blocked"),
    ],
)
def test_any_other_refusal_of_a_mail_is_for_good(step, code, text):
    assert answered(step, code, text).outcome == "bounced"


@pytest.mark.parametrize("code", OF_US)
def test_an_answer_to_the_message_itself_is_taken_as_it_is(code):
    """The server has the whole e-mail: it is not given to it again."""
    assert answered("END", code, "5.7.0 no", final=True).outcome == "bounced"


def a_certificate_error(said):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = said
    return error


def an_ssl_error(reason):
    error = ssl.SSLError(1, f"[SSL: {reason}] of smtp.shop.example (_ssl.c:1006)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (a_certificate_error("self-signed certificate"), "SSLCertVerificationError: self-signed certificate"),
        (
            a_certificate_error("Hostname mismatch, certificate is not valid for 'smtp.shop.example'."),
            "SSLCertVerificationError: Hostname mismatch",
        ),
        (an_ssl_error("WRONG_VERSION_NUMBER"), "SSLError: the server speaks no TLS on this port"),
        (an_ssl_error("TLSV1_ALERT_PROTOCOL_VERSION"), "SSLError: TLSV1_ALERT_PROTOCOL_VERSION"),
        (ssl.SSLError(1, "of smtp.shop.example"), "SSLError"),
        (socket.gaierror(-2, "of smtp.shop.example"), "gaierror: nobody has the host's name"),
        (ConnectionRefusedError(111, "of smtp.shop.example"), "ConnectionRefusedError"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 25, 0, 0), smtp.shop.example"),
            "OSError: no address of the host can be reached",
        ),
        (SMTPServerDisconnected("smtp.shop.example is gone"), "SMTPServerDisconnected"),
    ],
)  # fmt: skip
def test_why_there_is_no_connection_is_said_by_its_cause_without_a_hosts_name(cause, reason):
    error = SMTPConnectError("Error connecting to smtp.shop.example on port 465")
    error.__cause__ = cause
    outcome = failed("CONNECT", error, after_data=False)
    assert (outcome.outcome, outcome.code) == ("deferred", 0)
    assert outcome.reason == f"CONNECT: {reason}"


def test_a_time_out_is_no_cancellation():
    error = TimeoutError()
    error.__cause__ = BaseException("cancelled")
    assert failed("END", error, after_data=True).reason == "END: TimeoutError"


def test_an_error_of_which_nothing_is_known_is_named():
    error = SMTPException("ann@x.example")
    assert failed("MAIL", error, after_data=False).reason == "MAIL: SMTPException"
