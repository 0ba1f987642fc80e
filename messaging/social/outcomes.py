"""Name what a source can say, and why it said nothing: the outcomes of a finding."""

from __future__ import annotations

from datetime import datetime

import msgspec

from messaging.ports import IsWanted, always

FOUND, NOBODY = "found", "nobody"
FAILED, BUSY, REFUSED = "failed", "busy", "refused"
WITHDRAWN = "withdrawn"

NOT_THERE = frozenset({400, 404, 405, 410})
"""Statuses by which a server says that it knows nobody of that name, or does not speak the protocol at all."""


class Told(msgspec.Struct):
    """Hold what a source said of an address, in few words."""

    outcome: str
    kind: str = ""
    posts: int | None = None
    last_active_at: datetime | None = None


class Unanswered(Exception):  # noqa: N818 - a fact, as in vocabulary.errors
    """Say that a source gave no answer that can be used, and why; never with a stranger's text in it."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason


class Asked:
    """Hold whom one source took, in the order they were asked; nobody else is once the answer is not wanted."""

    def __init__(self, is_wanted: IsWanted = always) -> None:
        self.hosts: list[str] = []
        self._is_wanted = is_wanted

    def note(self, host: str) -> None:
        """Take down who is asked next. Raise Unanswered (withdrawn) where nobody may be any more."""
        if not self._is_wanted():
            raise Unanswered(WITHDRAWN, "nobody may be asked any more")
        self.hosts.append(host)

    def take_back(self) -> None:
        """Take whom was taken down last off again: they were not reached."""
        self.hosts.pop()
