"""A draft is tried on a real journal, in a process of its own, and names whom it would treat otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.load import DEFAULTS, read_folder
from config.settings import read_settings
from messaging.gateway.console.trials import SIMULATE, TRY, SimulateOrder, TryOrder
from messaging.journal.mongo import MongoJournal
from messaging.store.connection import Connection
from messaging.store.mongo import MongoStore
from messaging.vocabulary.ids import position, visitor_id_for
from scripts.compose import Made, wiring_of
from scripts.rules import publish, push, push_files
from scripts.trial_process import TrialFailed, TrialProcess
from scripts.trials import StoredTrials, TrialWork
from tests.console_builders import a_console, log_in
from tests.gateway_builders import NOON, StillClock
from tests.unit.test_rules_try import PATH, START, events


async def test_a_draft_is_tried_on_the_journal_beside_what_is_published(
    mongo_url: str, connection: Connection, tmp_path: Path
) -> None:
    store, journal = MongoStore(connection), MongoJournal(connection)
    await push(store, DEFAULTS, at=START, by="kim")
    await publish(store, 1, at=START, by="kim")
    files = read_folder(DEFAULTS)
    file = f"paths/{PATH}.yaml"
    files[file] = files[file].replace("  cohort: addressable-lead", "  cohort: in-cart")
    await push_files(store, files, at=START, by="kim")
    stream = await journal.open_stream("test")
    records = events()
    for number, record in enumerate(records, 1):
        record.position = position(stream, number)
    await journal.append(records)
    made = Made(mongo_url=mongo_url, secret="a secret of the tests")
    wiring = wiring_of(read_settings(), made, log_folder=tmp_path)
    trials = StoredTrials(store)
    work = TrialWork(trials, store, TrialProcess(wiring), StillClock())
    id_ = await trials.ask(TRY, TryOrder(version=0, days=30), "kim", NOON)
    lost = await trials.ask(TRY, TryOrder(version=7), "kim", NOON)
    of_bob = await trials.ask(TRY, TryOrder(visitor=visitor_id_for("u:bob")), "kim", NOON)
    of_nobody = await trials.ask(TRY, TryOrder(visitor="f" * 24), "kim", NOON)
    await work.look()
    found = await trials.trial(id_)
    assert (found.status, found.why) == ("done", "")
    assert (found.result["version"], found.result["published_version"]) == (2, 1)
    [path] = found.result["paths"]
    assert path["people"][0] == {"name": "enter it", "now": 2, "draft": 1}
    assert [each["draft"] for each in found.result["cohorts"] if each["name"] == "in-cart"] == [1]
    assert "there is no version 7" in (await trials.trial(lost)).why
    one = await trials.one(of_bob)
    assert one.events == 2
    entered = {step.side for step in one.steps if f"entered path {PATH}" in step.says}
    assert entered == {"published", "draft"}, "by another cohort, at another time"
    assert "look further back" in (await trials.trial(of_nobody)).why
    await store.close()


async def test_a_draft_is_simulated_beside_what_is_published_and_a_person_is_written_out(
    mongo_url: str, connection: Connection, tmp_path: Path
) -> None:
    store = MongoStore(connection)
    await push(store, DEFAULTS, at=START, by="kim")
    await publish(store, 1, at=START, by="kim")
    files = read_folder(DEFAULTS)
    file = f"paths/{PATH}.yaml"
    files[file] = files[file].replace("total: 4", "total: 2")
    await push_files(store, files, at=START, by="kim")
    made = Made(mongo_url=mongo_url, secret="a secret of the tests")
    wiring = wiring_of(read_settings(), made, log_folder=tmp_path)
    trials, heard = StoredTrials(store), []
    order = SimulateOrder(visitors=20, days=9, seed=3)
    process = TrialProcess(wiring)
    asked = msgspec.to_builtins(order)
    result = await process.run(SIMULATE, asked, lambda *said: heard.append(said))
    assert {said for said, _ in heard} > {"the draft, with learning"}
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    assert result == await process.run(SIMULATE, asked, lambda *_: None), "the same seed"
    sends = next(row for row in result["measures"] if row["unit"] == "number")
    assert sends["draft"] < sends["now"]
    assert sum(day["draft"] for day in result["days"]) == sum(h["draft"] for h in result["hours"])
    work = TrialWork(trials, store, process, StillClock())
    id_ = await trials.ask(SIMULATE, order, "kim", NOON)
    real = await trials.ask(SIMULATE, SimulateOrder(profiles="real", days=2), "kim", NOON)
    await work.look()
    async with a_console(store, NOON) as (session, _):
        await log_in(session)
        async with session.get(f"/console/simulate/{id_}") as answer:
            html = await answer.text()
            assert answer.status == 200, html
    assert "day 9, draft" in html
    assert "What learning adds" in html
    assert "too few leads" in (await trials.trial(real)).why
    with pytest.raises(TrialFailed, match="nobody is known"):
        await process.run("export", {"visitor": "ann"}, lambda *_: None)
    await store.close()
