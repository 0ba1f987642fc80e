"""Say what an SMTP server's answer means for a send, without keeping anybody's address."""

from __future__ import annotations

import re

from messaging.ports import MailOutcomeCode

HANDED_OVER = "handed over"
DEFERRED = "deferred"
BOUNCED = "bounced"
UNCERTAIN = "uncertain"

REASON_CHARACTERS_MAX = 200

_ADDRESS = re.compile(r"[^\s<>@\"']+@[^\s<>@\"']+")
_BLANKS = re.compile(r"[\x00-\x20\x7f-\x9f]+")


def answered(step: str, code: int, text: str, *, final: bool = False) -> MailOutcomeCode:
    """Return the outcome of an answer to a step (`CONNECT`, `MAIL`, `RCPT`, `DATA`, `END`).

    `final`: the answer follows the final dot, so that a meaningless one leaves the send uncertain.

    >>> answered("RCPT", 550, "5.1.1 <ann@example.com> unknown")
    MailOutcomeCode(outcome='bounced', code=550, reason='RCPT: 5.1.1 <an address> unknown')
    """
    if final and 200 <= code < 300:
        outcome = HANDED_OVER
    elif 500 <= code < 600:
        # What is refused before MAIL is us, or the server's own state: it says nothing about this mail.
        outcome = DEFERRED if step == "CONNECT" else BOUNCED
    elif final and not 400 <= code < 500:
        outcome = UNCERTAIN
    else:
        outcome = DEFERRED
    return MailOutcomeCode(outcome, code, f"{step}: {told(text)}")


def failed(step: str, error: BaseException, *, after_data: bool) -> MailOutcomeCode:
    """Return the outcome of a step that got no answer."""
    outcome = UNCERTAIN if after_data else DEFERRED
    return MailOutcomeCode(outcome, 0, f"{step}: {type(error).__name__}")


def told(text: str) -> str:
    """Return a server's words on one line, short, with addresses left out."""
    clean = text.encode("utf-8", "replace").decode()
    return _ADDRESS.sub("an address", _BLANKS.sub(" ", clean).strip())[:REASON_CHARACTERS_MAX]
