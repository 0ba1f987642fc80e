"""Read from a snapshot whether its policy was taken back, and in which era it is judged. Pure.

Rules
1. What was taken back is decided by the rules for everybody, until a person turns learning on again: that is told by
   the next snapshot, in its next era.
2. A number that is none counts as 0, as everywhere in a snapshot: then what was learned decides, as before it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from learning.serving.fixed import choose_default
from learning.serving.policy import Choice, array_of
from messaging.vocabulary.records import Snapshot

TAKEN_BACK = "taken_back"
"""Rule that refuses what only learning would have chosen."""

FALLBACK, ERA = "fallback", "era"
"""Arrays of one number each; a snapshot without them was never taken back, and is in its first era."""


def is_taken_back(snapshot: Snapshot | None) -> bool:
    """Say whether the rules decide in place of a policy.

    >>> is_taken_back(Snapshot(policy="send_time", version=1, arrays={"fallback": [1.0]}))
    True
    >>> is_taken_back(Snapshot(policy="send_time", version=2)), is_taken_back(None)
    (False, False)
    """
    return snapshot is not None and array_of(snapshot, FALLBACK, 1)[0] > 0.0


def choose_by_rules(arm: str, allowed: Iterable[str], refused: Mapping[str, str]) -> Choice:
    """Return the rules' default, with all else that was allowed as refused: the log says why it was not chosen.

    >>> [(each.arm, each.refused) for each in choose_by_rules("a", ["a", "b"], {}).candidates]
    [('a', ''), ('b', 'taken_back')]
    """
    others = {each: TAKEN_BACK for each in allowed if each != arm}
    return choose_default(arm, refused={**others, **refused})


def era_of(snapshot: Snapshot | None) -> int:
    """Return the era in which what is decided now is judged.

    >>> era_of(Snapshot(policy="send_time", version=1, arrays={"era": [2.0]})), era_of(None)
    (2, 0)
    """
    return 0 if snapshot is None else int(array_of(snapshot, ERA, 1)[0])
