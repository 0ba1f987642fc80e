"""Read how settings name places: a name server, and the hosts that may be private. Pure: it asks nobody."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address


def place_of(text: str) -> tuple[str, int]:
    """Return (address, port) of a name server written `address:port` or `address`. Raise ValueError.

    >>> place_of("192.0.2.1:5353"), place_of("[2001:db8::1]:53"), place_of("2001:db8::1")
    (('192.0.2.1', 5353), ('2001:db8::1', 53), ('2001:db8::1', 53))
    """
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, "53"
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError("a port is between 1 and 65535")
    return str(ip_address(host.strip("[]"))), number


def is_named(host: str, port: int, allowed: Collection[str]) -> bool:
    """Say whether a host is named, with this port or for all ports.

    >>> [is_named("127.0.0.1", port, ["127.0.0.1:8080", "sun.test"]) for port in (8080, 22)]
    [True, False]
    """
    return host in allowed or f"{host}:{port}" in allowed
