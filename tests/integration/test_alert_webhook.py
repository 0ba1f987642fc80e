"""The outgoing webhook over real HTTP: signed, retried with one id, no redirect, nothing private by a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import aiohttp
import pytest
from aiohttp import web

from messaging.alerts.channels import WebhookChannel
from messaging.alerts.signing import key_of, signed_headers
from messaging.alerts.webhook import WebhookClient
from messaging.outside import Refused
from messaging.store.memory import MemoryDatabase, MemoryStore
from tests.alert_builders import Shard, a_notifier, deliveries, rows_of_an_alert
from tests.gateway_builders import NOON

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """Answer by script, then 204; hold what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.elsewhere = 0

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0) if self.statuses else 204
        headers = {"Location": "/elsewhere"} if status in (302, 307) else {}
        return web.Response(status=status, headers=headers)

    async def other(self, request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response(status=204)


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_route("*", "/elsewhere", receiver.other)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def told(receiver: Receiver) -> tuple[str, int]:
    """Run a notifier until nothing waits; return what became of the webhook."""
    store = MemoryStore(MemoryDatabase())
    await Shard(store).commit(*rows_of_an_alert())
    async with listening(receiver) as port:
        client = WebhookClient(f"http://127.0.0.1:{port}/hook", SECRET, allow_private=True)
        notifier = await a_notifier(store, WebhookChannel(client, lambda: NOON))
        while await notifier.look():
            pass
        await client.close()
    return (await deliveries(store))["a1:webhook"]


async def test_a_receiver_that_fails_twice_gets_it_at_the_third_try_under_one_id() -> None:
    receiver = Receiver(500, 429)
    assert await told(receiver) == ("delivered", 3)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    for headers, body in receiver.got:
        seconds = int(headers["webhook-timestamp"])
        wanted = signed_headers(key_of(SECRET), headers["webhook-id"], seconds, body)
        assert headers["webhook-signature"] == wanted["webhook-signature"]
        assert datetime.fromtimestamp(seconds, NOON.tzinfo) == NOON


@pytest.mark.parametrize("status", [302, 307])
async def test_no_redirect_is_followed(status: int) -> None:
    receiver = Receiver(*[status] * 9)
    assert (await told(receiver))[0] == "failed"
    assert receiver.elsewhere == 0


async def test_who_is_gone_is_not_asked_again() -> None:
    assert await told(Receiver(410)) == ("failed", 1)


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(
    "host", ["localhost", "0x7f.0.0.1", "127.0.0.1", "127。0。0。1", "2130706433", "127.1"]
)
async def test_a_private_address_is_not_even_connected_to_however_it_is_written(
    host: str, allow: bool
) -> None:
    """Allowed, the same address is connected to: what keeps it away is the check alone."""
    connections = 0

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = WebhookClient(f"https://{host}:{port}/hook", SECRET, allow_private=allow)
    with pytest.raises((Refused, OSError, aiohttp.ClientError)):
        await client.post("msg_1", 1, b"{}")
    await client.close()
    server.close()
    await server.wait_closed()
    # The library itself refuses numbers that are no canonical address.
    assert (connections > 0) is (allow and host not in ("2130706433", "127.1"))
