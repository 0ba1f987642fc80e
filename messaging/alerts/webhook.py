"""Send a webhook as Standard Webhooks says: https://github.com/standard-webhooks/standard-webhooks (version 1).

Rules
1. The id stays the same over all tries, the timestamp is each try's own (signing.py says how they are signed).
2. The host is resolved once for each try, every address is checked, and the connection goes to one of those: an
   answer that changes between check and use reaches nothing. Nothing private is reached, unless the setting says
   that its own host is.
3. No redirect is followed: the receiver is the one in the setting. Nothing of the answer is read but its status.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from messaging.alerts.signing import key_of, signed_headers
from messaging.vocabulary.errors import MdmaError

TRY_SECONDS_MAX = 10.0
GONE = 410

_EMBEDDING = (ip_network("2002::/16"), ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""6to4 and NAT64: an IPv4 address travels inside, whichever it is."""


class Refused(MdmaError):  # noqa: N818
    """Say why an address is not called at all."""


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
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in net for net in _EMBEDDING):
            return False
    return ip.is_global and not ip.is_multicast


class CheckedResolver(AbstractResolver):
    """Resolve a host, and refuse it where one of its addresses is not public."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses, all of them checked; raise OSError, which aiohttp expects."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(of, info[0], info[1]) for of, _, _, _, info in found]
        if not addresses or not (
            self._allow_private or all(is_public(str(each[1])) for each in addresses)
        ):
            raise OSError("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=int(at),
                family=of,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for of, address, at in addresses
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


class WebhookClient:
    """Post signed bodies to one address.

    Parameters:
        url: where to; `https`, or `http` where private addresses are allowed.
        secret: `whsec_…`.
        allow_private: whether the address may be private: whoever set it up says so.
    """

    def __init__(self, url: str, secret: str, *, allow_private: bool = False) -> None:
        self._url = url
        self._key = key_of(secret)
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def post(self, id_: str, seconds: int, body: bytes) -> int:
        """Return the status of one try. Raise Refused, or what the world does (OSError, aiohttp's, TimeoutError)."""
        self._check()
        headers: Mapping[str, Any] = {
            **signed_headers(self._key, id_, seconds, body),
            "Content-Type": "application/json",
            "User-Agent": "MDMA",
        }
        async with asyncio.timeout(TRY_SECONDS_MAX):
            session = self._opened()
            async with session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _check(self) -> None:
        parts = urlsplit(self._url)
        if self._allow_private:
            return
        if parts.scheme != "https":
            raise Refused("only https is called")
        try:
            ip_address(parts.hostname or "")
        except ValueError:
            return  # a name: the resolver checks what it stands for
        if not is_public(parts.hostname or ""):  # aiohttp asks no resolver for an address
            raise Refused("not a public address")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = CheckedResolver(allow_private=self._allow_private)
            connector = aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, force_close=True, limit=4
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session
