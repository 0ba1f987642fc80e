"""What every MailTransport does: the same suite on the list in memory and on SMTP with the embedded sink."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from messaging.mail.memory import MemoryTransport
from messaging.mail.pool import SmtpPool
from messaging.mail.sink import Sink
from messaging.mail.target import parse_smtp_url

SENDER = "shop@shop.example"
MAIL = b"Subject: Hello\r\nMessage-ID: <1@shop.example>\r\n\r\nHi\r\n.\r\n..dots\r\n.last\r\n"

ANSWERS = {"gone@x.example": "bounced", "busy@x.example": "deferred", "spam@x.example": "policy"}
SMTP_ANSWERS = {
    "bounced": "550 5.1.1 <gone@x.example> no such mailbox",
    "deferred": "451 4.7.1 try again later",
    "policy": "550 5.7.1 we do not like the sender",
}


class InMemory:
    @asynccontextmanager
    async def open(self, folder):
        transport = MemoryTransport(lambda _number, recipient: ANSWERS.get(recipient, ""))
        yield (
            transport,
            lambda: [(mail.recipient, mail.message) for mail in transport.mails],
        )


class OverSmtp:
    @asynccontextmanager
    async def open(self, folder):
        sink = Sink(answer=lambda recipient: SMTP_ANSWERS.get(ANSWERS.get(recipient, "")))
        port = sink.start(folder)
        pool = SmtpPool(parse_smtp_url(f"smtp://127.0.0.1:{port}"), sessions=4)
        try:
            yield (
                pool,
                lambda: [(m["to"][0], Path(m["path"]).read_bytes()) for m in sink.mails()],
            )
        finally:
            await pool.close()
            sink.stop()


pytestmark = pytest.mark.parametrize("kind", [InMemory(), OverSmtp()], ids=["memory", "smtp"])


async def test_a_mail_that_is_handed_over_has_arrived_byte_for_byte(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, arrived):
        outcome = await transport.send(SENDER, "ann@x.example", MAIL)
        assert (outcome.outcome, outcome.code) == ("handed over", 250)
        assert arrived() == [("ann@x.example", MAIL)]


async def test_a_recipient_that_does_not_exist_bounces_and_is_not_named(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, arrived):
        outcome = await transport.send(SENDER, "gone@x.example", MAIL)
        assert (outcome.outcome, outcome.code) == ("bounced", 550)
        assert "5.1.1" in outcome.reason
        assert "gone@x.example" not in outcome.reason
        assert arrived() == []


async def test_a_busy_server_defers(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, arrived):
        outcome = await transport.send(SENDER, "busy@x.example", MAIL)
        assert (outcome.outcome, outcome.code) == ("deferred", 451)
        assert arrived() == []


async def test_a_policy_refusal_names_its_class(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, _):
        outcome = await transport.send(SENDER, "spam@x.example", MAIL)
        assert outcome.outcome == "bounced"
        assert "5.7.1" in outcome.reason


@pytest.mark.parametrize("address", ["", "ann", "a@b\r\nRCPT TO:<c@d.e>", "a b@c.d", "<a@b.c>"])
async def test_a_text_that_is_no_address_bounces(kind, tmp_path, address):
    async with kind.open(tmp_path) as (transport, arrived):
        outcome = await transport.send(SENDER, address, MAIL)
        assert outcome.outcome == "bounced"
        assert "5.1.3" in outcome.reason
        assert arrived() == []


async def test_a_failure_does_not_spoil_the_next_mail(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, arrived):
        outcomes = [
            (await transport.send(SENDER, to, MAIL)).outcome
            for to in (
                "a@x.example",
                "gone@x.example",
                "b@x.example",
                "busy@x.example",
                "c@x.example",
            )
        ]
        assert outcomes == ["handed over", "bounced", "handed over", "deferred", "handed over"]
        assert [to for to, _ in arrived()] == ["a@x.example", "b@x.example", "c@x.example"]


async def test_many_at_once_arrive_once_each(kind, tmp_path):
    async with kind.open(tmp_path) as (transport, arrived):
        people = [f"u{number}@x.example" for number in range(60)]
        outcomes = await asyncio.gather(*(transport.send(SENDER, to, MAIL) for to in people))
        assert {outcome.outcome for outcome in outcomes} == {"handed over"}
        assert sorted(to for to, _ in arrived()) == sorted(people)
        assert transport.sessions >= 1
