"""Say what the console asks about deliverability: how e-mails are taken, and what is to be done where that is badly."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Taken(msgspec.Struct, kw_only=True):
    """Count what became of the e-mails of one day, or to one domain."""

    name: str
    sent: int = 0
    """A server had a word about so many."""
    handed: int = 0
    """Taken, and not come back."""
    bounced: int = 0
    complained: int = 0
    left: int = 0
    """Unsubscribed by it."""
    uncertain: int = 0
    opened: int = 0
    """By people, as far as can be told."""
    clicked: int = 0
    """By people."""
    wrong: list[str] = []
    """Which of these are too many."""


class Advice(msgspec.Struct, kw_only=True):
    """Say what is bad, and what to do."""

    level: str
    """`wrong` or `look`."""
    what: str
    do: str
    template: str = ""
    """Which one it is about, empty for none."""
    visitor: str = ""
    """One for whom that went wrong."""


class Refused(msgspec.Struct, kw_only=True):
    """Count the e-mails of one template that were refused by us for one reason: no server saw them."""

    template: str
    why: str
    number: int
    at: str
    """When the newest was."""
    visitor: str
    """Whose that one was."""
    fails: bool = False
    """Whether the template could not be composed: that is to be mended."""


class Answers(msgspec.Struct, kw_only=True):
    """Count answers, and those of people among them."""

    name: str
    every: int
    by_people: int


class DeliveredNow(msgspec.Struct, kw_only=True):
    """Hold how e-mails are taken."""

    as_of: str
    at: datetime
    """The moment that the sums are of; `as_of` says it in words."""
    whole: Taken
    days: list[Taken]
    """The last thirty, the oldest first."""
    domains: list[Taken]
    """Those that most e-mails go to, and all others as one."""
    answers: list[Answers]
    reasons: list[tuple[str, int]]
    """(why mailboxes are never written to again, how many)"""
    advice: list[Advice]
    refused: list[Refused] = []
    """Before any hand-over, over the same days: failing templates first, then the most."""
    refused_count: int = 0
    """All of them, also those that are not among the lines."""
    mail_waits: str = ""
    """How many e-mails wait for the mail server, since when and why; empty: none does."""


class Suppressed(msgspec.Struct, kw_only=True):
    """Say one mailbox that is never written to again."""

    mailbox: str
    """Keyed hash of the address."""
    at: str
    why: str
