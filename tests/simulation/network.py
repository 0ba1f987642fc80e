"""Carry chunks between processes, badly: refuse, lose, delay, repeat and reorder them.

A chunk goes to whoever is registered under the receiver's name; with a stale address, to a zombie.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from messaging.ports import Chunk
from tests.simulation.chaos import NETWORK, Chaos
from tests.simulation.process import Process, forever

FATES = {kind: share for kind, share in NETWORK.items() if kind != "peer.stale_address"}


class Network:
    """Know every process by its name."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        self.current: dict[str, Process] = {}
        self.former: dict[str, Process] = {}
        """Name -> the incarnation before, which may still live."""

    def peers(self, process: Process) -> SimPeers:
        """Return one process' way to the others."""
        return SimPeers(self, process)

    def offer(self, to: str, chunk: Chunk) -> bool:
        """Put a chunk before its receiver."""
        target = self.current.get(to)
        before = self.former.get(to)
        if before is not None and before.alive:
            share = NETWORK["peer.stale_address"]
            if not self.chaos.calm and self.chaos.dice("network").random() < share:
                self.chaos.note("peer.stale_address")
                target = before
        if target is None or not target.alive or target.inside is None:
            return False
        taken: bool = target.inside.deliver(chunk)
        return taken


class SimPeers:
    """Reach other processes from one (`messaging.ports.Peers`)."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        network, chaos = self._network, self._network.chaos
        if not self._process.enters():
            await forever()
        struck = chaos.strikes("network", FATES)
        if struck == "peer.refused":
            return False
        if struck == "peer.lost":
            return True
        if struck == "peer.late":
            self._later(lambda: network.offer(to, chunk), 30.0)
            return False
        if struck == "peer.slow":
            await chaos.pause("network", 3.0)
            await self._process.enter()
        taken = network.offer(to, chunk)
        if struck == "peer.twice":
            self._later(lambda: network.offer(to, chunk), 10.0)
        if not self._process.leaves():
            await forever()
        return taken

    def _later(self, act: Callable[[], bool], most: float) -> None:
        seconds = self._network.chaos.dice("network").random() * most
        asyncio.get_running_loop().call_later(seconds, act)
