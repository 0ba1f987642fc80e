"""Find and check the address and port at which the gateway listens."""

from __future__ import annotations

import asyncio
import socket

from scripts.folder import Refused

ANSWER_SECONDS = 5.0
"""How long a Ray cluster has to take a connection."""


def hold_port(host: str, port: int) -> socket.socket:
    """Return a socket that holds a port (0: a free one) for who will listen there, until it is closed.

    It is bound and does not listen: whoever binds with SO_REUSEADDR, as servers do, may listen there, and the system
    gives the port to nobody else meanwhile. Raise Refused where somebody listens already: later it would look like
    a gateway that never gets ready.
    """
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
    except OSError as error:
        held.close()
        raise Refused(
            f"cannot listen at {host} port {port} ({error.strerror}): free it, or name another with --port"
        ) from None
    return held


async def refuse_silent(address: str) -> None:
    """Raise Refused where no Ray cluster listens at `host:port`: Ray itself would ask for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise Refused(
            f"{address} is no address of a Ray cluster: write host:port, like 10.0.0.1:6379"
        )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        raise Refused(
            f"no Ray cluster answers at {address}: start one, or leave the address out for a Ray of our own"
        ) from None
    writer.close()


def reachable(host: str) -> str:
    """Return the host under which this machine reaches what listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - read, not bound
