"""Look at every journaled event: whether it stands in its own place, and would be known if it came again.

Rules
1. Where an event stands is written beside it and in it: the two agree, or it was put where another one belongs.
2. An event is known again by the keyed hash of its message id. Of what was erased only that is left: it is believed.
3. One writer fills a stream, with one secret. A stream of which no event is known was filled under another secret, as
   after a new `MDMA_SECRET`: it is counted, since an honest hash of then cannot be told from a planted one.
4. A stream that is in no list of streams is read by nobody who comes later.
"""

from __future__ import annotations

from collections import Counter

from messaging.ports import Filed, Journal
from messaging.vocabulary.ids import number_of, stream_of

READ_MAX = 5_000
NAMED_MAX = 20
"""So many of a kind and stream are named; the others are a number."""

MISPLACED = "does not hold the event that belongs there"
UNKNOWN = "would count twice if it came again: it is not known by its message id"

UNLISTED = "is in no list of streams: what stands in it may be read by nobody"
FOREIGN = "events journaled under another secret"


class _Stream:
    """Collect what is wrong within one stream."""

    def __init__(self, number: int) -> None:
        self.name = f"journal:{number}"
        self.known = 0
        self.wrong: Counter[str] = Counter()
        self._named: list[str] = []
        self._unknown: list[str] = []

    def take(self, filed: Filed) -> None:
        """Take the next event."""
        name = f"{self.name} event {number_of(filed.position)}"
        if not filed.is_in_place:
            self._note(self._named, MISPLACED, name)
        elif filed.is_known:
            self.known += 1
        elif filed.is_known is not None:
            self._note(self._unknown, UNKNOWN, name)

    def _note(self, names: list[str], what: str, name: str) -> None:
        self.wrong[what] += 1
        if self.wrong[what] <= NAMED_MAX:
            names.append(f"{name} {what}")

    def end(self) -> tuple[list[str], int]:
        """Return what is wrong, and how many events were written under another secret."""
        foreign = 0 if self.known else self.wrong.pop(UNKNOWN, 0)
        said = self._named + ([] if foreign else self._unknown)
        for what, count in self.wrong.items():
            if count > NAMED_MAX:
                said.append(f"{count - NAMED_MAX} more of {self.name}: {what}")
        return said, foreign


async def misfiled(journal: Journal) -> tuple[list[str], dict[str, int]]:
    """Return what is wrong with the journal, and how much was looked at."""
    streams: dict[int, _Stream] = {}
    after = count = 0
    while some := await journal.filed(after, READ_MAX):
        after = some[-1].position
        count += len(some)
        for filed in some:
            number = stream_of(filed.position)
            if number not in streams:
                streams[number] = _Stream(number)
            streams[number].take(filed)
        if len(some) < READ_MAX:
            break  # what comes meanwhile is left to the next audit
    found: list[str] = []
    looked = {"journaled events": count}
    listed = await journal.tails()
    for number, stream in streams.items():
        said, foreign = stream.end()
        found += said
        if foreign:
            looked[FOREIGN] = looked.get(FOREIGN, 0) + foreign
        if number not in listed:
            found.append(f"{stream.name} {UNLISTED}")
    return found, looked
