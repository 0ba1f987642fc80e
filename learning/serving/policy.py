"""Say what every policy answers: a Choice, with the exact probability of each allowed arm.

Rules
1. The arm is drawn from the very numbers that are logged, by one uniform number: the propensity is exact
   by construction, not an estimate of what the policy did.
2. A refused arm stands among the candidates with the rule that refused it and is never drawn, even where
   a caller also allowed it: a refusal wins.
3. A policy reads its arguments only. What is remembered between calls follows from an unchanged snapshot, or from the
   arguments themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import msgspec

from messaging.vocabulary.records import Candidate, Snapshot

T = TypeVar("T")

REMEMBERED_MAX = 256
"""Results kept in memory: more policies × candidate sets than one shard meets between two snapshots."""

OPENINGS_MAX = 1_024
"""Ways to allow and refuse arms kept in memory: a window that begins in each hour of a week, refused in six ways."""

COUNT_MAX = 1e12
"""No policy has counted more; whatever is above is no count (nor is NaN), and sums stay finite."""


class Draws(Protocol):
    """Give chance that depends on a decision's id alone (`agents.protocol.draw.Draw` does)."""

    def uniform(self) -> float:
        """Return the next number in [0, 1)."""
        ...

    def choose(self, probabilities: list[float]) -> int:
        """Return an index, each with its probability."""
        ...


class Choice(msgspec.Struct):
    """Hold one draw of a policy: the fields of a `Decision` that the policy answers for."""

    candidates: list[Candidate]
    """The allowed arms in the order of `probabilities`, then the refused ones with their rules."""
    probabilities: list[float]
    """One for each allowed candidate; they sum to 1."""
    arm: str
    policy: str
    policy_version: int
    """Version of the snapshot that was asked; 0: none had been published."""
    leaning: list[int] = []
    """As in `Decision`."""
    weighs: float = 1.0
    """As in `RewardSeen`."""
    because: list[str] = []
    """Why the arm was as likely as it was, as `Decision.because` says it."""

    def propensity(self) -> float:
        """Return the probability with which the arm was drawn."""
        allowed = (candidate.arm for candidate in self.candidates if not candidate.refused)
        return dict(zip(allowed, self.probabilities, strict=True))[self.arm]


class Opening(msgspec.Struct, frozen=True):
    """Hold which arms are open to a draw, ready to log: many decisions have the same."""

    arms: tuple[str, ...]
    """That may be drawn, each once."""
    candidates: tuple[Candidate, ...]
    """Those, then the refused ones with their rules."""


class Remembered(Generic[T]):
    """Keep what was computed from a snapshot, as long as that very object is asked for again.

    The key is the object, not its version: two worlds in one process may publish the same version.
    """

    def __init__(self, entries_max: int = REMEMBERED_MAX) -> None:
        self._entries_max = entries_max
        self._entries: dict[tuple[int, Hashable], tuple[Snapshot, T]] = {}

    def get(self, snapshot: Snapshot, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` gave for this snapshot and key, calling it if that is not known."""
        place = (id(snapshot), key)
        entry = self._entries.get(place)
        if entry is not None and entry[0] is snapshot:
            return entry[1]
        value = make()
        if len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]  # the oldest
        # The snapshot is held with it, so that its id cannot pass to another object.
        self._entries[place] = (snapshot, value)
        return value


def allowed_arms(allowed: Sequence[str], refused: Mapping[str, str]) -> list[str]:
    """Return the arms that may be drawn, each once, in their order. Raise ValueError if none is left.

    >>> allowed_arms(["a", "b", "a"], {"b": "weekly_cap"})
    ['a']
    """
    arms = [arm for arm in dict.fromkeys(allowed) if arm not in refused]
    if not arms:
        counts = sorted(Counter(refused.values()).items())
        rules = ", ".join(f"{rule} {count}" for rule, count in counts) or "no candidate was given"
        raise ValueError(f"no arm is allowed: {len(refused)} refused ({rules})")
    return arms


def opening(allowed: Sequence[str], refused: Mapping[str, str]) -> Opening:
    """Return what is open of `allowed` less `refused` (arm -> rule). Raise ValueError if no arm is left.

    >>> opening(["a", "b"], {"b": "weekly_cap"}).arms
    ('a',)
    """
    arms = allowed_arms(allowed, refused)
    named = [Candidate(name, refused[name] or "refused") for name in sorted(refused)]
    return Opening(tuple(arms), (*map(Candidate, arms), *named))


@lru_cache(maxsize=OPENINGS_MAX)
def _known_opening(arms: tuple[str, ...], refused: tuple[tuple[str, str], ...]) -> Opening:
    return opening(arms, dict(refused))


def draw_choice(
    arms: Sequence[str],
    probabilities: list[float],
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str,
    version: int,
) -> Choice:
    """Draw one of `arms` (as `allowed_arms` returned them) and return it with all that must be logged."""
    among = _known_opening(tuple(arms), tuple(refused.items()))
    return draw_among(among, list(probabilities), draw, policy=policy, version=version)


def draw_among(
    among: Opening, probabilities: list[float], draw: Draws, *, policy: str, version: int
) -> Choice:
    """Draw one of the open arms. The list of their probabilities is the choice's own from here on."""
    assert len(among.arms) == len(probabilities), "every allowed arm has a probability"
    arm = among.arms[draw.choose(probabilities)]
    return Choice(list(among.candidates), probabilities, arm, policy, version)


def array_of(snapshot: Snapshot, name: str, length: int) -> list[float]:
    """Return an array of a snapshot cut or filled to a length, with 0 for what is no count.

    A snapshot is read from the store: one bad number must not stop decisions.
    """
    values = snapshot.arrays.get(name, [])[:length]
    counts = [value if 0.0 <= value <= COUNT_MAX else 0.0 for value in values]
    return counts + [0.0] * (length - len(counts))
