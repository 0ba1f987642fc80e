"""One person's data is found alike in memory and in a real mongod."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.behavior_bot.state import BehaviorState, Stamped
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from messaging.ports import BatchRecord, Commit, IdentityWrite, OutboxWrite, RowWrite, StateWrite
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position, visitor_id_for
from messaging.vocabulary.messages import CohortEntered, Letter, encode_letters
from scripts.personal import Sources, exported
from tests.contract.conftest import Keeping

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ANN, BOB = visitor_id_for("u:ann"), visitor_id_for("u:bob")


def an_event(number: int, user: str) -> Record:
    """Return a journaled page view."""
    raw = f'{{"type":"page","messageId":"m{number}","userId":"{user}"}}'.encode()
    return Record(position(1, number), f"m{number}", 0, NOW, NOW, "", raw)


def a_batch(epoch: int) -> Commit:
    """Return a batch that took an event of each of two people and told something of both."""
    codec = Codec(WIRING["behavior"].make())
    email = Stamped("ann@example.com", NOW.timestamp(), position(1, 1))
    states = {ANN: BehaviorState(email=email), BOB: BehaviorState()}
    letters = [Letter(0, CohortEntered(who, NOW, "eager")) for who in (ANN, BOB)]
    return Commit(
        shard="behavior-0",
        bot="behavior",
        epoch=epoch,
        batch=1,
        positions={"journal:1": position(1, 2)},
        sent={"rules-0": 1},
        record=BatchRecord(
            NOW, "", 0, {}, [], [("journal:1", position(1, 1), position(1, 2))], [ANN, BOB], b"", [], []
        ),
        states=[StateWrite(w, codec.encode(Held(s, {}, "", b"")), None) for w, s in states.items()],
        outbox=[OutboxWrite("rules-0", 1, NOW, encode_letters(letters), 2)],
        rows=[RowWrite("story", f"s-{w}", {"visitor": w, "at": NOW, "kind": "seen"}) for w in (ANN, BOB)],
        identities=[IdentityWrite("u:ann", ANN, 1, None), IdentityWrite("u:bob", BOB, 2, None)],
        guards=[],
    )  # fmt: skip


async def test_an_export_holds_one_person_and_nobody_else(keeping: Keeping):
    store, journal = keeping.store(), keeping.journal()
    assert await journal.open_stream("gateway-1") == 1
    await journal.append([an_event(1, "ann"), an_event(2, "bob")])
    owner = await store.acquire("behavior-0")
    await store.commit(a_batch(owner.epoch))
    shards = dict.fromkeys(WIRING, 1)
    sources = Sources(store, journal, shards, lambda address: f"hash of {address}")
    found = await exported(sources, "ann", at=NOW, say=lambda _: None)
    assert found["visitors"] == [ANN]
    assert [each["message_id"] for each in found["events"]] == ["m1"]
    assert [row["key"] for row in found["identity"]] == ["u:ann"]
    assert [row["id"] for row in found["story"]] == [f"s-{ANN}"]
    assert [[x["visitor"] for x in each["letters"]] for each in found["letters"]] == [[ANN]]
    assert [each["events"] for each in found["batches"]] == [[position(1, 1)]]
    assert found["states"]["behavior"][ANN]["state"]["email"]["value"] == "ann@example.com"
    assert BOB not in str(found)
