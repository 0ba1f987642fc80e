"""Say which of a batch's hand-overs suppression stands against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from messaging.vocabulary.effects import BOUNCED, UNLESS_BOUNCED


def mailbox_in(guard: str) -> str:
    """Return the mailbox that a guard is about."""
    return guard.removeprefix(UNLESS_BOUNCED)


def refused_by(reasons: Mapping[str, str], guards: Iterable[str]) -> frozenset[str]:
    """Return the guards against which something stands.

    Args:
        reasons: suppressed mailbox -> why.
        guards: as `Commit.guards` has them.

    >>> reasons = {"a": "unsubscribed", "b": "bounced"}
    >>> sorted(refused_by(reasons, ["a", "unless bounced:a", "b", "unless bounced:b", "c"]))
    ['a', 'b', 'unless bounced:b']
    """
    return frozenset(
        guard
        for guard in guards
        if (reason := reasons.get(mailbox_in(guard))) is not None
        and (reason == BOUNCED or not guard.startswith(UNLESS_BOUNCED))
    )
