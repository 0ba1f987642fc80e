"""Be a Ray actor: one class for the bots, one for the gateways, both a thin door to a host.

Rules
1. `__init__` starts a thread and returns: everything that can fail or take time happens there.
2. Chunks come in by one thread, in order; the gate, metrics and orders by others, so that they are
   answered under load.
3. Bytes go in and out: Ray pickles nothing of ours but `bytes`, `str` and `float`.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec
import ray
import structlog

from agents.cluster.doorbell import Doorbell, may_doze
from agents.cluster.gauges import Gauges
from agents.cluster.host import Host, NotReady
from agents.cluster.names import PENDING_CALLS_MAX, PartSpec
from agents.cluster.part import Factory
from agents.cluster.peers import RayPeers
from agents.cluster.slack import exact_timers
from agents.runtime.gate import GateReport
from messaging.clock import Grant
from messaging.ports import Chunk

P = ParamSpec("P")
T = TypeVar("T")

DRAIN_SECONDS_MAX = 20.0

_chunks = msgspec.msgpack.Decoder(Chunk)
_grants = msgspec.msgpack.Decoder(Grant)
_encode = msgspec.msgpack.Encoder().encode

log = structlog.get_logger()


def _call(method: Callable[Concatenate[BotActor, P], T]) -> Callable[Concatenate[BotActor, P], T]:
    """Tell the doorbell when a call has come, so that the main thread need not wait for it any longer."""

    @functools.wraps(method)
    def told(self: BotActor, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(self, *arguments, **named)
        finally:
            self.has_come()

    return cast("Callable[Concatenate[BotActor, P], T]", told)


class BotActor:
    """Run one shard of one bot."""

    def __init__(self, spec: bytes) -> None:
        exact_timers()
        self._spec = msgspec.msgpack.decode(spec, type=PartSpec)
        self._doorbell: Doorbell | None = None
        self._gauges = Gauges(self._spec.name, self._spec.kind)
        configure = _resolve(self._spec.factory.partition(":")[0] + ":configure_logs")
        configure(self._spec.name, self._spec.settings)
        self._host = Host(self._spec, cast("Factory", _resolve(self._spec.factory)), RayPeers())
        self._host.start()
        if self._spec.dozes and may_doze():
            self._doorbell = Doorbell(ray.get_runtime_context().gcs_address, self._spec.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec.name}, code {self._spec.code})"

    def has_come(self) -> None:
        """Let the main thread doze again: a call has come and is done."""
        if self._doorbell is not None:
            self._doorbell.has_come()

    @ray.method(concurrency_group="deliver")
    @_call
    def deliver(self, chunk: bytes) -> bool:
        """Take a chunk from a peer or a gateway."""
        return self._host.deliver(_chunks.decode(chunk))

    @ray.method(concurrency_group="gate")
    @_call
    def gate(self, grant: bytes, heard: int) -> bytes:
        """Take a grant (or nothing) and report what the world clock must wait for; empty: not known.

        `heard`: number of the last report that arrived.
        """
        report: GateReport | None = self._host.gate(_grants.decode(grant) if grant else None, heard)
        return b"" if report is None else _encode(report)

    @ray.method(concurrency_group="orders")
    @_call
    def pulse(
        self, restarts: int, others: dict[str, dict[str, float]]
    ) -> tuple[int, dict[str, float] | None]:
        """Return the process id and how it fares (None: not ready); hear how the others do."""
        pid = os.getpid()
        try:
            metrics = self._host.metrics()
            if others:
                self._host.call(lambda part: part.tell_others(others))
        except (NotReady, TimeoutError):
            return pid, None
        more = {"restarts": float(restarts), "pid": float(pid)}
        return pid, self._gauges.show(metrics | more)

    @ray.method(concurrency_group="orders")
    @_call
    def process(self) -> int:
        """Return the process id: a sign of life, also of a part that is not ready."""
        return os.getpid()

    @ray.method(concurrency_group="orders")
    @_call
    def pause(self, paths: list[str] | None) -> bool:
        """Hold the hand-overs of these paths (None: of all); False: not ready."""
        held = None if paths is None else frozenset(paths)
        try:
            self._host.call(lambda part: part.set_paused(held))
        except (NotReady, TimeoutError):
            return False
        return True

    @ray.method(concurrency_group="orders")
    @_call
    def refresh(self) -> bool:
        """Load the view again; False: not ready."""
        try:
            self._host.refresh()
        except (NotReady, TimeoutError):
            return False
        return True

    @ray.method(concurrency_group="orders")
    @_call
    def drain(self) -> bool:
        """Finish what is there; True when nothing is left to do."""
        return self._host.drain(DRAIN_SECONDS_MAX)


class GatewayActor(BotActor):
    """Run one gateway: the same door, another part behind it."""


def actor_class(kind: str) -> Any:
    """Return the Ray class for a kind of part, with the options that every actor of ours has."""
    plain = GatewayActor if kind == "gateway" else BotActor
    return ray.remote(
        num_cpus=0,
        max_restarts=-1,  # for good: the part recovers from the store
        max_task_retries=0,  # a call is "maybe done"; who called says it again
        max_pending_calls=PENDING_CALLS_MAX,
        concurrency_groups={"deliver": 1, "gate": 1, "orders": 2},
    )(plain)


def _resolve(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
