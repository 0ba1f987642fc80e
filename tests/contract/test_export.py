"""One person's data is found alike in memory and in a real mongod."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.behavior_bot.state import BehaviorState, Stamped
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from messaging.gateway.readers import ReplayCall
from messaging.ports import BatchRecord, Commit, IdentityWrite, OutboxWrite, RowWrite, StateWrite
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position, visitor_id_for
from messaging.vocabulary.letters import Letter, encode_letters
from messaging.vocabulary.messages import CohortEntered
from scripts.personal import Sources, exported
from tests.contract.conftest import Keeping

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ANN, BOB = visitor_id_for("u:ann"), visitor_id_for("u:bob")


def an_event(number: int, user: str) -> Record:
    """Return a journaled call that says who somebody is."""
    raw = (
        f'{{"type":"identify","messageId":"m{number}","userId":"{user}",'
        f'"traits":{{"email":"{user.title()}@example.com"}}}}'
    ).encode()
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
        identities=[
            IdentityWrite("u:ann", ANN, 1, None),
            IdentityWrite("e:ann@example.com", ANN, 1, None),
            IdentityWrite("u:bob", BOB, 2, None),
        ],
        guards=[],
    )  # fmt: skip


async def sources_of(keeping: Keeping, **more: Any) -> Sources:
    """Return what is read, after one batch."""
    store, journal = keeping.store(), keeping.journal()
    assert await journal.open_stream("gateway-1") == 1
    await journal.append([an_event(1, "ann"), an_event(2, "bob")])
    owner = await store.acquire("behavior-0")
    await store.commit(a_batch(owner.epoch))
    shards = dict.fromkeys(WIRING, 1)
    return Sources(store, journal, shards, lambda address: f"hash of {address}", **more)


async def test_an_export_holds_one_person_and_nobody_else(keeping: Keeping):
    sources = await sources_of(keeping)
    found = await exported(sources, "ann", at=NOW, say=lambda _: None)
    assert found["visitors"] == [ANN]
    assert [each["message_id"] for each in found["events"]] == ["m1"]
    assert [row["key"] for row in found["identity"]] == ["e:ann@example.com", "u:ann"]
    assert [row["id"] for row in found["story"]] == [f"s-{ANN}"]
    assert [[x["visitor"] for x in each["letters"]] for each in found["letters"]] == [[ANN]]
    assert [each["events"] for each in found["batches"]] == [[position(1, 1)]]
    assert found["states"]["behavior"][ANN]["state"]["email"]["value"] == "ann@example.com"
    assert BOB not in str(found)


async def test_an_export_has_the_mails_logs_and_waiting_calls_of_a_person(
    keeping: Keeping, tmp_path: Path
):
    for number, to in ((1, "Ann@Example.com"), (2, "bob@example.com")):
        (tmp_path / f"{number:010d}.eml").write_bytes(b"Subject: Hello\r\n\r\nyou")
        entry = {"number": number, "to": [to], "subject": "Hello", "send_id": ""}
        with (tmp_path / "index.jsonl").open("a") as index:
            index.write(json.dumps(entry) + "\n")
    for number, who in ((3, ANN), (4, BOB)):
        alert = f"Subject: Nobody answers\r\n\r\nmdma visitor {who}\r\nyou"
        (tmp_path / f"{number:010d}.eml").write_text(alert)
        entry = {"number": number, "to": ["boss@shop.example"], "subject": "", "send_id": ""}
        with (tmp_path / "index.jsonl").open("a") as index:
            index.write(json.dumps(entry) + "\n")
    (tmp_path / "email-0.log").write_text(
        f"of nobody\nsend.uncertain {ANN}\nsend.uncertain {BOB}\n"
    )
    waiting = [
        ReplayCall(r.message_id, NOW, 0, r.raw) for r in (an_event(8, "ann"), an_event(9, "bob"))
    ]
    broken = ReplayCall("m10", NOW, 0, b"{")
    sources = await sources_of(
        keeping, waiting=[*waiting, broken], mail_folder=tmp_path, log_folder=tmp_path
    )
    found = await exported(sources, "Ann@example.com", at=NOW, say=lambda _: None)
    assert [(each["number"], each["source"][-3:]) for each in found["mails"]] == [
        (1, "you"),
        (3, "you"),
    ], "an alert tells of them, as the eraser knows"
    assert [(each["file"], each["line"]) for each in found["logs"]] == [("email-0.log", 2)]
    assert [each["id"] for each in found["replay"]] == ["m8"]
    assert found["mailbox"] == [{"id": "hash of ann@example.com", "suppressed": False}]
    await sources.store.suppress("hash of ann@example.com", "one-click", NOW)
    again = await exported(sources, ANN, at=NOW, say=lambda _: None)
    assert again["mailbox"][0]["suppressed"] is True
