"""Say whether a server's refusal means that there is no such mailbox. Pure.

Rules
1. In doubt the mailbox is good: one wrongly taken for bad is never written to again, one wrongly taken for good
   costs a few e-mails that a person is told of.
2. An enhanced code decides where it says anything (RFC 3463); it stands right after the step's name. Elsewhere three
   numbers with dots are part of an IP address, or of a text about something else.
3. Without one, only an answer to RCPT can be about the mailbox, and only if its words are not about us.
"""

from __future__ import annotations

import re

_ANSWER = re.compile(r"(RCPT|DATA|END): #?(?:([245]\.\d{1,3}\.\d{1,3})(?!\.?\d))?(.*)")
"""Step, enhanced code if there is one, words. Some servers write `#5.1.0` (Cisco's, qmail)."""

_NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, domain or form of address; moved; takes no mail at all (RFC 7505); disabled. A full one (5.2.2) is
none of them: it is read again some day."""

_SAYS_NOTHING = frozenset({None, "5.0.0", "5.1.0", "5.5.0"})
""""Other or undefined": Outlook.com says 5.5.0 and Cisco's gateways 5.1.0 of a mailbox that is not there."""

_CODES = frozenset({550, 551, 553})
"""RFC 5321 section 4.2.3: mailbox unavailable, not local, or its name not allowed."""

_ABOUT_US = re.compile(
    r"""
      relay                                       # Postfix: Relay access denied; Exim: relay not permitted
    | prohibit | \bsender                         # Exim: Administrative prohibition, Sender verify failed
    | block | black\ ?list | listed | \brbl\b     # Postfix: Client host blocked using …
    | dnsbl | \bspam | unsolicited | reputation   # filters: of the host or the content
    | \bspf\b | \bdkim\b | \bdmarc\b              # RFC 7208, 6376, 7489
    | \bhelo\b | \behlo\b | reverse | \bptr\b     # Postfix: of the sending host's name
    | policy | policies | access\ denied          # Postfix, Exchange: by a rule of the administrator's
    | authenti | \btls\b | encrypt | log\ ?in     # relays that want a login or an encrypted session
    | \brate\b | too\ many | too\ quickly         # Postfix, Gmail: of how much is sent
    | \bfull\b | quota | storage                  # Dovecot, Exchange: there is such a mailbox, with no room
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words of widespread servers by which a 550 is about the sender, the e-mail, or a mailbox that is only full."""


def about_recipient(code: int, reason: str) -> bool:
    """Say whether a 5xx answer means that there is no such mailbox, rather than that we are not liked.

    Args:
        code: the answer's.
        reason: the step and the server's words, as `messaging.mail.outcomes.answered` has them.

    >>> (
    ...     about_recipient(550, "RCPT: 5.1.1 no such user"),
    ...     about_recipient(550, "RCPT: relay not permitted"),
    ... )
    (True, False)
    """
    found = _ANSWER.match(reason)
    if found is None:
        return False
    step, enhanced, words = found.groups()
    if enhanced not in _SAYS_NOTHING:
        return enhanced in _NO_MAILBOX
    return step == "RCPT" and code in _CODES and _ABOUT_US.search(words) is None
