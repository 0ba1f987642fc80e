"""What an SMTP server's answer means for a send."""

from __future__ import annotations

import pytest

from messaging.mail.outcomes import answered

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
