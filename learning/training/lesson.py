"""Say what a training takes and gives, in words that travel between processes: no scikit-learn in here."""

from __future__ import annotations

import msgspec

from messaging.vocabulary.records import Snapshot

CONVERSIONS_MIN = 10
"""Below this there is no model: a rate would be as good, and a rate is known without one."""


class Example(msgspec.Struct, frozen=True):
    """Hold one visitor at one moment, and what came of it."""

    at_days: float
    """When the moment was, on any clock of days; the same for all examples and the champion."""
    inputs: list[float]
    """As `inputs_of` gives them."""
    after_days: float | None
    """How much later they got there; None: not as long as they were followed."""
    followed_days: float
    """How long after the moment it is known what they did."""
    subject: str = ""
    """Whose moment it is: several of one visitor are no news of each other."""


class Lesson(msgspec.Struct, frozen=True):
    """Hold all that one training needs."""

    policy: str
    examples: list[Example]
    champion: Snapshot | None = None
    """What acts now."""

    @property
    def is_too_little(self) -> bool:
        """Say whether nobody needs to look: fewer moments led anywhere than a model needs people who got there."""
        return sum(each.after_days is not None for each in self.examples) < CONVERSIONS_MIN


class Report(msgspec.Struct, frozen=True):
    """Say how a model came about. The figures are those of the validation, 0 where there was none."""

    kind: str
    """`logistic` or `trees`."""
    rows: int
    conversions: int
    is_early: bool
    is_calibrated: bool
    log_losses: dict[str, float]
    """Kind -> log-loss of the later rows, before calibration."""
    auc: float
    calibration_error: float
    calibration: list[tuple[int, float, float]] = []
    """(rows, what was said of them, which share came true), by rising probability."""


class Trained(msgspec.Struct, frozen=True):
    """Hold a model that is ready to be published, and how it came about."""

    snapshot: Snapshot
    report: Report


class Taught(msgspec.Struct, frozen=True):
    """Say what a lesson came to."""

    outcome: str
    """`first`, `better`, `early`, `champion kept`, or `too little`."""
    trained: Trained | None = None
    """None where nothing new is to be published."""


_lessons = msgspec.msgpack.Decoder(Lesson)
_taught = msgspec.msgpack.Decoder(Taught)
encode = msgspec.msgpack.Encoder().encode


def decode_lesson(body: bytes) -> Lesson:
    """Read a lesson's bytes (MessagePack)."""
    return _lessons.decode(body)


def decode_taught(body: bytes) -> Taught:
    """Read what a lesson came to."""
    return _taught.decode(body)
