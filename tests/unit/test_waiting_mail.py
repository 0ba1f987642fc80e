"""What is said everywhere of e-mails that wait for the mail server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agents.runtime import totals
from messaging.gateway.late import late_mail
from messaging.gateway.overview import _alerts
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.cli_status import totals as status
from tests.gateway_builders import NOON, StillClock
from tests.unit.test_overview import PARTS, a_store, reading

SAID = (
    "3 e-mails wait for the mail server since Thu 1 Jun 2017, 10:00 UTC; newest reason: "
    "CONNECT: gaierror: nobody has the host's name"
)


def three() -> dict[str, dict[str, Any]]:
    """Return the rows: of the newest the first try was the earliest."""
    row = {"visitor": "v1", "status": "deferred", "template": "hello", "reason": "RCPT: later"}
    newest = {"reason": "CONNECT: gaierror: nobody has the host's name", "at": NOON}
    return {
        "s1": row | {"at": NOON - timedelta(minutes=30), "tried_since": NOON - timedelta(hours=1)},
        "s2": row | newest | {"tried_since": NOON - timedelta(hours=2)},
        "s3": row | {"at": NOON - timedelta(minutes=40)},  # of before: its row does not say it
        "s4": row | {"status": "handed over", "at": NOON},
    }


async def test_it_says_how_many_since_when_and_why() -> None:
    late = await late_mail(await a_store(sends=three()))
    assert late is not None
    assert (late.count, late.since, late.said) == (3, NOON - timedelta(hours=2), SAID)
    assert await late_mail(MemoryStore(MemoryDatabase())) is None


async def test_one_is_said_in_the_singular_and_no_address_is() -> None:
    row = three()["s1"] | {"reason": "RCPT: 4.2.2 <ann@example.com> is\x1b[2J full"}
    late = await late_mail(await a_store(sends={"s1": row}))
    assert late is not None
    assert late.said.startswith("1 e-mail waits for the mail server since ")
    assert late.said.endswith("RCPT: 4.2.2 <an address> is [2J full")


async def test_the_overview_says_it_where_a_person_is_called() -> None:
    told = await reading(await a_store(sends=three()), StillClock(), PARTS).overview()
    assert told.mail_waits == SAID
    assert f"{SAID}." in _alerts(told).replace("&#x27;", "'").replace("&#39;", "'")
    assert "not stuck" not in _alerts(told)
    told = await reading(await a_store(), StillClock(), PARTS).overview()
    assert told.mail_waits == ""
    assert "not stuck" in _alerts(told)


async def test_status_says_the_same() -> None:
    stats = await totals.stats(await a_store(sends=three()))
    told = {**stats, "gateway": {}}
    assert dict(status(told))["mail"] == SAID
