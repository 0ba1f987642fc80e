"""Send Segment calls as fast as a gateway takes them: a process of its own, every byte made beforehand.

    python -m scripts.bench_load       one line of JSON (`Load`) on stdin; prints `ready`; begins at the next
                                       line; prints one line of JSON (`Outcome`)

A connection has one request under way. A 429 or 503 is sent again after what `Retry-After` says, as clients do.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import msgspec
import orjson
import uvloop

from scripts.bench_measure import percentile
from scripts.bench_mix import Mix, bodies

RETRY_SECONDS_MAX = 5.0


class Load(msgspec.Struct, kw_only=True):
    """Say what to send where."""

    host: str = "127.0.0.1"
    port: int
    write_key: str
    connections: int
    requests: int
    events: int
    """Calls a request: 1 goes to the route of its type, more to `/v1/batch`."""
    seed: int


class Outcome(msgspec.Struct, kw_only=True):
    """Say what came of it."""

    events: int
    """Calls acknowledged."""
    seconds: float
    p50_ms: float
    p99_ms: float
    again: int
    """Requests sent again after a 429 or 503."""
    failed: int
    """Answers that were neither 200 nor those."""
    cpu_seconds: float
    """What this process itself used."""


def requests_of(load: Load) -> Iterator[bytes]:
    """Return each request as the bytes that go over the wire."""
    at = datetime.now(UTC)
    if load.events > 1:
        for body in bodies(load.requests, load.events, at, load.seed):
            yield _request(load, "/v1/batch", body)
        return
    mix = Mix(load.seed)
    for _ in range(load.requests):
        call = mix.call(at)
        yield _request(load, f"/v1/{call['type']}", orjson.dumps(call))


def _request(load: Load, path: str, body: bytes) -> bytes:
    key = base64.b64encode(f"{load.write_key}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\nAuthorization: Basic {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client(asyncio.Protocol):
    """Send one request after the other on one connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._read = b""
        self._began = 0.0
        self._request = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; sending begins with `go`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def go(self) -> None:
        """Send the next request, or end when there is none."""
        request = next(self._run.requests, None)
        if request is None:
            self._transport.close()
            self._run.end_one()
            return
        self._request = request
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer."""
        self._read += data
        head, blank, rest = self._read.partition(b"\r\n\r\n")
        if not blank:
            return
        fields = head.lower()
        place = fields.find(b"content-length:")
        size = int(fields[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(rest) < size:
            return
        self._read = b""
        self._answered(int(head[9:12]), fields)

    def _answered(self, status: int, fields: bytes) -> None:
        run = self._run
        if status in (429, 503):
            run.again += 1
            place = fields.find(b"retry-after:")
            seconds = float(fields[place + 12 :].split(b"\r\n", 1)[0]) if place >= 0 else 0.1
            run.loop.call_later(min(seconds, RETRY_SECONDS_MAX), self._send_again)
            return
        run.latencies.append(time.perf_counter() - self._began)
        run.failed += status != 200
        self.go()

    def _send_again(self) -> None:
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the run when the gateway closes on us: a benchmark of that is none."""
        if exc is not None or not self._transport.is_closing():
            self._run.break_off(exc or ConnectionError("the gateway closed the connection"))


class Run:
    """Hold what the connections share."""

    def __init__(self, load: Load, requests: list[bytes]) -> None:
        self.loop = asyncio.get_running_loop()
        self.requests = iter(requests)
        self.latencies: list[float] = []
        self.again = 0
        self.failed = 0
        self._open = load.connections
        self._over: asyncio.Future[None] = self.loop.create_future()

    def end_one(self) -> None:
        """Note that a connection has nothing more to send."""
        self._open -= 1
        if not self._open and not self._over.done():
            self._over.set_result(None)

    def break_off(self, error: Exception) -> None:
        """End the run with an error."""
        if not self._over.done():
            self._over.set_exception(error)

    async def over(self) -> None:
        """Wait for the end."""
        await self._over


async def send(load: Load, requests: list[bytes], begin: asyncio.Event) -> Outcome:
    """Connect, wait for the sign, send everything."""
    run = Run(load, requests)
    clients = []
    for _ in range(load.connections):
        _, client = await run.loop.create_connection(lambda: Client(run), load.host, load.port)
        clients.append(client)
    print("ready", flush=True)
    await begin.wait()
    used, began = time.process_time(), time.perf_counter()
    for client in clients:
        client.go()
    await run.over()
    seconds = time.perf_counter() - began
    return Outcome(
        events=(len(run.latencies) - run.failed) * load.events,
        seconds=seconds,
        p50_ms=1000 * percentile(run.latencies, 0.5),
        p99_ms=1000 * percentile(run.latencies, 0.99),
        again=run.again,
        failed=run.failed,
        cpu_seconds=time.process_time() - used,
    )


async def _main() -> None:
    loop = asyncio.get_running_loop()
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    requests = list(requests_of(load))
    begin = asyncio.Event()

    def sign() -> None:
        loop.remove_reader(sys.stdin)
        begin.set()

    loop.add_reader(sys.stdin, sign)
    print(msgspec.json.encode(await send(load, requests, begin)).decode(), flush=True)


async def loaded(load: Load) -> Outcome:
    """Run a load in a process of its own. Raise RuntimeError where it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.bench_load",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(load) + b"\n")
        if (await process.stdout.readline()).strip() != b"ready":
            raise RuntimeError("the load generator does not start")
        process.stdin.write(b"go\n")
        answer = await process.stdout.readline()
        if await process.wait():
            raise RuntimeError("the load generator failed")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return msgspec.json.decode(answer, type=Outcome)


if __name__ == "__main__":
    uvloop.run(_main())
