"""Find out what a host's name stands for, on the event loop: no name server that keeps silent holds anything up.

The machine's own functions (`getaddrinfo`) know no time-out and take a thread of a small pool for each name: a few
servers that do not answer would stop every other name, and every file that is read in a thread.

Rules
1. Whoever asks gets an answer or an error within `SECONDS_MAX`, and what was given up holds nothing.
2. The machine's settings are followed as they stand now: /etc/hosts first, then the servers and search list of
   /etc/resolv.conf. Other sources of names (mDNS, LDAP) are not asked.
3. Both kinds of addresses are asked for at once; where one kind has an answer, the other is not waited for for long.
4. Nothing is kept: what is connected to is what this very answer said (`messaging.outside`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

Found = list[tuple[int, str]]
"""(family, address) of each."""

Resolve = Callable[[str, int, socket.AddressFamily], Awaitable[Found]]
"""(host, port, family) -> its addresses; raises OSError, and ValueError for what can be no name."""

SECONDS_MAX = 3.0
TRIES = 3
"""So many servers, or repeats of a packet that was lost, have room in that time."""
OTHER_KIND_SECONDS = 0.5
"""How long the other kind of address is waited for."""

HOSTS, SETTINGS = Path("/etc/hosts"), Path("/etc/resolv.conf")
HOSTS_BYTES_MAX = 1024 * 1024

_KINDS = ((socket.AF_INET, "A"), (socket.AF_INET6, "AAAA"))
_LOOPBACK: Found = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def nameserver(address: str, port: int) -> Resolve:
    """Return a resolver that asks one server, without the machine's search list and hosts file."""
    resolver = _bounded(dns.asyncresolver.Resolver(configure=False))
    resolver.nameservers, resolver.port = [address], port

    async def resolve(host: str, _port: int, family: socket.AddressFamily) -> Found:
        return await _asked(resolver, host, family, search=False)

    return resolve


class MachineNames:
    """Resolve as the machine does. Call it as `Resolve`.

    Parameters:
        hosts, settings: the machine's files.
        port: where its name servers listen.
        seconds: for a name with all of its search list, at most.
    """

    def __init__(
        self,
        hosts: Path = HOSTS,
        settings: Path = SETTINGS,
        *,
        port: int = 53,
        seconds: float = SECONDS_MAX,
    ) -> None:
        self._seconds = seconds
        self._hosts = hosts
        self._settings = settings
        self._port = port
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._names: dict[str, Found] = {}
        self._read: dict[Path, tuple[int, int, int]] = {}
        """File -> which version of it was read."""

    async def __call__(self, host: str, port: int, family: socket.AddressFamily) -> Found:
        """Return the addresses of a host; raise OSError or ValueError."""
        del port
        named = as_address(host) or self._named(host.rstrip(".").lower())
        if named:
            found = [each for each in named if family in (socket.AF_UNSPEC, each[0])]
            if not found:
                raise OSError("no address of this family")
            return found
        return await _asked(self._asks(), host, family, search=True)

    def _named(self, host: str) -> Found:
        """Return what the hosts file says; a machine's own name is its own also without one (RFC 6761, 6.3)."""
        if self._is_new(self._hosts):
            self._names = read_hosts(_text(self._hosts))
        is_own = host == "localhost" or host.endswith(".localhost")
        return self._names.get(host) or (_LOOPBACK if is_own else [])

    def _asks(self) -> dns.asyncresolver.Resolver:
        if self._is_new(self._settings) or self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=False)
            try:
                resolver.read_resolv_conf(str(self._settings))
            except (OSError, dns.exception.DNSException):
                resolver.nameservers = ["127.0.0.1"]  # resolv.conf(5): where nothing is set
            resolver.port = self._port
            self._resolver = _bounded(resolver, self._seconds)
        return self._resolver

    def _is_new(self, file: Path) -> bool:
        """Say whether a file is another one than when it was read, and take it as read."""
        try:
            told = file.stat()
            stamp = (told.st_ino, told.st_mtime_ns, told.st_size)
        except OSError:
            stamp = (0, 0, 0)
        is_new = self._read.get(file) != stamp
        self._read[file] = stamp
        return is_new


machine_names = MachineNames()
"""The machine's own names."""


def as_address(host: str) -> Found:
    """Return the address that a host is, as every system reads one; nothing where it is a name.

    >>> [[address for _, address in as_address(h)] for h in ("127.1", "0x7f000001", "::1", "a.b")]
    [['127.0.0.1'], ['127.0.0.1'], ['::1'], []]
    """
    plain = host.partition("%")[0]
    try:
        return [(socket.AF_INET6, _written(socket.AF_INET6, plain))]
    except (OSError, ValueError):
        pass
    try:
        return [(socket.AF_INET, socket.inet_ntoa(socket.inet_aton(host)))]
    except (OSError, ValueError):
        return []


def read_hosts(text: str) -> dict[str, Found]:
    """Return name -> addresses of a hosts file (hosts(5)).

    >>> {n: [a for _, a in some] for n, some in read_hosts("10.0.0.1 a.test A # mine").items()}
    {'a.test': ['10.0.0.1'], 'a': ['10.0.0.1']}
    """
    names: dict[str, Found] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        for name in words[1:]:
            for each in as_address(words[0]):
                found = names.setdefault(name.rstrip(".").lower(), [])
                if each not in found:
                    found.append(each)
    return names


def _written(family: socket.AddressFamily, address: str) -> str:
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(HOSTS_BYTES_MAX).decode(errors="replace")
    except OSError:
        return ""


def _bounded(
    resolver: dns.asyncresolver.Resolver, seconds: float = SECONDS_MAX
) -> dns.asyncresolver.Resolver:
    resolver.lifetime, resolver.timeout = seconds, seconds / TRIES
    return resolver


async def _asked(
    resolver: dns.asyncresolver.Resolver,
    host: str,
    family: socket.AddressFamily,
    *,
    search: bool,
) -> Found:
    try:
        dns.name.from_text(host)
    except (dns.exception.DNSException, UnicodeError):
        raise ValueError("no name of a host") from None
    kinds = [(of, kind) for of, kind in _KINDS if family in (socket.AF_UNSPEC, of)]
    asked = [
        asyncio.ensure_future(_one(resolver, host, of, kind, search=search)) for of, kind in kinds
    ]
    try:
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            is_found = any(isinstance(each.result(), list) and each.result() for each in done)
            await asyncio.wait(waiting, timeout=OTHER_KIND_SECONDS if is_found else None)
    finally:
        for each in asked:
            each.cancel()
    answers = [each.result() for each in asked if each.done() and not each.cancelled()]
    found = [each for answer in answers if isinstance(answer, list) for each in answer]
    failed = [answer for answer in answers if isinstance(answer, OSError)]
    if failed and not found:
        raise failed[0]
    return found


async def _one(
    resolver: dns.asyncresolver.Resolver,
    host: str,
    of: socket.AddressFamily,
    kind: str,
    *,
    search: bool,
) -> Found | OSError:
    """Return what there is of one kind of address, or why there is no answer."""
    try:
        answer = await resolver.resolve(host, kind, search=search)
    except dns.resolver.NoAnswer:
        return []
    except (dns.exception.DNSException, OSError) as error:
        return OSError(f"the name server said {type(error).__name__}")
    return [(of, str(each)) for each in answer]
