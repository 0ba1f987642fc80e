"""Name what can go wrong, split by who erred: they, the world, or we.

    MdmaError
    ├── RejectedEvent        theirs: what came in cannot be read; kept in quarantine or named in the answer
    ├── RuleError            theirs: a marketer's file is wrong; file, line, what to do
    └── WorldError           the world's
        ├── Unavailable      a part did not answer in time; the same call may be tried again
        ├── CommitUnknown    the database did not say whether a commit happened; ask before going on
        ├── Conflict         another shard changed a key that this batch read; load again and repeat
        ├── Suppressed       a guarded mailbox must not be written to; repeat the batch knowing that
        └── Fenced           the shard has a newer owner; this actor must stop at once

Ours are `assert`: the actor dies and recovers from the store.
"""

from __future__ import annotations

import traceback


class MdmaError(Exception):
    """Stand above every error the product names."""


class RejectedEvent(MdmaError):  # noqa: N818 - a fact, named in the past tense like all facts
    """Say that an event from outside cannot be taken, and which field is why."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class RuleError(MdmaError):
    """Say what is wrong in a marketer's file, where, and what to do."""

    def __init__(self, file: str, line: int, problem: str, hint: str = "") -> None:
        super().__init__(f"{file}:{line}: {problem}" + (f" ({hint})" if hint else ""))
        self.file = file
        self.line = line
        self.problem = problem
        self.hint = hint


class WorldError(MdmaError):
    """Stand above what the world does to us; each kind says whether trying again can help."""


class Unavailable(WorldError):  # noqa: N818
    """Say that a part did not answer in time; nothing is known to have happened; try again."""


class CommitUnknown(WorldError):  # noqa: N818
    """Say that a commit may or may not have happened; `Store.acquire` or a repeat settles it."""


class Conflict(WorldError):  # noqa: N818
    """Say that what a batch had read was changed by another shard; reload and repeat the batch."""


class Suppressed(WorldError):  # noqa: N818
    """Say that a commit was refused since it would hand over mail to suppressed mailboxes."""

    def __init__(self, mailboxes: frozenset[str]) -> None:
        super().__init__(f"{len(mailboxes)} mailboxes are suppressed")
        self.mailboxes = mailboxes
        """Which, as they stood among the commit's guards."""


class Fenced(WorldError):  # noqa: N818
    """Say that the shard belongs to a newer epoch; the holder of the old one must stop."""


def raised_at(error: BaseException) -> list[str]:
    """Return the innermost places of an error: what a log may say of it, for its text may hold an address."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return [f"{'/'.join(f.filename.split('/')[-2:])}:{f.lineno} {f.name}" for f in frames]
