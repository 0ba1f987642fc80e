"""Say what an SMTP server's answer means for a send, without keeping anybody's address."""

from __future__ import annotations

import re
import socket
import ssl

from aiosmtplib.errors import SMTPException

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

NOT_OFFERED = {
    "STARTTLS extension not supported": "the server offers no STARTTLS",
    "AUTH extension is not supported": "the server offers no login",
}
"""Words of the library's -> what they come to."""

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says, by its version, of an answer that is no TLS."""

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
    return MailOutcomeCode(outcome, 0, f"{step}: {told(_cause(error))}")


def _cause(error: BaseException) -> str:
    """Return what an error comes from, and what that means where its name does not say it; no host is named.

    >>> _cause(socket.gaierror(-2, "Name or service not known"))
    "gaierror: nobody has the host's name"
    """
    while isinstance(
        error.__cause__, Exception
    ):  # a time-out comes from a cancellation, which is none
        error = error.__cause__
    for words, meaning in NOT_OFFERED.items():
        if isinstance(error, SMTPException) and words in error.message:
            return meaning
    meaning = _meaning(error)
    return f"{type(error).__name__}: {meaning}" if meaning else type(error).__name__


def _meaning(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            # What follows the comma is the name that the certificate is not for.
            return str(getattr(error, "verify_message", "")).partition(",")[0]
        case ssl.SSLError():
            reason = getattr(error, "reason", "") or ""
            return "the server speaks no TLS on this port" if reason in NO_TLS else reason
        case socket.gaierror():
            return "nobody has the host's name"
        case OSError() if str(error).startswith("Multiple exceptions"):
            return "no address of the host can be reached"
        case _:
            return ""


def told(text: str) -> str:
    """Return a server's words on one line, short, with addresses left out."""
    clean = text.encode("utf-8", "replace").decode()
    return _ADDRESS.sub("an address", _BLANKS.sub(" ", clean).strip())[:REASON_CHARACTERS_MAX]
