"""Watch over the actors: make them, ask them how they fare, pass orders on, end them in order.

Rules
1. Ray restarts an actor by itself, also when this process is gone. The supervisor only makes anew what Ray
   has given up, and counts restarts by the process id.
2. Every call ends in time. What is silent stays in the list and is asked again.
3. This is the one place of the cluster shell where every exception of an actor's call is an answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from ray.exceptions import ActorDiedError, RayError

from agents.cluster.actor import DRAIN_SECONDS_MAX
from agents.cluster.names import PartSpec
from agents.cluster.peers import call
from agents.cluster.placement import place, remove
from agents.runtime.gate import GateReport
from messaging.clock import Grant
from messaging.vocabulary.errors import Unavailable

CALL_SECONDS = 5.0
GATE_SECONDS = 2.0

_encode = msgspec.msgpack.Encoder().encode
_reports = msgspec.msgpack.Decoder(GateReport)

log = structlog.get_logger()


@dataclass
class Watched:
    """Hold what is known of one actor."""

    spec: PartSpec
    handle: Any = None
    pid: int = 0
    restarts: int = 0
    metrics: dict[str, float] | None = None
    """None: it did not answer the last time, or is not ready."""
    heard: int = 0
    """Number of its last report to the world clock's gate that arrived."""
    lag_seconds: float = 0.0
    """How far behind it was when it last said so."""
    answered_at: float = 0.0
    """Machine time of its last answer; 0: it never gave one."""

    def told(self, now: float) -> dict[str, float]:
        """Return what the others hear of it at machine time `now`: of one that is away, that it is, and for how long.

        Who was there before and is being started again keeps nobody from taking traffic: what comes is in the journal.
        """
        if self.metrics is not None:
            return self.metrics | {"up": 1.0}
        away = {"up": 0.0, "restarts": float(self.restarts)}
        if not self.answered_at:
            return away | {"ready": 0.0}
        return away | {"lag_seconds": self.lag_seconds + now - self.answered_at}


@dataclass
class Supervisor:
    """Hold all actors of one system.

    Parameters:
        specs: what is to run.
    """

    specs: list[PartSpec]
    watched: dict[str, Watched] = field(default_factory=dict)
    extras: dict[str, dict[str, float]] = field(default_factory=dict)
    """Numbers of what is no actor (the world clock), told to the gateways with the others'."""

    async def start(self) -> None:
        """Make every actor, or find it where it lives on. Raise `Unavailable`."""
        self.watched = {spec.name: Watched(spec) for spec in self.specs}
        handles = await asyncio.gather(*(place(spec) for spec in self.specs))
        for watched, handle in zip(self.watched.values(), handles, strict=True):
            watched.handle = handle

    async def look(self) -> dict[str, dict[str, float] | None]:
        """Ask every actor once, the gateways last, since they hear of the others."""
        parts = list(self.watched.values())
        await asyncio.gather(*(self._look_at(w, {}) for w in parts if w.spec.kind != "gateway"))
        now = time.monotonic()
        known = {w.spec.name: w.told(now) for w in parts} | self.extras
        await asyncio.gather(*(self._look_at(w, known) for w in parts if w.spec.kind == "gateway"))
        return {w.spec.name: w.metrics for w in parts}

    async def _look_at(self, watched: Watched, others: dict[str, dict[str, float]]) -> None:
        name = watched.spec.name
        try:
            async with asyncio.timeout(CALL_SECONDS):
                pid, metrics = await call(watched.handle, name, "pulse", watched.restarts, others)
            if watched.pid not in (0, pid):
                watched.restarts += 1
                log.warning("actor.restarted", actor=name, restarts=watched.restarts)
            watched.pid = pid
            # The actor hears of its restart with the next pulse; who asks now is told now.
            watched.metrics = metrics and metrics | {"restarts": float(watched.restarts)}
            if metrics is not None:
                watched.lag_seconds = metrics.get("lag_seconds", 0.0)
                watched.answered_at = time.monotonic()
        except ActorDiedError:
            watched.metrics = None
            await self._make_again(watched)
        except (RayError, TimeoutError):
            watched.metrics = None

    async def _make_again(self, watched: Watched) -> None:
        log.warning("actor.gone", actor=watched.spec.name)
        try:
            watched.handle = await place(watched.spec)
        except (RayError, Unavailable) as error:
            log.error("actor.not_made", actor=watched.spec.name, error=type(error).__name__)  # noqa: TRY400 - Ray's text helps nobody

    async def gate(self, grant: Grant) -> list[GateReport | None]:
        """Give a grant to every part and return what the world clock must wait for."""
        body = _encode(grant)
        return list(await asyncio.gather(*(self._gate(w, body) for w in self.watched.values())))

    async def _gate(self, watched: Watched, grant: bytes) -> GateReport | None:
        try:
            async with asyncio.timeout(GATE_SECONDS):
                answer = await call(watched.handle, watched.spec.name, "gate", grant, watched.heard)
        except (RayError, TimeoutError):
            return None
        if not answer:
            return None
        report = _reports.decode(answer)
        watched.heard = report.number
        return report

    async def pause(self, paths: frozenset[str] | None) -> list[str]:
        """Hold the hand-overs of these paths (None: of all); return who did not hear it."""
        body = None if paths is None else sorted(paths)
        return await self._tell_all("pause", body)

    async def refresh(self) -> list[str]:
        """Let every part load its view again; return who did not hear it."""
        return await self._tell_all("refresh")

    async def _tell_all(self, order: str, *arguments: Any) -> list[str]:
        names = list(self.watched)
        heard = await asyncio.gather(
            *(self._tell(w, order, CALL_SECONDS, *arguments) for w in self.watched.values())
        )
        return [name for name, yes in zip(names, heard, strict=True) if not yes]

    async def _tell(self, watched: Watched, order: str, seconds: float, *arguments: Any) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return bool(await call(watched.handle, watched.spec.name, order, *arguments))
        except (RayError, TimeoutError):
            return False

    async def drain(self) -> list[str]:
        """Let the gateways stop taking, then the shards finish; return who did not in time."""
        late: list[str] = []
        for is_gateway in (True, False):
            parts = [w for w in self.watched.values() if (w.spec.kind == "gateway") is is_gateway]
            done = await asyncio.gather(
                *(self._tell(w, "drain", DRAIN_SECONDS_MAX + CALL_SECONDS) for w in parts)
            )
            late += [w.spec.name for w, yes in zip(parts, done, strict=True) if not yes]
        return late

    def remove(self) -> None:
        """End every actor for good."""
        for name in self.watched:
            remove(name)
