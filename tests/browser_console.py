"""Furnish a lived-in console for browser tests: trials that are done, split tests, a model, who left."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from config.load import DEFAULTS, read_folder
from learning.evaluation.experiment import HOLDOUT, Count, begin, learn, snapshot_of
from learning.training.probabilities import train
from messaging.gateway.console.trials import SIMULATE, TRY, SimulateOrder, TryOrder
from messaging.ports import Store
from scripts.simulation import Files, Request, simulate
from scripts.trial_told import simulated_told
from scripts.trials import PEOPLE, TRIALS, StoredTrials, TrialWork
from tests.experiment_builders import a_test
from tests.gateway_builders import StillClock
from tests.integration.test_console_trials import Runner, a_told
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
    """Put trials, split tests, a model and mailboxes that left into a store; return what names them in addresses."""
    [visitor] = await store.visitors("behavior", "", 1)
    trials = StoredTrials(store)
    tried = await trials.ask(TRY, TryOrder(version=1), "kim", now)
    await TrialWork(trials, store, Runner(a_told(visitor)), StillClock()).look()
    simulated = await trials.ask(SIMULATE, SimulateOrder(version=1), "kim", now)
    await TrialWork(trials, store, Runner(a_simulation()), StillClock()).look()
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
    trained = train("probability/customer", 1, examples(3_000, level=-1.0))
    assert trained is not None
    fields = msgspec.to_builtins(trained.snapshot)
    await store.put_document("snapshots", "probability/customer@1", {**fields, "at": now})
    for number in range(60):
        at = now - timedelta(minutes=number)
        await store.suppress(f"{number:064x}", "unsubscribed", at)
    return {"visitor": visitor, "try": tried, "simulate": simulated, "running": running}
