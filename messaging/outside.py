"""Reach what others name, and only what is out on the internet: addresses are checked where they are connected to.

Rules
1. A host is resolved for each connection, every one of its addresses is checked, and the connection goes to one of
   those: an answer that changes between check and use reaches nothing.
2. An address that carries another one inside is judged by that one, or not reached.
3. What may be private is said by whoever set the system up, host by host; nothing that comes from outside says it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

from messaging.names import Resolve, machine_names
from messaging.vocabulary.errors import MdmaError

_CLOSED = tuple(
    ip_network(each)
    for each in (
        "2002::/16",  # 6to4
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "::/96",  # IPv4-compatible (RFC 4291, 2.5.5.1)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "fec0::/10",  # site-local (RFC 3879)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
    )
)
"""Networks that carry an IPv4 address inside, whichever it is, or that were given up: nothing public is there."""


class Refused(MdmaError):  # noqa: N818
    """Say why an address is not called at all."""


class NotPublic(OSError):  # noqa: N818 - aiohttp expects an OSError of a resolver
    """Say that a host stands for an address that is not public."""


def is_public(address: str) -> bool:
    """Say whether an address is out on the internet, and carries no other one inside.

    >>> [
    ...     is_public(a)
    ...     for a in (
    ...         "93.184.216.34",
    ...         "10.0.0.1",
    ...         "169.254.169.254",
    ...         "::ffff:127.0.0.1",
    ...         "100.64.0.1",
    ...     )
    ... ]
    [True, False, False, False, False]
    """
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in net for net in _CLOSED):
        return False
    return ip.is_global and not ip.is_multicast


def may_be_asked_for(host: str) -> bool:
    """Say whether a host's name may be given to a connector with a `CheckedResolver`.

    aiohttp asks no resolver for what it takes for an address, and that is whatever is made of digits and dots: the
    system reads `127.1` and `2130706433` as 127.0.0.1. Of those only a whole, public address is let through.

    >>> [
    ...     may_be_asked_for(h)
    ...     for h in ("shop.example", "93.184.216.34", "127.1", "2130706433", "::1")
    ... ]
    [True, True, False, False, False]
    """
    is_taken_for_address = ":" in host or host.replace(".", "").isdigit()
    return is_public(host) if is_taken_for_address else bool(host)


class CheckedResolver(AbstractResolver):
    """Resolve a host, and refuse it where one of its addresses is not public.

    Parameters:
        may_be_private: (host, port) -> whether whoever set the system up allows it a private address.
        resolve: who is asked.
    """

    def __init__(
        self, may_be_private: Callable[[str, int], bool], resolve: Resolve = machine_names
    ) -> None:
        self._may_be_private = may_be_private
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses, all of them checked; raise OSError, which aiohttp expects."""
        found = await self._resolve(host, port, family)
        if not found:
            raise OSError("no address")
        if not self._may_be_private(host, port) and not all(is_public(each) for _, each in found):
            raise NotPublic("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=of,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for of, address in found
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
