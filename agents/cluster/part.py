"""Say what an actor runs: a shard of a bot, or a gateway. Both are a part to the shell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from agents.runtime.gate import GateReport
from messaging.clock import RealClock
from messaging.ports import Chunk, Peers


class Part(Protocol):
    """Run inside an actor, on a loop of its own. Every method is called on that loop's thread."""

    async def run(self) -> None:
        """Work until drained. Whatever it raises ends the process, and Ray starts it again."""
        ...

    async def drain(self) -> None:
        """Take nothing new, finish what is there, let `run` return."""
        ...

    async def close(self) -> None:
        """Let go of connections, after `run` has returned."""
        ...

    def deliver(self, chunk: Chunk) -> bool:
        """Take a chunk from a peer; False: say it again later."""
        ...

    def report(self) -> GateReport | None:
        """Return what the world clock must wait for; None while that is not known."""
        ...

    def metrics(self) -> dict[str, float]:
        """Return how it fares, in numbers without any visitor."""
        ...

    def poke(self) -> None:
        """Look for work: the world clock was granted more."""
        ...

    def set_paused(self, paths: frozenset[str] | None) -> None:
        """Hold the hand-overs of these paths; None: of all."""
        ...

    def tell_others(self, metrics: dict[str, dict[str, float]]) -> None:
        """Hear how all parts fare (a gateway shows it)."""
        ...

    async def refresh(self) -> None:
        """Load the view again: rules, snapshots, settings."""
        ...


Factory = Callable[[str, str, RealClock, Peers], Awaitable[Part]]
"""(name, settings, clock, peers) -> part, called on the part's own loop."""
