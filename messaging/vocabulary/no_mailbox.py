"""Say whether a server's refusal means that there is no such mailbox. Pure.

Rules
1. In doubt the mailbox is good: one wrongly taken for bad is never written to again, one wrongly taken for good
   costs a few e-mails that a person is told of.
2. An enhanced code decides where it says anything (RFC 3463); it stands right after the step's name. Elsewhere three
   numbers with dots are part of an IP address, or of a text about something else.
3. Without one, only an answer to RCPT can be about the mailbox, and only if its words are not about us.
4. A report (RFC 3464) does not say at which step the server refused: without such a code it counts only where the
   server's words name the mailbox and say that it is not there.
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


_REPLY = re.compile(
    r"(?:<[^<>]*>(?:\.\.\.|:)?\s*)?"  # Sendmail puts the address before the answer
    r"(?:(?P<code>[245]\d\d)(?:[ -]|$))?\s*#?"
    r"(?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})(?!\.?\d))?(?P<words>.*)",
    re.DOTALL,
)
"""An answer as a report quotes it: code, enhanced code, words."""

_AT_THE_END = re.compile(r"\(#([245]\.\d{1,3}\.\d{1,3})\)")
"""`sorry, no mailbox here by that name. (#5.1.1)`: qmail."""

_ADDRESS = re.compile(r"[^\s<>@\"']+@[^\s<>@\"']+")
_WHO = r"(?:user|recipient|mailbox|account|local[- ]part|(?:recipient|mailbox)\ address)"
_WHOSE = r"(?:\ (?:that\ )?you\ tried\ to\ reach|\ <?address>?)?"
_NOT_THERE = re.compile(
    rf"""
      \bno\ such\ (?:local\ |virtual\ )?(?:{_WHO}|person|address)\b  # Exim with cPanel, Domino, Sendmail
    | \b{_WHO}\ (?:is\ )?(?:unknown|not\ found|not\ known|invalid)\b  # Postfix, MDaemon, Exchange, Yahoo
    | \b(?:unknown|invalid)\ (?:local\ |virtual\ )?{_WHO}\b(?!\ (?:agent|name))  # Exchange, Mimecast
    | \b(?:{_WHO}|e-?mail\ address){_WHOSE}:?  # Gmail, and many
      \ (?:does\ not\ exist|doesn['\N{{RIGHT SINGLE QUOTATION MARK}}]t\ exist|no\ longer\ exists)\b
    | \b(?:does\ not|doesn['\N{{RIGHT SINGLE QUOTATION MARK}}]t)\ have\ an?\ (?:\S+\ )?account\b  # Yahoo
    | \bnot\ a\ (?:known|valid)\ {_WHO}\b
    | \bno\ mailbox\ (?:here\ )?by\ that\ name\b  # qmail
    | \b(?:account|mailbox){_WHOSE}\ (?:is|has\ been|was)\ (?:disabled|deactivated|closed|deleted)\b  # Gmail
    | \bunroute?able\ address\b  # Exim
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""That there is no such mailbox, in the words of widespread servers. `mailbox unavailable` is none of them: it is the
standard's own text of every 550, whatever for. Exim's `Unrouteable address` is one: of a recipient it says that no
router takes this name; where it says so of the sender, `Sender verify failed` stands beside it."""

_IN_DOUBT = re.compile(
    r"""
      temporar | try\ again | retry | \blater\b     # it may be there tomorrow
    | \byour\ (?:\w+\ )?(?:account|mailbox|login|user)  # a relay, of our account with it
    | \b(?:mail|the)\ from\b | \bfrom:?\ (?:address|header) | \breturn[ -](?:path|address) | \breply  # our address
    | \bverification\ failed                        # Exim: a look back at the sender
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words of a report by which its others are not about the mailbox, or not for good."""


def reports_no_mailbox(status: str, kind: str, diagnostic: str) -> bool:
    """Say whether a report of a failed delivery means that there is no such mailbox (RFC 3464 section 2.3).

    Args:
        status: the enhanced code of `Status`; empty where there is none that can be read.
        kind: the type of `Diagnostic-Code`: `smtp`, or a server's own.
        diagnostic: its words.

    >>> reports_no_mailbox("5.0.0", "smtp", "550 No such user"), reports_no_mailbox("5.0.0", "", "")
    (True, False)
    """
    found = _REPLY.match(diagnostic)
    assert found is not None  # it takes any text
    words = _ADDRESS.sub("address", found["words"])  # somebody@blockers.example is not blocked
    at_the_end = _AT_THE_END.search(words)
    enhanced = found["enhanced"] or (at_the_end[1] if at_the_end else None)
    if enhanced not in _SAYS_NOTHING:
        return enhanced in _NO_MAILBOX
    if _ABOUT_US.search(words) or _IN_DOUBT.search(words):
        return (
            False  # also beside a status: Sendmail makes 5.1.1 of each 550 without an enhanced code
        )
    if status and status not in _SAYS_NOTHING:
        return status in _NO_MAILBOX
    is_answer = kind == "smtp" and found["code"] is not None and int(found["code"]) in _CODES
    return is_answer and _NOT_THERE.search(words) is not None
