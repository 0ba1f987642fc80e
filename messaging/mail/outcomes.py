"""Say what an SMTP server's answer means for a send, without keeping anybody's address."""

from __future__ import annotations

import re

from messaging.ports import MailOutcomeCode

HANDED_OVER = "handed over"
DEFERRED = "deferred"
BOUNCED = "bounced"
UNCERTAIN = "uncertain"

REASON_CHARACTERS_MAX = 200

BEFORE_RECIPIENT = frozenset({"CONNECT", "MAIL"})
"""Steps at which the server knows nothing but us: what it refuses is us, or its own state."""

LOGIN_CODES = frozenset({530, 534, 535, 538})
"""The server wants a login, or another one (RFC 4954 section 6): a password ran out, not a mailbox."""

_LOGIN_WANTED = re.compile(r"\s*5\.7\.(?:0|8|9|11|14)(?!\.?\d)")
"""The same as an enhanced code (RFC 4954 section 6, RFC 5248), which stands before the words."""

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
        outcome = DEFERRED if _refuses_us(step, code, text) else BOUNCED
    elif final and not 400 <= code < 500:
        outcome = UNCERTAIN
    else:
        outcome = DEFERRED
    return MailOutcomeCode(outcome, code, f"{step}: {told(text)}")


def _refuses_us(step: str, code: int, text: str) -> bool:
    """Say whether a 5xx is about us, so that it says nothing about this mail: that is tried again."""
    if step in BEFORE_RECIPIENT:
        return True
    return step != "END" and (code in LOGIN_CODES or _LOGIN_WANTED.match(text) is not None)


def failed(step: str, error: BaseException, *, after_data: bool) -> MailOutcomeCode:
    """Return the outcome of a step that got no answer."""
    outcome = UNCERTAIN if after_data else DEFERRED
    return MailOutcomeCode(outcome, 0, f"{step}: {type(error).__name__}")


def told(text: str) -> str:
    """Return a server's words on one line, short, with addresses left out."""
    clean = text.encode("utf-8", "replace").decode()
    return _ADDRESS.sub("an address", _BLANKS.sub(" ", clean).strip())[:REASON_CHARACTERS_MAX]
