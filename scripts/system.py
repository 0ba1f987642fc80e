"""Run the system: start what is embedded, the actors and the gateway; watch; drain and stop all of it.

Rules
1. What was started is stopped, in the reverse order, whatever happened in between.
2. A start clears what a killed run left: processes of its Ray, its mongod, its notes.
3. Nothing here is needed for a crash of an actor to heal; mongod is started again when it dies.
4. A second signal while draining ends the draining, not the order of the stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, Protocol

import msgspec
import structlog

from agents.cluster.keeper import CLOCK, CONTROL, Keeper, resume_at
from agents.cluster.names import PartSpec
from agents.cluster.placement import part_names
from agents.cluster.ray_head import (
    RayHead,
    clear_sessions,
    sessions_folder,
    start_ray,
    stop_ray,
)
from agents.cluster.supervisor import Supervisor
from agents.runtime.gate import QUANTUM, GateReport
from config.load import DEFAULTS
from config.settings import (
    SPEED_MAX,
    Settings,
    guessable,
    lacks_for_real_mail,
    non_loopback_smtp,
    not_read,
    web_look_ups,
)
from messaging.clock import Grant
from messaging.gateway.viewing import viewing_key
from messaging.mail.sink import Sink
from messaging.store.connection import Connection
from messaging.store.embedded import EmbeddedMongo, port_in
from messaging.store.mongo import MongoStore
from messaging.vocabulary.errors import WorldError
from scripts.compose import Made, Wiring, connected, shards_of, view_loader, wiring_of
from scripts.counting import counted
from scripts.demo import Demo
from scripts.disk import Room
from scripts.folder import (
    WIRING,
    Refused,
    clear_run,
    kept_secret,
    locked,
    write_private,
    write_run,
)
from scripts.listening import hold_port, reachable, refuse_silent
from scripts.readying import until_ready
from scripts.rules import publish_when_empty
from scripts.shards import agree_on_shards, refuse_newer
from scripts.version import code_version
from scripts.watching import Watchers, always, end

ROOT = str(Path(__file__).resolve().parents[1])
FACTORY = "scripts.compose:build"
GIVE_UP_SECONDS_MAX = 10.0
"""How long mongod may take to end where Ray has: well below the minute after which Ray's library aborts."""

log = structlog.get_logger()

Say = Callable[[str], None]


class Companion(Protocol):
    """Live beside the system, over its public routes: the demo does."""

    async def start(
        self,
        stack: AsyncExitStack,
        keeper: Keeper,
        *,
        extras: dict[str, dict[str, float]],
        local_url: str,
        public_url: str,
        write_key: str,
        admin_token: str,
    ) -> None:
        """Begin to live, until the stack is closed (`scripts.demo.Demo.start` says what it is given)."""
        ...

    def report(self) -> GateReport:
        """Return what the world clock must wait for. When it is asked, all parts have been told what was granted."""
        ...

    async def end(self) -> None:
        """Act no more."""
        ...


class System:
    """Hold one running system.

    Parameters:
        settings: as read.
        say: tells the person at the console.
        demo: with the shop and an audience.
        companion: lives beside it in the demo's stead; its world is gated.
        quantum: of the world clock (`Keeper`).
    """

    def __init__(
        self,
        settings: Settings,
        say: Say,
        *,
        demo: bool = False,
        companion: Companion | None = None,
        quantum: timedelta = QUANTUM,
    ) -> None:
        self._settings = settings
        self._quantum = quantum
        self._say = say
        self._data = settings.data.resolve()
        self._demo = Demo(settings, say) if demo else None
        self._companion: Companion | None = companion or self._demo
        self._made = Made(demo=demo)
        self._new_secrets: dict[str, str] = {}
        self._room = Room(self._data, say)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._mongo: EmbeddedMongo | None = None
        self._head: RayHead
        self._keeper: Keeper | None = None
        self._told: dict[str, Any]
        self._supervisor: Supervisor
        self._wiring: Wiring
        self._store: MongoStore

    async def run(self) -> None:
        """Run until a signal. Raise Refused, or what the world raised at the start."""
        with locked(self._data):
            async with AsyncExitStack() as stack:
                self._listen_to_signals()
                starting = asyncio.ensure_future(self._start(stack))
                stopping = asyncio.ensure_future(self._stop.wait())
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if not starting.done():
                    self._say("stopping: what was started ends first")
                    starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
                if starting.cancelled():
                    return
                if lost := await self._watch():
                    await self._give_up(lost)
                await self._drain()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        stops = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # who says `nohup` means it
            stops.append(signal.SIGHUP)
        for number in stops:
            loop.add_signal_handler(number, self._asked_to_stop)

    def _asked_to_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    # ---------------------------------------------------------------- start

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        self._room.look()
        left = clear_sessions(sessions_folder(self._data))
        clear_run(self._data)
        stack.callback(clear_run, self._data)
        if left:
            self._say(f"ended {counted(left, 'processes')} that a killed run had left")
        held = hold_port(settings.host, settings.port)
        stack.callback(held.close)
        self._make_secrets()
        self._made.port = held.getsockname()[1]
        self._made.public_url = re.sub(r":0(?=/|$)", f":{self._made.port}", settings.base_url)
        self._start_sink(stack)
        if self._demo is not None:
            self._settings = await self._demo.weave(stack, settings)
        self._head, _ = await asyncio.gather(self._start_ray(stack), self._start_store(stack))
        self._listen_to_signals()  # Ray has put its own in place
        specs = await self._specs()
        self._supervisor = Supervisor(specs)
        stack.callback(self._supervisor.remove)
        await self._supervisor.start()
        await self._start_keeper(stack)
        await until_ready(self._supervisor.look, self._say, self._data / "logs")
        await self._start_companion(stack)
        self._tell(self._head)

    def _make_secrets(self) -> None:
        settings, made = self._settings, self._made
        given = [key.get_secret_value() for key in settings.write_keys]
        made.secret = self._secret("secret", settings.secret)
        made.admin_token = self._secret("admin_token", settings.admin_token)
        made.write_keys = given or [self._secret("write_key", None)]

    def _secret(self, name: str, given: Any) -> str:
        if given is not None:
            return str(given.get_secret_value())
        kept, new = kept_secret(self._data, name)
        if new:
            self._new_secrets[name] = kept
        return kept

    def _start_sink(self, stack: AsyncExitStack) -> None:
        given = self._settings.smtp_url
        if given is not None:
            self._made.smtp_url = given.get_secret_value()
            return
        folder = self._data / "mail"
        sink = self._demo.sink() if self._demo is not None else Sink()
        note = self._data / "mail_port"
        last = port_in(note)
        try:
            port = sink.start(folder, port=last)
        except OSError:  # a stranger has it now
            port = sink.start(folder)
        stack.callback(sink.stop)
        note.write_text(str(port))
        self._made.smtp_url = f"smtp://127.0.0.1:{port}"
        self._made.mail_folder = str(folder)

    async def _start_ray(self, stack: AsyncExitStack) -> RayHead:
        address = self._settings.ray_address or ""
        if address:
            await refuse_silent(address)
        given_up = threading.Event()
        starting = asyncio.create_task(
            asyncio.to_thread(
                start_ray, self._data, address, code_path=ROOT, given_up=given_up.is_set
            )
        )
        # A thread cannot be stopped half-way: whoever gives up the start waits for it, then stops Ray.
        stack.push_async_callback(_stop_started, starting, given_up)
        return await asyncio.shield(starting)

    async def _start_store(self, stack: AsyncExitStack) -> None:
        given = self._settings.mongo_url
        if given is not None:
            self._made.mongo_url = given.get_secret_value()
        else:
            self._mongo = EmbeddedMongo(self._data / "mongo")
            stack.push_async_callback(self._mongo.stop)
            self._made.mongo_url = await self._mongo.start()
        self._wiring = wiring_of(self._settings, self._made, log_folder=self._data / "logs")
        connection = connected(self._wiring)
        stack.push_async_callback(connection.close)
        await connection.ping()
        self._store = MongoStore(connection)
        await self._prepare(connection)

    async def _prepare(self, connection: Connection) -> None:
        from messaging.journal.mongo import MongoJournal

        await self._store.ensure_indexes()
        await MongoJournal(connection).ensure_indexes()
        await agree_on_shards(self._store, shards_of(self._settings))
        await refuse_newer(self._store, shards_of(self._settings))
        folder = self._settings.config or DEFAULTS
        now = datetime.now(UTC)
        version = await publish_when_empty(self._store, folder, now)
        if self._demo is not None:
            await self._demo.begin(self._store, is_new=bool(version))
        if version:
            self._say(f"published {folder} as version {version} of the rules")

    async def _specs(self) -> list[PartSpec]:
        shards = shards_of(self._settings)
        self._start_at = await self._clock_start(part_names(shards, 0))
        text = msgspec.json.encode(self._wiring).decode()
        write_private(self._data / WIRING, text)
        code = code_version()
        return [
            PartSpec(
                name=name,
                factory=FACTORY,
                settings=text,
                code=code,
                dozes=self._settings.ray_address is None,
                gated=self._start_at is not None,
            )
            for name in part_names(shards)
        ]

    # ---------------------------------------------------------------- the world clock

    async def _clock_start(self, shards: list[str]) -> datetime | None:
        """Return where the world clock goes on from; None: it is UTC."""
        settings = self._settings
        kept = await resume_at(self._store, shards)
        if kept is not None:
            # The flags may be gone, the leads of that world are still there.
            forbidden = non_loopback_smtp(settings, kept=True) or web_look_ups(settings, kept=True)
            if forbidden:
                raise Refused(forbidden, 2)
            if settings.clock_start is not None and settings.clock_start != kept:
                self._say(
                    f"the world clock goes on from {kept:%Y-%m-%d %H:%M}: it had been started"
                )
            return kept
        if settings.clock_start is None and settings.speed == 1.0:
            return None
        return settings.clock_start or datetime.now(UTC)

    async def _start_keeper(self, stack: AsyncExitStack) -> None:
        if self._start_at is None:
            return
        speed = self._settings.speed
        speed = math.inf if speed >= SPEED_MAX else speed
        await self._save_clock(self._start_at, speed)
        self._keeper = Keeper(
            self._start_at, speed, self._ask_gate, self._save_clock, quantum=self._quantum
        )
        task = asyncio.create_task(always("keeper", self._keeper.run))
        stack.push_async_callback(end, task)

    async def _ask_gate(self, grant: Grant) -> list[GateReport | None]:
        reports = await self._supervisor.gate(grant)
        return reports if self._companion is None else [*reports, self._companion.report()]

    async def _start_companion(self, stack: AsyncExitStack) -> None:
        if self._companion is None:
            return
        assert self._keeper is not None, "the world of a companion is gated"
        made = self._made
        await self._companion.start(
            stack,
            self._keeper,
            extras=self._supervisor.extras,
            local_url=f"http://{reachable(self._settings.host)}:{made.port}",
            public_url=made.public_url,
            write_key=made.write_keys[0],
            admin_token=made.admin_token,
        )

    async def _save_clock(self, at: datetime, speed: float) -> None:
        with contextlib.suppress(WorldError):  # the next save will do
            await self._store.put_document(
                CONTROL, CLOCK, {"at": at, "speed": "max" if math.isinf(speed) else speed}
            )

    # ---------------------------------------------------------------- while it runs

    def _tell(self, head: RayHead) -> None:
        made, data = self._made, self._data
        facts = {
            "url": made.public_url,
            "local_url": f"http://{reachable(self._settings.host)}:{made.port}",
            "dashboard": f"http://{head.dashboard}" if head.dashboard else "",
            "ray_address": head.address,
            "ray_token_file": str(head.token_file or ""),
            "ray_metrics_port": head.metrics_port,
            "smtp": "embedded" if self._settings.smtp_url is None else "given",
            "mongo": "embedded" if self._settings.mongo_url is None else "given",
            "admin_token_file": str(data / "admin_token"),
            "logs": str(data / "logs"),
            "code": code_version(),
            "shards": shards_of(self._settings),
            "demo": self._demo is not None,
        }
        write_run(data, facts)
        self._told = facts
        self._say(f"gateway    {facts['url']}")
        self._say(f"write key  {made.write_keys[0]}")
        self._say(f"pages      {self._pages(str(facts['local_url']))}")
        self._say(
            f"console    {facts['local_url']}/console/   (log in as admin, with the admin token)"
        )
        if "admin_token" in self._new_secrets:
            self._say(f"admin      {made.admin_token}   (shown this once; kept in {data})")
        self._say(f"dashboard  {facts['dashboard']}   (token in {facts['ray_token_file']})")
        if self._settings.smtp_url is None:
            self._say(f"mail       {made.smtp_url}   (kept in {data / 'mail'})")
        for careful in (
            *lacks_for_real_mail(self._settings),
            *guessable(self._settings),
            *not_read(),
        ):
            self._say(f"careful    {careful}")
        if self._start_at is not None:
            self._say(f"world      {self._start_at:%Y-%m-%d %H:%M} UTC, gated")
        if self._demo is not None:
            self._demo.tell(made.public_url)
        self._say("ready; Ctrl-C drains and stops")

    def _pages(self, url: str) -> str:
        """Return where the pages for people are, with their key if the admin token was made here and is nobody's."""
        page, more = ("overview", "and /inbox") if self._demo is None else ("demo", "begin here")
        if self._settings.admin_token is not None:
            return f"{url}/{page}   ({more}; they ask for the admin token)"
        key = viewing_key(self._made.secret.encode(), self._made.admin_token)
        return f"{url}/{page}?key={key}   ({more})"

    async def _watch(self) -> str:
        """Watch until asked to stop; return the process of Ray whose end came before."""
        watchers = Watchers(
            self._supervisor,
            view_loader(self._store, self._wiring),
            mongo=self._mongo,
            keeper=self._keeper,
            ray_ended=self._head.ended,
            look_at_disk=self._room.look,
        )
        return await watchers.watch(self._stop)

    # ---------------------------------------------------------------- stop

    async def _give_up(self, lost: str) -> NoReturn:
        """End at once with exit code 1: who asks Ray for anything now waits, and is aborted by it after a minute."""
        self._say(
            f"stopping: Ray's {lost} has ended, and without it no part that dies is started again. Nothing is lost: "
            "start again"
        )
        if self._mongo is not None:  # first: if that minute were over before, it would stay
            await self._mongo.stop(GIVE_UP_SECONDS_MAX)
        if self._head.sessions is not None:
            clear_sessions(self._head.sessions)
        clear_run(self._data)
        sys.stdout.flush()
        os._exit(1)

    async def _drain(self) -> None:
        self._say("draining")
        with contextlib.suppress(OSError):  # a note; a full disk must not keep it from draining
            write_run(self._data, {**self._told, "draining": True})
        if self._companion is not None:
            await self._companion.end()
        draining = asyncio.ensure_future(self._supervisor.drain())
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        late = draining.result() if draining.done() else list(self._supervisor.watched)
        draining.cancel()
        if late:
            self._say(
                f"not drained: {', '.join(late)}; they go on where they stood at the next start"
            )
        if self._keeper is not None:
            self._say(
                f"the world clock stands at {self._keeper.clock.now():%Y-%m-%d %H:%M} UTC; "
                f"speed reached: {self._keeper.reached():,.0f}"
            )


async def _stop_started(starting: asyncio.Task[RayHead], given_up: threading.Event) -> None:
    given_up.set()
    await asyncio.wait({starting})
    if not starting.cancelled() and starting.exception() is None:
        await asyncio.to_thread(stop_ray, starting.result())
