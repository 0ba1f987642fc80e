"""Run one part on a loop of its own, in a thread beside Ray's; when it fails, end the process.

Rules
1. Ray's threads only hand work over: the part lives on one thread, and no call from outside blocks it.
2. A part that raises ends the process: Ray starts the actor again and the part recovers from the store.
   `Fenced` ends it just so; whoever holds the newer epoch goes on.
3. With a gated clock the part is built after the first grant: before it, nobody knows the world time.
4. What is logged of an error is where it came from: its text may hold somebody's data.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
import uvloop

from agents.cluster.names import PartSpec
from agents.cluster.part import Factory, Part
from agents.runtime.gate import GateReport, Unheard
from messaging.clock import GatedClock, Grant, RealClock
from messaging.ports import Chunk, Peers
from messaging.vocabulary.errors import Fenced, raised_at

T = TypeVar("T")

CALL_SECONDS = 5.0
"""A call from outside waits no longer for the part's thread than this."""

WORK_SECONDS_MAX = 0.1
"""How long a question of the gate waits for what is being done."""
WORK_LOOK_SECONDS = 0.002

LIFE_SECONDS_MIN = 2.0
"""What fails sooner waits until then before it ends."""

EXIT_FENCED = 3
EXIT_FAILED = 4

log = structlog.get_logger()


class NotReady(Exception):  # noqa: N818 - a fact, as in vocabulary.errors
    """Say that the part is not there yet: ask again."""


class Host:
    """Hold a part, its clock and its thread.

    Parameters:
        spec: what to run.
        factory: builds the part on its own loop.
        peers: how the part reaches the others.
        exit_process: ends the process with a code (a test passes its own).
    """

    def __init__(
        self,
        spec: PartSpec,
        factory: Factory,
        peers: Peers,
        exit_process: Callable[[int], Any] = os._exit,
    ) -> None:
        self._spec = spec
        self._factory = factory
        self._peers = peers
        self._exit = exit_process
        self._clock: RealClock | None = None if spec.gated else RealClock()
        self._granted = threading.Event()
        # Machine time, so that numbers of an earlier life of this part are lower.
        self._unheard = Unheard(time.monotonic_ns())
        self._part: Part | None = None
        self._loop = uvloop.new_event_loop()
        self._born = time.monotonic()
        self._drained = threading.Event()
        self._thread = threading.Thread(target=self._live, name=spec.name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        code = 0
        try:
            self._loop.run_until_complete(self._story())
        except Fenced:
            log.warning("actor.fenced", actor=self._spec.name)
            code = EXIT_FENCED
        except BaseException as error:  # noqa: BLE001 - the supervisor of this process: rule 2
            log.error("actor.failed", error=type(error).__name__, at=raised_at(error))  # noqa: TRY400 - rule 4
            code = EXIT_FAILED
        self._drained.set()
        if code:
            lived = time.monotonic() - self._born
            # Ray starts it again at once: what fails at every start must not eat a core.
            time.sleep(max(0.0, LIFE_SECONDS_MIN - lived))
            self._exit(code)

    async def _story(self) -> None:
        if self._clock is None:
            await asyncio.to_thread(self._granted.wait)
        assert self._clock is not None, "a grant makes the clock"
        part = await self._factory(self._spec.name, self._spec.settings, self._clock, self._peers)
        self._part = part
        try:
            await part.run()
        finally:
            await part.close()

    # What Ray's threads ask

    def deliver(self, chunk: Chunk) -> bool:
        """Hand a chunk to the part; False where it is not ready or too busy to say."""
        try:
            return self._on_loop(lambda part: part.deliver(chunk))
        except (NotReady, TimeoutError):
            return False

    def gate(self, grant: Grant | None, heard: int) -> GateReport | None:
        """Take a grant and report what the clock must wait for. None where that is not known.

        `heard`: number of the last report whose answer arrived.
        """
        if grant is not None and self._clock is None:
            self._clock = GatedClock(grant.world, grant.speed)
            self._clock.grant(grant)
            self._granted.set()
        try:
            return self._await(lambda part: self._turn(part, grant, heard), CALL_SECONDS)
        except (NotReady, TimeoutError):
            return None

    async def _turn(self, part: Part, grant: Grant | None, heard: int) -> GateReport | None:
        """Take the grant, wait a little for what is being done, and report the oldest thing held meanwhile.

        Waiting here costs one call; asking again and again would cost a core while a year goes by.
        """
        clock = self._clock
        if grant is not None and isinstance(clock, GatedClock) and clock.grant(grant):
            part.poke()
        unheard = self._unheard
        unheard.heard(heard)
        report = self._report(part)
        deadline = time.monotonic() + WORK_SECONDS_MAX
        while report is not None and self._is_busy(report) and time.monotonic() < deadline:
            await asyncio.sleep(WORK_LOOK_SECONDS)
            report = self._report(part)
        if report is None:
            return None
        return GateReport(unheard.oldest, report.next_due, unheard.number, report.draws)

    def _report(self, part: Part) -> GateReport | None:
        """Ask the part, which forgets what it tells; noted at once, for this turn may be given up any moment."""
        report = part.report()
        if report is not None:
            self._unheard.note(report.held_since)
        return report

    def _is_busy(self, report: GateReport) -> bool:
        if report.held_since is not None:
            return True
        clock = self._clock
        return clock is not None and report.next_due is not None and report.next_due <= clock.now()

    def metrics(self) -> dict[str, float]:
        """Return the part's numbers. Raise `NotReady`."""
        return self._on_loop(lambda part: part.metrics())

    def call(self, action: Callable[[Part], T]) -> T:
        """Do something with the part on its own thread. Raise `NotReady` or `TimeoutError`."""
        return self._on_loop(action)

    def refresh(self) -> None:
        """Let the part load its view again."""
        self._await(lambda part: part.refresh(), CALL_SECONDS)

    def drain(self, seconds: float) -> bool:
        """Let the part finish; True when it has, False when the time is over."""
        try:
            self._await(lambda part: part.drain(), seconds)
        except NotReady:
            return True  # what was never ready holds nothing
        return self._drained.wait(seconds)

    def _on_loop(self, action: Callable[[Part], T]) -> T:
        part = self._part
        if part is None or self._drained.is_set():
            raise NotReady(self._spec.name)
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def act() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(action(part))
            except BaseException as error:  # noqa: BLE001 - handed to the caller as it is
                done.set_exception(error)

        self._loop.call_soon_threadsafe(act)
        try:
            return done.result(CALL_SECONDS)
        except TimeoutError:
            done.cancel()
            raise

    def _await(self, work: Callable[[Part], Coroutine[Any, Any, T]], seconds: float) -> T:
        part = self._part
        if part is None or self._drained.is_set():
            raise NotReady(self._spec.name)
        return asyncio.run_coroutine_threadsafe(work(part), self._loop).result(seconds)
