"""Put the whole system into one process on virtual time: every bot, two gateways, the ports, and a supervisor.

Rules
1. Production code runs as it is: `Shard`, `Postman`, `Courier`, the bots, the collector, the hand-over.
2. What dies is started again after a while, as Ray would; now and then before the old one is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

import msgspec
import structlog

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules_manager.editing import RUNS, STAY, group_of
from agents.runtime.batch import describe, maker_in, publication_in
from agents.runtime.broadcaster import Broadcaster
from agents.runtime.committing import OutcomeUnknown
from agents.runtime.eraser import Eraser, Reach
from agents.runtime.filler import Filler
from agents.runtime.limits import Limits
from agents.runtime.mover import Mover
from agents.runtime.postman import Letterpress, Postman
from agents.runtime.registry import IDENTITY, WIRING, senders_of, shard_names
from agents.runtime.scout import Scout
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from agents.runtime.sweeper import Sweeper
from agents.runtime.trainer import Trainer
from agents.runtime.views import PUBLICATIONS, PUBLISHED, VERSIONS
from config.load import DEFAULTS, compile_files, read_folder
from messaging.mail.tokens import key_hash, mailbox_hash
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.errors import Fenced, Unavailable
from messaging.vocabulary.records import Snapshot
from tests.model_builders import LIKELY
from tests.simulation.chaos import Chaos
from tests.simulation.flows import COHORT, FLOW, FLOW_ON_HISTORY
from tests.simulation.gateway import SimGateway
from tests.simulation.loop import SimClock
from tests.simulation.moved import Choices, chosen
from tests.simulation.network import Network
from tests.simulation.ports import FaultyJournal, FaultyStore, FaultySweep
from tests.simulation.process import Process
from tests.simulation.readers import LINKS, SECRET
from tests.simulation.smtp import Server, SimTransport
from tests.simulation.teaching import SimTeacher
from tests.simulation.web import SimLookUps, Web
from tests.simulation.witness import Witness

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SESSIONS = 2
RETRAIN_HOURS = 96
ERASER = "eraser-1"
EXPECTED_ERRORS = {"letter.quarantined"}
"""Errors in the log that a run makes on purpose; each other one fails it."""


class Plan(msgspec.Struct, frozen=True):
    """Hold what differs from seed to seed besides the dice."""

    seed: int
    shards: dict[str, int]
    gateways: int
    letters_max: int
    memory_max: int
    learning: bool
    double: bool
    """True: an address is written to only once its owner confirmed it."""
    republish: bool
    runs: str = STAY
    """What becomes of the runs under way when the rules are published anew."""
    groups: dict[str, str] = {}
    """Group -> what becomes of it, where that is something else."""
    days: int = 30
    quiet_days: int = 30
    kills: int = 12
    overlap_letters_min: int = 256
    erasures: int = 0
    """People who ask to be erased."""
    harm: bool = False
    """What was learned of hours does harm, and is taken back (`harm`)."""


def plan_for(seed: int, chaos: Chaos) -> Plan:
    """Draw a plan."""
    draw, decide = chaos.dice("plan"), chaos.dice("republish")
    many = draw.random() < 0.5
    plan = Plan(
        seed=seed,
        shards={
            "behavior": draw.choice((1, 1, 2)),
            "rules": draw.choice((2, 3)) if many else 1,
            "email": draw.choice((1, 2)) if many else 1,
            "sales": draw.choice((1, 2)) if many else 1,
            "learner": draw.choice((1, 2)) if many else 1,
            "engagement": 2 if many else 1,
        },
        gateways=draw.choice((1, 2)),
        letters_max=draw.choice((2, 20, 2_000)),
        memory_max=draw.choice((5, 50, 20_000)),
        learning=draw.random() < 0.8,
        double=seed % 8 == 3,
        republish=draw.random() < 0.3,
        overlap_letters_min=draw.choice((1, 1, 256)),
        erasures=chaos.dice("erasures").choice((0, 1, 3)),
        runs=decide.choice(RUNS),
        groups=_decided(decide) if decide.random() < 0.6 else {},
    )
    if draw.random() < 0.8:
        plan.shards["social"] = 2 if many else 1
    does_harm = plan.learning and chaos.dice("harmful").random() < 0.3
    return msgspec.structs.replace(plan, harm=does_harm)


TOLD = """steps:
  - name: tell
    webhook: {url: "https://crm.example/orders", at_most_hours: 48}
    else: [{name: untold, tag: untold}]
  - {name: done, tag: told}
"""
"""A flow that tells another system of each order."""


KEEN = """
  keen:
    when:
      event: {name: Product Added, properties: {price: {at_least: 10}}, at_least: 1}
"""
"""A cohort that the first version has, and the second one otherwise."""

KEENER, WARM = (
    KEEN.replace("at_least: 10", "at_least: 20").replace("at_least: 1}\n", "at_least: 3}\n"),
    """
  warm:
    when: {score: {name: warmth, from: 15}}
""",
)
WARMTH = """
  warmth:
    points: {page: 1, "track:Product Added": 2}
"""
WARMER = WARMTH.replace('Added": 2', 'Added": 5')
"""The score by which the second version counts, and what the first one does."""


@lru_cache(maxsize=4)
def rules_of(version: int) -> CompiledRules:
    """Return the shipped routine, under a version number, beside a club and what follows an order, under the same caps.

    The club has a path of its own, and two notices on the site of which one is as good as the other. A run of
    `after-order` begins with each order, and by the API, one of `told` each time. A cohort asks for a probability. Some
    leads are greeted by a flow as well (`flows.py`). The second version has a cohort and a score changed, one more
    cohort by that score, and the flow asks what was done before it was published.
    """
    return compile_files(files_of_rules(version), version)


def _decided(dice: Random) -> dict[str, str]:
    """Decide for some groups on their own; each could go over, for the second version has the places of the first."""
    return {
        group_of(path, 1, place): dice.choice(RUNS)
        for path, rule in rules_of(1).paths.items()
        for place in rule.places
        if dice.random() < 0.4
    }


def files_of_rules(version: int) -> dict[str, str]:
    """Return the files that a version is made of."""
    files = read_folder(DEFAULTS)
    routine = next(text for name, text in files.items() if name.startswith("paths/"))
    files["paths/club.yaml"] = (
        routine.replace("goal: [Order Completed]", "goal: [Club Joined]")
        .replace("cohort: addressable-lead", "cohort: eager")
        .replace("worth: 50", "worth: 80")
        .replace("total: 4 ", "total: 2 ")
        .replace("total: 4\n", "total: 2\n")
    )
    files["paths/greeting.yaml"] = FLOW if version == 1 else FLOW_ON_HISTORY
    files["paths/after-order.yaml"] = (
        routine.replace("goal: [Order Completed]", "goal: [Review Sent]")
        .replace("cohort: addressable-lead", "event: Order Completed\n  api: true", 1)
        .replace("reentry: never", "reentry: keyed\nkey: order_id")
        .replace("worth: 50", "worth: 10")
        .replace("total: 4\n  after_open: 2", "total: 1\n  after_open: 1")
    )
    assert "total: 1\n" in files["paths/after-order.yaml"], "the routine's text has changed"
    head = files["paths/after-order.yaml"]
    files["paths/told.yaml"] = (
        head[: head.index("stages:")]
        .replace("event: Order Completed\n  api: true", "event: Order Completed")
        .replace("reentry: keyed\nkey: order_id", "reentry: every_time")
        + TOLD
    )
    files["cohorts.yaml"] += LIKELY + COHORT + (KEEN if version == 1 else KEENER + WARM)
    files["scores.yaml"] += WARMTH if version == 1 else WARMER
    assert files["paths/club.yaml"].count("[Club Joined]") == 1, "the routine's text has changed"
    notice = files["interactions/notice-new.yaml"].replace("cohort: looks-around", "cohort: eager")
    assert "cohort: eager" in notice, "the notice's text has changed"
    return files | {f"interactions/club-{name}.yaml": notice for name in ("hello", "question")}


@lru_cache(maxsize=4096)
def veil(key: str) -> str:
    """Return the keyed hash of an identity key."""
    return key_hash(SECRET, key)


@lru_cache(maxsize=1024)
def _mailbox(address: str) -> str:
    return mailbox_hash(SECRET, address)


class World:
    """Hold everything of one run."""

    def __init__(self, plan: Plan, chaos: Chaos) -> None:
        self.plan = plan
        self.chaos = chaos
        self.clock = SimClock(START)
        self.database = MemoryDatabase()
        self.witness = Witness(self.database, self.clock, plan.shards)
        self.network = Network(chaos)
        self.server = Server(self.clock, chaos)
        self.web = Web(self.clock, chaos)
        self.incarnations: list[Process] = []
        self.restarting: set[str] = set()
        self.email_deaths = 0
        self.snapshots: dict[tuple[str, int], Snapshot] = {}
        self.choices: Choices | None = None
        """What was chosen when the rules were published anew; None: they were not."""
        self.view = View(
            rules=rules_of(1),
            rules_version=1,
            pinned={1: rules_of(1)},
            snapshots={},
            mailbox=_mailbox,
            veil=veil,
            holdout=0.1,
            learning=plan.learning,
            consent="double-opt-in" if plan.double else "opt-in",
            social="social" in plan.shards,
            publication=1,
        )
        self.limits = Limits(
            sweep_seconds=6 * 3600.0,
            batch_letters_max=plan.letters_max,
            visitors_in_memory_max=plan.memory_max,
            overlap_letters_min=plan.overlap_letters_min,
        )
        structlog.configure(processors=[self._gateway_log], cache_logger_on_first_use=False)

    def _gateway_log(self, _: Any, method: str, event: dict[str, Any]) -> Any:
        self._logged(method, str(event.get("event")), event)
        raise structlog.DropEvent

    def _logged(self, method: str, event: str, keys: dict[str, Any]) -> None:
        self.witness.logged[event] += 1
        if method == "error" and event not in EXPECTED_ERRORS:
            self.witness.broken("log", f"{event} {keys}")

    # Starting and ending processes

    def start(self) -> None:
        """Start every actor and gateway, by rules that are published."""
        self._write_publication(1, STAY)
        for name in shard_names(self.plan.shards):
            self.start_shard(name)
        for number in range(1, self.plan.gateways + 1):
            self.start_gateway(f"gateway-{number}")
        self.start_eraser()

    def _register(self, name: str) -> Process:
        process = Process(name, len(self.incarnations))
        self.incarnations.append(process)
        before = self.network.current.get(name)
        if before is not None:
            self.network.former[name] = before
        self.network.current[name] = process
        return process

    def start_shard(self, name: str) -> None:
        """Start a new incarnation of an actor."""
        process = self._register(name)
        bot, _, index = name.partition("-")
        wiring = WIRING[bot]
        store = FaultyStore(self.database, process, self.chaos, self.witness)
        postman = None
        if wiring.hands_mail_over:
            transport = SimTransport(self.server, process, SESSIONS, self.witness)
            postman = Postman(transport, compose, self.clock)
        spec = ShardSpec(
            bot=wiring.make(),
            index=int(index),
            of=self.plan.shards[bot],
            shards=self.plan.shards,
            senders=senders_of(bot, self.plan.shards),
            store=store,
            peers=self.network.peers(process),
            clock=self.clock,
            view=self.view,
            log=ShardLog(self._logged),
            jitter=self.chaos.dice("jitter").random,
            journal=FaultyJournal(self.database, process, self.chaos)
            if wiring.reads_journal
            else None,
            identity=IDENTITY if wiring.reads_journal else None,
            postman=postman,
            scout=Scout(SimLookUps(self.web, process), self.clock) if wiring.looks_up else None,
            trainer=self._trainer(process, store) if wiring.trains else None,
            limits=self.limits,
            build=self._build(),
        )
        process.inside = Shard(spec)
        process.tasks.append(asyncio.ensure_future(self._supervise(process)))

    def _build(self) -> str:
        """Return which code starts now: in every other world there is another one each week."""
        if self.plan.seed % 2:
            return "one"
        return f"week-{(self.clock.now() - START).days // 7}"

    def _trainer(self, process: Process, store: FaultyStore) -> Trainer:
        return Trainer(
            store=store,
            clock=self.clock,
            teacher=SimTeacher(process, self.chaos, self.witness.trainings),
            rules=lambda: self.view.rules,
            every_hours=RETRAIN_HOURS,
            log=ShardLog(self._logged),
        )

    async def _supervise(self, process: Process) -> None:
        try:
            await process.inside.run()
        except Fenced:
            self.chaos.note("fenced")
            process.kill()
            self.network.former.pop(process.name, None)
            return
        except (Unavailable, OutcomeUnknown):
            self.chaos.note("gave up")
        except Exception as error:  # noqa: BLE001 - whatever ends an actor is looked at
            self.witness.broken("actor died", f"{process.name}: {type(error).__name__}: {error}")
        self.kill(process)

    def start_gateway(self, name: str) -> None:
        """Start a new incarnation of a gateway."""
        process = self._register(name)
        process.inside = SimGateway(
            process,
            store=FaultyStore(self.database, process, self.chaos, self.witness),
            journal=FaultyJournal(self.database, process, self.chaos),
            peers=self.network.peers(process),
            clock=self.clock,
            behaviors=self.plan.shards["behavior"],
            jitter=self.chaos.dice("jitter").random,
        )
        process.tasks.append(asyncio.ensure_future(process.inside.run()))

    def start_eraser(self) -> None:
        """Start a new incarnation of what erases people."""
        process = self._register(ERASER)
        store = FaultyStore(self.database, process, self.chaos, self.witness)
        sweep = FaultySweep(self.database, store)
        journal = FaultyJournal(self.database, process, self.chaos)
        shards = self.plan.shards
        reach = Reach(
            store=store,
            sweep=sweep,
            journal=journal,
            peers=self.network.peers(process),
            clock=self.clock,
            shards=shards,
            veil=veil,
            log=ShardLog(self._logged),
        )
        sweeper = Sweeper(store, sweep, journal, shards, veil=veil, mailbox=_mailbox)
        eraser = Eraser(reach, sweeper)
        mover = Mover(reach, lambda _, version, __: rules_of(version))
        broadcaster = Broadcaster(reach, lambda _, version, __: rules_of(version))
        filler = Filler(reach, lambda _, version, __: rules_of(version), self.view.consent)
        for look, again in (
            (eraser.look, "erasure begun anew"),
            (mover.look, "move begun anew"),
            (broadcaster.look, "broadcast begun anew"),
            (filler.look, "filling begun anew"),
        ):
            process.tasks.append(asyncio.ensure_future(self._look_always(look, again)))

    async def _look_always(self, look: Callable[[], Awaitable[int]], again: str) -> None:
        while True:
            try:
                await look()
            except Unavailable:
                self.chaos.note(again)
            except Exception as error:  # noqa: BLE001 - whatever ends it is looked at
                self.witness.broken("work died", f"{again}: {type(error).__name__}: {error}")
                return
            await asyncio.sleep(1800)

    def kill(self, process: Process) -> None:
        """Let a process die, and its successor come after a while."""
        if process.alive:
            process.kill()
        self.died(process)

    def died(self, process: Process) -> None:
        """Note a death; start a successor unless there is one."""
        name = process.name
        self.email_deaths += name.startswith("email")
        if self.network.current.get(name) is not process or name in self.restarting:
            return
        self.restarting.add(name)
        draw = self.chaos.dice("restart")
        seconds = 1 + draw.random() * (900 if draw.random() < 0.1 else 60)
        asyncio.get_running_loop().call_later(seconds, self._start_again, name)

    def _start_again(self, name: str) -> None:
        self.restarting.discard(name)
        if name.startswith("gateway"):
            self.start_gateway(name)
        elif name == ERASER:
            self.start_eraser()
        else:
            self.start_shard(name)

    def gateways(self) -> list[Process]:
        """Return the gateways that live."""
        found = [self.network.current[f"gateway-{n + 1}"] for n in range(self.plan.gateways)]
        return [process for process in found if process.alive]

    def runtime_counts(self) -> dict[str, int]:
        """Return how often shards did what only happens under load or after a conflict."""
        shards = [each.inside for each in self.incarnations if isinstance(each.inside, Shard)]
        names = ("overlapped_total", "voided_total")
        return {name: int(sum(shard.metrics()[name] for shard in shards)) for name in names}

    def forget(self) -> None:
        """Let what was stored go, when all is over: the collector would have to walk through it."""
        database = self.database
        for kept in (database.shards, database.states, database.outbox, database.tables):
            kept.clear()

    # Views

    def publish(self) -> None:
        """Let the actors see the newest snapshots, each a little later than the other."""
        rows = list(self.database.tables.get("snapshots", {}).values())
        newest = dict(self.view.snapshots)
        for fields in rows[len(self.snapshots) :]:
            known = {k: v for k, v in fields.items() if k != "at"}
            snapshot = msgspec.convert(known, Snapshot)
            self.snapshots[snapshot.policy, snapshot.version] = snapshot
            held = newest.get(snapshot.policy)
            if held is None or held.version < snapshot.version:
                newest[snapshot.policy] = snapshot
        self._show(msgspec.structs.replace(self.view, snapshots=newest))

    def republish(self) -> None:
        """Publish the rules anew, as a version of its own."""
        self.choices = chosen(self.database, 2, self.plan.runs, self.plan.groups)
        self._write_publication(2, self.plan.runs)
        self._show(
            msgspec.structs.replace(
                self.view,
                rules=rules_of(2),
                rules_version=2,
                pinned={**self.view.pinned, 2: rules_of(2)},
                publication=2,
            )
        )

    def _write_publication(self, number: int, runs: str) -> None:
        """Write what is published as `scripts.rules.publish` does; its version has the same number."""
        tables, at = self.database.tables, self.clock.now()
        collection, key = PUBLISHED
        published = tables.setdefault(collection, {})
        if key in published:
            tables.setdefault(PUBLICATIONS, {})[str(number - 1)] = published[key]
        row = {"number": number, "version": number, "at": at, "by": "eve", "runs": runs}
        published[key] = row | {"groups": self.plan.groups if number > 1 else {}}
        row = {"files": files_of_rules(number), "at": at}
        tables.setdefault(VERSIONS, {})[str(number)] = row

    def _show(self, view: View) -> None:
        self.view = view
        loop = asyncio.get_running_loop()
        for process in self.incarnations:
            if process.alive and isinstance(process.inside, Shard):
                seconds = self.chaos.dice("view").random() * 30
                loop.call_later(seconds, self._see, process.inside)

    def _see(self, shard: Shard) -> None:
        """Let a shard see what is newest by now, as its own look would."""
        shard.set_view(self.view)

    async def view_at(self, version: int, snapshots: dict[str, int], code: str) -> View:
        """Return the view of a moment, for replay."""
        view = msgspec.structs.replace(
            self.view,
            rules=rules_of(version) if version else None,
            rules_version=version,
            pinned={number: rules_of(number) for number in range(1, version + 1)},
            snapshots={policy: self.snapshots[policy, at] for policy, at in snapshots.items()},
            publication=publication_in(code) if code else self.view.publication,
        )
        assert not code or describe(maker_in(code)[0], view, maker_in(code)[1]) == code, code
        return view


class ShardLog:
    """Look at what shards log (`agents.runtime.spec.Log`)."""

    def __init__(self, logged: Any) -> None:
        self._logged = logged

    def info(self, event: str, **keys: Any) -> None:
        self._logged("info", event, keys)

    def warning(self, event: str, **keys: Any) -> None:
        self._logged("warning", event, keys)

    def error(self, event: str, **keys: Any) -> None:
        self._logged("error", event, keys)


def compose(visitor: str, act: HandOver) -> Letterpress:
    """Write a mail that only the readers in here understand; the real words have tests of their own."""
    plan = act.plan
    body = msgspec.json.encode((plan.send_id, visitor, plan.success, plan.confirms, len(LINKS)))
    return Letterpress("shop@shop.example", act.address, body)
