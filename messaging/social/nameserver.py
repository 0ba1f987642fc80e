"""Ask one name server instead of the machine's own resolver."""

from __future__ import annotations

import socket

import dns.asyncresolver
import dns.exception
import dns.resolver

from messaging.outside import Resolve

SECONDS_MAX = 3.0

_KINDS = ((socket.AF_INET, "A"), (socket.AF_INET6, "AAAA"))


def nameserver(address: str, port: int) -> Resolve:
    """Return a resolver that asks one server, without the machine's search list and hosts file."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [address], port
    resolver.lifetime = resolver.timeout = SECONDS_MAX

    async def resolve(host: str, _port: int, family: socket.AddressFamily) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for of, kind in _KINDS:
            if family not in (socket.AF_UNSPEC, of):
                continue
            try:
                answer = await resolver.resolve(host, kind, search=False)
            except dns.resolver.NoAnswer:
                continue
            except dns.exception.DNSException as error:
                raise OSError(f"the name server said {type(error).__name__}") from None
            found += [(of, str(each)) for each in answer]
        return found

    return resolve
