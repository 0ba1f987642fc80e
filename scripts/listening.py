"""Find and check the address and port at which the gateway listens."""

from __future__ import annotations

import asyncio
import socket

from scripts.folder import Refused

ANSWER_SECONDS = 5.0
"""How long a Ray cluster has to take a connection."""


def free_port(host: str) -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def refuse_taken(host: str, port: int) -> None:
    """Raise Refused where somebody listens already: later it would look like a gateway that never gets ready."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(
                f"cannot listen at {host} port {port} ({error.strerror}): free it, or name another with --port"
            ) from None


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
