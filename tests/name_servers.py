"""Run name servers on loopback: those that know a few names, and those that keep silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answer by name and kind, as `name/AAAA` (`name`: its A); of the `mute` kinds nothing is said at all."""

    def __init__(self, known: Mapping[str, str], mute: tuple[str, ...]) -> None:
        pairs = (each.partition("/") for each in known)
        kinds = [(name, kind or "A") for name, _, kind in pairs]
        self.known = dict(zip(kinds, known.values(), strict=True))
        self.mute = mute
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, peer) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if kind in self.mute:
            return
        answer = dns.message.make_response(query)
        if address := self.known.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, address))
        elif not any(other == name for other, _ in self.known):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), peer)


@asynccontextmanager
async def a_name_server(
    known: Mapping[str, str] | None = None,
    *,
    mute: tuple[str, ...] = (),
    at: tuple[str, int] = ("127.0.0.1", 0),
) -> AsyncIterator[NameServer]:
    """Run a name server."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(known or {}, mute), local_addr=at
    )
    try:
        yield server
    finally:
        transport.close()
