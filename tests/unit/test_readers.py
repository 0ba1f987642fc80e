"""What people are shown of a visitor is what the bots go by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.state import BehaviorState, Chance, Points, Stamped, Tally
from agents.rules.compiled import ScoreRule
from agents.rules_manager.state import RulesState, Run
from agents.runtime.held import Codec, Held
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from agents.runtime.views import PUBLISHED
from agents.sales_bot.state import Credit, Order, Refund, SalesState, note_order, note_refund
from messaging.journal.memory import MemoryJournal
from messaging.ports import BatchRecord, Commit, RowWrite, StateWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position
from scripts.being_filled import filling_line
from scripts.cli_status import filling_said
from tests.model_builders import a_model

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ANN, BEN = "0a" * 12, "0b" * 12


@pytest.mark.parametrize("unsubscribed", [None, NOON])
async def test_who_unsubscribed_is_shown_as_one_who_may_not_be_written_to(
    unsubscribed: datetime | None,
) -> None:
    store = MemoryStore(MemoryDatabase())
    state = BehaviorState(consents={"email": Stamped(True, 1.0, 1), "site": Stamped(True, 1.0, 1)})
    if unsubscribed is not None:
        state.unsubscribed_at = unsubscribed.timestamp()
    owner = await store.acquire("behavior-0")
    body = Codec(WIRING["behavior"].make()).encode(Held(state, {}, "", b""))
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    write = StateWrite(ANN, body, None)
    await store.commit(
        Commit("behavior-0", "behavior", owner.epoch, 1, {}, {}, record, [write], [], [], [], [])
    )
    shown = await StoreReader(store).visitor(ANN)
    assert shown is not None
    assert shown["consent"] == {"email": unsubscribed is None, "site": True}
    assert shown["unsubscribed_at"] == unsubscribed


async def test_what_was_sent_to_either_of_two_who_became_one_is_shown() -> None:
    store = MemoryStore(MemoryDatabase())
    await _keep(store, "behavior", BehaviorState(absorbed=[BEN]))
    sends = [
        RowWrite(
            "sends",
            send,
            {"visitor": who, "at": NOON + timedelta(days=day), "template": "t"}
            | {"status": "handed over", "reason": ""},
        )
        for day, (send, who) in enumerate(
            [("s1", BEN), ("s2", ANN), ("s3", BEN), ("s4", "0c" * 12)]
        )
    ]
    owner = await store.acquire("email-0")
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    await store.commit(
        Commit("email-0", "email", owner.epoch, 1, {}, {}, record, [], [], sends, [], [], [])
    )
    reader = StoreReader(store)
    shown = await reader.visitor(ANN)
    assert shown is not None
    assert [each["message_id"] for each in shown["sends"]] == ["s1", "s2", "s3"]
    told = await reader.timeline(ANN)
    assert told is not None
    assert [line["id"] for line in told] == ["s1", "s2", "s3"]
    assert await reader.people(ANN) == [ANN, BEN]
    assert await reader.people("0c" * 12) == []


async def test_orders_refunds_and_credit_are_shown_and_summed() -> None:
    store = MemoryStore(MemoryDatabase())
    touch = Credit(NOON, "s1", "invite"), Credit(NOON, "s2", "invite")
    sales = SalesState()
    note_order(sales, "o1", Order(20.0, NOON, True, "EUR", list(touch)))
    note_refund(sales, "r1", Refund("o1", 5.0, NOON))
    await _keep(store, "behavior", BehaviorState())
    await _keep(store, "sales", sales)
    reader = StoreReader(store)
    shown = await reader.visitor(ANN)
    assert shown is not None
    [order] = shown["orders"]
    assert (order["value"], order["refunded"], order["left"]) == (20.0, 5.0, 15.0)
    assert (order["last_touch"], shown["revenue"]) == ("s2", 15.0)
    assert [each["last_touch"] for each in order["credits"]] == [0.0, 15.0]
    assert (await reader.stats())["notices"] == {"waiting": 0, "failed": 0, "uncertain": 0}
    assert shown["revenues"] == {"EUR": 15.0}
    euros = {
        "currency": "EUR",
        "revenue": 15.0,
        "refunded": 5.0,
        "credit": {"invite": {"last_touch": 15.0, "linear": 15.0}},
    }
    currencies = [{**euros, "orders": 1}]
    told = (await reader.stats())["sales"]
    assert told == {**euros, "currencies": currencies, "unread": 0}
    assert (await reader.stats())["people"] == {"people": 1, "known": 0, "customers": 0}


async def test_runs_are_counted_by_path_stage_and_status() -> None:
    store = MemoryStore(MemoryDatabase())
    runs = {
        name: Run(name, 1, "1", NOON, "opened", status, False)
        for name, status in (("welcome", "waiting"), ("winback", "won"))
    }
    await _keep(store, "rules", RulesState(ANN, runs=runs))
    found = await StoreReader(store).stats()
    assert found["runs"] == {"waiting": 1, "won": 1}
    assert found["stages"]["welcome"] == {"opened": {"waiting": 1}}


async def _keep(store: MemoryStore, bot: str, state: object, *rows: RowWrite) -> None:
    owner = await store.acquire(f"{bot}-0")
    codec, held = Codec(WIRING[bot].make()), Held(state, {}, "", b"")
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    commit = Commit(f"{bot}-0", bot, owner.epoch, 1, {}, {}, record, [], [], list(rows), [], [])
    commit.states = [StateWrite(ANN, codec.encode(held), None)]
    commit.figures = codec.figures(held)
    await store.commit(commit)


async def test_a_consent_is_shown_with_the_basis_that_its_event_named() -> None:
    database = MemoryDatabase()
    store, journal = MemoryStore(database), MemoryJournal(database)
    stream = await journal.open_stream("gateway-1")
    raw = b'{"type": "identify", "context": {"consent": {"basis": "order form"}}}'
    at = position(stream, 1)
    await journal.append([Record(at, "m1", 0, NOON, NOON, "", raw)])
    consents = {"email": Stamped(True, 1.0, at), "site": Stamped(False, 1.0, position(stream, 9))}
    await _keep(store, "behavior", BehaviorState(consents=consents))
    shown = await StoreReader(store, journal).visitor(ANN)
    assert shown is not None
    email, site = shown["consents"]
    assert (email["given"], email["by"], email["basis"]) == (True, "identify", "order form")
    assert (site["given"], site["by"], site["basis"]) == (False, "", "")
    bare = await StoreReader(store).visitor(ANN)
    assert bare is not None
    assert [each["basis"] for each in bare["consents"]] == ["", ""]


def _published(of: str, base: float = 0.0, **weights: float) -> RowWrite:
    model = a_model(3, of=of, base=base, **weights)
    return RowWrite("snapshots", f"{model.policy}@3", msgspec.to_builtins(model) | {"at": NOON})


async def test_a_lead_has_probabilities_with_reasons_and_an_opportunity_none_of_becoming_one() -> (
    None
):
    store = MemoryStore(MemoryDatabase())
    held = {"customer": Chance(0.5, NOON.timestamp(), 2)}  # by an older model: rules go by it still
    lead = BehaviorState(user_ids={"ann": 1}, tallies={"page": Tally(count=9)}, chances=held)
    models = [_published("customer", pages=1.0), _published("opportunity", 3.0)]
    await _keep(store, "behavior", lead, *models)
    reader = StoreReader(store, now=lambda: NOON)
    shown = await reader.visitor(ANN)
    assert shown is not None
    assert shown["probabilities"] == {
        "opportunity": {
            "value": 0.9526,
            "horizon_days": 30,
            "early": False,
            "made_up": False,
            "reasons": [],
            "version": 3,
            "in_rules": None,
        },
        "customer": {
            "value": 0.9091,
            "horizon_days": 30,
            "early": False,
            "made_up": False,
            "reasons": ["more likely: pages viewed in all (9)"],
            "version": 3,
            "in_rules": {"value": 0.5, "at": NOON, "version": 2},
        },
    }
    row = {"visitor": ANN, "at": NOON, "kind": "stage.reached", "detail": {"opportunity": True}}
    await _keep(store, "rules", RulesState(ANN), RowWrite("story", "s1", row))
    shown = await reader.visitor(ANN)
    assert shown is not None
    assert list(shown["probabilities"]) == ["customer"]
    likely = await reader.likely([ANN, "nobody"])
    assert {visitor: told["value"] for visitor, told in likely.items()} == {ANN: 0.9091}
    assert await StoreReader(store).likely([ANN]) == {}


async def test_a_lead_is_never_shown_likelier_to_buy_than_to_become_an_opportunity() -> None:
    store = MemoryStore(MemoryDatabase())
    lead = BehaviorState(user_ids={"ann": 1}, tallies={"page": Tally(count=9)})
    models = [_published("customer", pages=1.0), _published("opportunity", -2.0)]
    await _keep(store, "behavior", lead, *models)
    reader = StoreReader(store, now=lambda: NOON)
    shown = await reader.visitor(ANN)
    assert shown is not None
    told = shown["probabilities"]
    assert told["opportunity"] == told["customer"]
    assert (told["customer"]["value"], told["opportunity"]["version"]) == (0.9091, 3)
    assert told["opportunity"]["reasons"] == ["more likely: pages viewed in all (9)"]


@pytest.mark.parametrize(
    ("points", "days_ago", "shown_as"), [(80.0, 28, 20.0), (300.0, 0, 50.0), (300.0, 14, 50.0)]
)
async def test_a_score_is_shown_as_the_rules_see_it_now_faded_and_cut_at_its_cap(
    points: float, days_ago: int, shown_as: float
) -> None:
    store = MemoryStore(MemoryDatabase())
    bands = [(0.0, "cool")]
    rule = ScoreRule(name="interest", half_life_days=14.0, cap=50.0, bands=bands, points_by_kind={})
    ago = (NOON - timedelta(days=days_ago)).timestamp()
    scores = {"interest": Points(points, ago), "gone": Points(7.0, ago)}
    await _keep(store, "behavior", BehaviorState(user_ids={"ann": 1}, scores=scores))

    async def published() -> dict[str, ScoreRule]:
        return {"interest": rule, "other": rule}

    shown = await StoreReader(store, now=lambda: NOON, scores=published).visitor(ANN)
    assert shown is not None
    assert shown["scores"] == {"interest": shown_as, "gone": 7.0}


async def test_who_is_no_lead_has_no_probability() -> None:
    for state in (BehaviorState(), BehaviorState(user_ids={"ann": 1}, orders_count=1)):
        store = MemoryStore(MemoryDatabase())
        await _keep(store, "behavior", state, _published("customer"))
        shown = await StoreReader(store, now=lambda: NOON).visitor(ANN)
        assert shown is not None
        assert shown["probabilities"] == {}
        assert await StoreReader(store, now=lambda: NOON).likely([ANN]) == {}


def a_filling() -> dict[str, Any]:
    """Return a back-filling that is under way, with the cohorts that paths ask."""
    return {
        "version": 2,
        "status": "under way",
        "cohorts": ["keen", ".welcome.a", ".vip."],
        "done": {"behavior-0": 1},
        "of": {"behavior-0": 2},
        "since": {},
    }


async def test_a_back_filling_names_the_cohorts_that_a_marketer_wrote_alone() -> None:
    """What a path asks is a cohort of its own, with a name of ours."""
    store = MemoryStore(MemoryDatabase())
    await store.put_document(*PUBLISHED, {"version": 2, "number": 2, "runs": "stay"})
    job = a_filling()
    await store.put_document("fillings", "2", job)
    filling = (await StoreReader(store).stats())["filling"]
    assert filling["cohorts"] == ["keen"]
    assert filling_said(filling).endswith(": keen")
    assert filling_said({**filling, "cohorts": []}).endswith(": what its paths ask")
    assert filling_line(job).cohorts == ["keen"]
