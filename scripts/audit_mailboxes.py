"""Compare the rows of mailboxes with what was done: who left or bounced is suppressed, who was written to has a row.

Rules
1. The row of whoever left, bounced or complained stands before the fact is journaled, and it stays, also after an
   erasure.
2. A hand-over and a look-up touch the mailbox's row in their commit. That row goes where its owner is erased, unless it
   is suppressed; it is noted before that the address was theirs.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.runtime.fold import Folded
from messaging.ports import BatchRecord, Store
from messaging.vocabulary.effects import HandOver, LookUp
from messaging.vocabulary.events import MailReported, Record, Unsubscribed
from messaging.vocabulary.ids import email_key, erased_key

READ_MAX = 5_000


class Mailboxes:
    """Watch who left, and who was written to or asked about.

    Args:
        found: is told (rule, what) of what should not be.
        veil: identity key -> its keyed hash.
        only: the only visitor looked at; None: all.
    """

    def __init__(
        self, found: Callable[[str, str], None], veil: Callable[[str], str], only: str | None
    ) -> None:
        self._found = found
        self._veil = veil
        self._only = only
        self._left: set[str] = set()
        self._touched: dict[str, str] = {}
        """Mailbox -> the identity key of its address, of those not looked for yet."""
        self._done: set[int] = set()
        """Hashes of mailboxes that were looked for."""
        self.seen = 0

    def take(self, record: Record, whose: str) -> None:
        """Take a journaled event and whose it was found to be."""
        event = record.event
        if (
            isinstance(event, Unsubscribed | MailReported)
            and event.mailbox
            and self._only in (None, whose)
        ):
            self._left.add(event.mailbox)

    def observe(self, record: BatchRecord, folded: Folded) -> None:
        """Take what a batch did."""
        if self._only is None:
            self._left.update(record.suppressed)
        guards = set(folded.guards)
        for _, act in folded.acts:
            if isinstance(act, HandOver | LookUp) and act.mailbox in guards:
                mark = hash(act.mailbox)
                if mark not in self._done:
                    self._done.add(mark)
                    self._touched[act.mailbox] = email_key(act.address)

    async def look(self, store: Store, *, at_least: int = 1) -> None:
        """Look for the rows of whoever was written to, once there are so many of them."""
        if len(self._touched) < at_least:
            return
        touched, self._touched = self._touched, {}
        self.seen += len(touched)
        gone = sorted(touched.keys() - await store.mailboxes(sorted(touched)))
        notes = {each: erased_key(self._veil(touched[each])) for each in gone}
        noted = await store.identities(sorted(notes.values()))
        for mailbox in gone:
            if notes[mailbox] not in noted:
                self._found("mailboxes", f"mailbox {mailbox} was written to, and has no row")

    async def end(self, store: Store) -> None:
        """Say who left and may be written to all the same."""
        await self.look(store)
        left = sorted(self._left)
        self.seen += len(left)
        for first in range(0, len(left), READ_MAX):
            some = left[first : first + READ_MAX]
            for mailbox in sorted(set(some) - await store.suppressed(some)):
                self._found("mailboxes", f"mailbox {mailbox} left, and is not suppressed")
