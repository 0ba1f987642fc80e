"""Furnish a lived-in console for browser tests: trials that are done, split tests, a model, who left; bots at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from agents.runtime.offers import StoredOffers
from agents.runtime.views import VERSIONS, ViewLoader, ViewSettings
from config.load import DEFAULTS, compile_files, read_folder
from learning.evaluation.experiment import HOLDOUT, Count, begin, learn, snapshot_of
from learning.serving.split_test import ALARM
from learning.training.probabilities import train
from messaging.gateway.console.trials import SIMULATE, TRY, SimulateOrder, TryOrder
from messaging.gateway.limits import Limits
from messaging.journal.memory import MemoryJournal
from messaging.ports import Journal, Store
from messaging.store.memory import MemoryStore
from scripts.rules import newest
from scripts.rules_try import DRAFT, read_records, tried
from scripts.simulation import Files, Request, simulate
from scripts.trial_told import simulated_told, tried_told
from scripts.trials import PEOPLE, TRIALS, StoredTrials, TrialWork
from tests.alert_builders import rows_of_a_test_alert, rows_of_learning_taken_back
from tests.console_builders import a_console, a_lived_database
from tests.experiment_builders import a_test
from tests.gateway_builders import StillClock
from tests.house_builders import House
from tests.integration.test_console_trials import Runner, a_told, a_told_one
from tests.quarantine_builders import put_aside
from tests.unit.test_probabilities import examples

PATH = "paths/lead-to-customer.yaml"


@cache
def a_simulation() -> dict[str, Any]:
    """Return what a draft with fewer attempts would do, beside the shipped routine."""
    files = read_folder(DEFAULTS)
    draft = files | {PATH: files[PATH].replace("total: 4", "total: 2")}
    request = Request(Files(2, draft), Files(1, files), visitors=60, days=24, seed=7)
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(simulated_told(simulate(request)))
    )
    return found


async def furnish(store: Store, now: datetime) -> dict[str, str]:
    """Put one or more of all that pages show into a store; return what names them in addresses."""
    [visitor] = await store.visitors("behavior", "", 1)
    await put_aside(store, visitor, now, 1)
    await put_aside(store, visitor, now, 2, by="kim")
    trials = StoredTrials(store)
    tried = await trials.ask(TRY, TryOrder(version=1), "kim", now)
    await TrialWork(trials, store, Runner(a_told(visitor)), StillClock()).look()
    simulated = await trials.ask(SIMULATE, SimulateOrder(version=1), "kim", now)
    await TrialWork(trials, store, Runner(a_simulation()), StillClock()).look()
    one = await trials.ask(TRY, TryOrder(version=1, visitor=visitor), "kim", now)
    await TrialWork(trials, store, Runner(a_told_one()), StillClock()).look()
    running = await trials.ask(SIMULATE, SimulateOrder(version=1), "kim", now)
    row = await store.get_document(TRIALS, running) or {}
    row |= {"status": "running", "share": 0.42, "doing": "the draft, with learning", "starts": 1}
    await store.put_document(TRIALS, running, row)
    assert await store.count(PEOPLE, {"trial": tried}) == 1
    for name, counts in {
        "subject": {"invite-hello": (412, 61), "invite-question": (398, 39)},
        "crooked": {"invite-hello": (3_000, 300), "invite-question": (1_000, 100)},
    }.items():
        policy = f"split_test/lead-to-customer/invited/{name}/0"
        test = a_test(policy=policy, **dict.fromkeys(counts, 0.5))
        experiment = begin(test)
        learn(
            experiment,
            {arm: Count(*each) for arm, each in counts.items()} | {HOLDOUT: Count(40, 4)},
        )
        fields = msgspec.to_builtins(snapshot_of(experiment, 1, 7))
        await store.put_document("snapshots", f"{policy}@1", {**fields, "at": now})
        if experiment.verdict == ALARM:
            seen = {arm: count for arm, (count, _) in counts.items()}
            alert = rows_of_a_test_alert(policy, now - timedelta(hours=7), **seen)[0]
            await store.put_document("alerts", alert.id, alert.fields)
    for row in rows_of_learning_taken_back("next_best/lead-to-customer/cart", now):
        await store.put_document(row.table, row.id, row.fields)
    told = {"would get it": 61, "consent": 7, "mailbox_of_another_visitor": 1}
    order = {"at": now, "by": "kim", "template": "invite-hello", "cohort": "addressable-lead"}
    order |= {"path": "lead-to-customer", "version": 1, "priority": 0, "status": "done"}
    order |= {"after": "", "told": told}
    await store.put_document("broadcasts", "counted", {**order, "dry_run": True})
    await store.put_document("broadcasts", "sent", {**order, "dry_run": False})
    for number, each in enumerate(await store.visitors("behavior", "", 60)):
        status, reason = ("refused", "weekly_cap") if number % 3 else ("planned", "")
        row = {"broadcast": "sent", "visitor": each, "status": status, "reason": reason, "at": now}
        if number % 3 == 1:
            row |= {"status": "sent", "reason": "handed over"}
        if not number % 3 and number % 2:
            row |= {"reason": "cap_then_quiet_hours", "until": now + timedelta(hours=20)}
            row["cap"] = {"channel": "email", "count": 4, "hours": 336}
        await store.put_document("recipients", f"sent:{each}", row)
    trained = train("probability/customer", 1, examples(3_000, level=-1.0))
    assert trained is not None
    fields = msgspec.to_builtins(trained.snapshot)
    await store.put_document("snapshots", "probability/customer@1", {**fields, "at": now})
    for number, each in enumerate(await store.visitors("behavior", "", 7)):
        row = {"list": "vip", "visitor": each, "status": "on", "at": now - timedelta(days=number)}
        await store.put_document("list_members", f"vip:{each}", row)
    for number in range(60):
        at = now - timedelta(minutes=number)
        await store.suppress(f"{number:064x}", "unsubscribed", at)
    known = {"visitor": visitor, "try": tried, "simulate": simulated, "running": running}
    return {**known, "one": one, "counted": "counted", "sent": "sent"}


class InThisProcess:
    """Carry trials out on the spot, as their process does (`scripts.trial_worker`)."""

    def __init__(self, store: Store, journal: Journal, loader: ViewLoader) -> None:
        self._store = store
        self._journal = journal
        self._loader = loader

    async def run(self, kind: str, asked: dict[str, Any], told: Any) -> dict[str, Any]:
        view = await self._loader.load()
        version = asked["version"] or await newest(self._store)
        row = await self._store.get_document(VERSIONS, str(version))
        if kind == TRY:
            records = await read_records(self._journal, timedelta(days=asked["days"]))
            draft = compile_files(row["files"], DRAFT, row["html"])
            found = tried_told(await tried(self._store, records, view, draft, told))
            found |= {"version": version, "published_version": view.rules_version}
        else:
            published = await self._store.get_document(VERSIONS, str(view.rules_version))
            request = Request(
                Files(version, row["files"], row["html"]),
                Files(view.rules_version, published["files"], published["html"]),
                visitors=asked["visitors"],
                days=asked["days"],
            )
            found = simulated_told(await asyncio.to_thread(simulate, request))
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
        return plain

    def stop(self) -> None:
        """Do nothing: nobody cancels here."""


class Working(House):
    """Run every bot on what a world left, by whatever version is published."""

    def version(self) -> int:
        """Return the version that the bots go by."""
        return self.shards["rules-0"]._committer.view.rules_version

    async def follow(self, loader: ViewLoader) -> None:
        """Let every bot see what is published."""
        while True:
            view = await loader.changed()
            if view is not None:
                for shard in self.shards.values():
                    shard.set_view(view)
            await asyncio.sleep(0.05)

    async def lead(self, address: str, browser: str) -> None:
        """Let somebody come who leaves an address and may be written to."""
        consent = {"consent": {"categoryPreferences": {"email": True}}}
        await self.views("/", "/products", browser=browser)
        traits = {"email": address}
        await self.call("identify", browser, traits=traits, context=consent)


@asynccontextmanager
async def a_working_console() -> AsyncIterator[Working]:
    """Serve a console with every bot behind it, in a world that was lived in; two leads came since."""
    database, now = await a_lived_database()
    store = MemoryStore(database)
    journal = MemoryJournal(database)
    settings = ViewSettings(mailbox=lambda address: f"m:{address}", holdout=0.0)
    loader, tried_by = (ViewLoader(store, settings, compile_files) for _ in range(2))
    house = Working(store, journal, await loader.load())
    house.clock.moved = now - datetime.now(UTC)
    trials = StoredTrials(store)
    runner = InThisProcess(store, journal, tried_by)
    works = [shard.run() for shard in house.shards.values()]
    works += [house.follow(loader), TrialWork(trials, store, runner, house.clock).run()]
    tasks = [asyncio.ensure_future(work) for work in works]
    given = {
        "journal": journal,
        "peers": house,
        "offers": StoredOffers(store),
        "trials": trials,
        "clock": house.clock,
        "wall_now": house.clock.now,
        "limits": Limits(drain_seconds_max=1.0, settle_seconds_max=5.0),
    }
    try:
        async with asyncio.timeout(60):
            while any(shard.report() is None for shard in house.shards.values()):
                await asyncio.sleep(0.005)
        async with a_console(store, now, **given) as (session, _):
            house.session = session
            for name in ("ann", "bob"):
                await house.lead(f"{name}@example.com", browser=f"b-{name}")
            yield house
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
