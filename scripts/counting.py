"""Say a count with its word: the singular for one."""

from __future__ import annotations

ONE = {"batches": "batch", "mailboxes": "mailbox", "people": "person", "processes": "process"}
"""What loses more than an s, or gets another word."""


def counted(count: int, many: str) -> str:
    """Return a count with its word, in the singular for one.

    >>> counted(1, "sends"), counted(2000, "decisions to send")
    ('1 send', '2,000 decisions to send')
    >>> counted(1, "processes"), counted(1, "batches"), counted(1, "people")
    ('1 process', '1 batch', '1 person')
    """
    if count != 1:
        return f"{count:,} {many}"
    first, *more = many.split(" ")
    one = ONE.get(first, first.removesuffix("s"))
    return " ".join(["1", one, *more])
