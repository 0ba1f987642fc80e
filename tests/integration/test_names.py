"""What a host's name stands for: by the machine's own files, and by name servers that answer, or do not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from messaging.names import MachineNames, as_address, nameserver
from tests.name_servers import a_name_server

ANY, V4, V6 = socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6
ASKED_AT_ONCE = 200


def machine(
    tmp_path: Path, port: int, *, hosts: str = "", settings: str = "", seconds: float = 1.0
) -> MachineNames:
    """Return the names of a machine with these files; its name server is on loopback."""
    (tmp_path / "hosts").write_text(hosts)
    (tmp_path / "resolv.conf").write_text(f"nameserver 127.0.0.1\n{settings}\n")
    files = tmp_path / "hosts", tmp_path / "resolv.conf"
    return MachineNames(*files, port=port, seconds=seconds)


async def test_a_server_that_keeps_silent_holds_no_thread_and_ends_in_time(tmp_path: Path) -> None:
    """Each of `getaddrinfo`'s calls would take one of the few threads that all files are read in."""
    async with a_name_server(mute=("A", "AAAA")) as server:
        resolve = machine(tmp_path, server.port)
        asked = [
            asyncio.create_task(resolve(f"h{n}.example", 443, ANY)) for n in range(ASKED_AT_ONCE)
        ]
        await asyncio.sleep(0.2)
        from_threads = time.monotonic()
        await asyncio.gather(*(asyncio.to_thread(os.getpid) for _ in range(20)))
        assert time.monotonic() - from_threads < 0.5
        begun = time.monotonic()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert time.monotonic() - begun < 5.0
    assert all(isinstance(each, OSError) for each in answers)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_who_gives_up_waiting_leaves_nothing_behind(tmp_path: Path) -> None:
    """Sockets are closed: those who wait forever would be as many as were asked."""
    async with a_name_server(mute=("A", "AAAA")) as server:
        resolve = machine(tmp_path, server.port)
        open_before = open_files()
        for _ in range(20):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await resolve("mute.example", 443, ANY)
        await asyncio.sleep(0.05)
        assert open_files() <= open_before + 2


async def test_the_hosts_file_goes_first_and_is_followed_as_it_changes(tmp_path: Path) -> None:
    async with a_name_server({"shop.example": "192.0.2.9"}) as server:
        lines = "10.1.1.1 Shop.example s # ours\n::5 shop.example\nnonsense shop.example\n"
        resolve = machine(tmp_path, server.port, hosts=lines)
        assert await resolve("shop.example.", 443, ANY) == [(V4, "10.1.1.1"), (V6, "::5")]
        assert await resolve("S", 443, V4) == [(V4, "10.1.1.1")]
        with pytest.raises(OSError, match="family"):
            await resolve("s", 443, V6)
        assert server.asked == []
        (tmp_path / "hosts").write_text("")
        assert await resolve("shop.example", 443, ANY) == [(V4, "192.0.2.9")]
        (tmp_path / "hosts").unlink()
        assert await resolve("shop.example", 443, ANY) == [(V4, "192.0.2.9")]
        assert await resolve("localhost", 443, V4) == [(V4, "127.0.0.1")]


async def test_the_search_list_of_the_machine_is_followed_and_a_name_server_of_ones_own_has_none(
    tmp_path: Path,
) -> None:
    async with a_name_server({"crm.inside.example": "192.0.2.7"}) as server:
        resolve = machine(tmp_path, server.port, settings="search other.example inside.example")
        assert await resolve("crm", 443, ANY) == [(V4, "192.0.2.7")]
        with pytest.raises(OSError, match="NXDOMAIN"):
            await nameserver("127.0.0.1", server.port)("crm", 443, ANY)


async def test_one_kind_of_address_is_enough_and_none_is_an_answer_too(tmp_path: Path) -> None:
    known = {"both.example": "192.0.2.1", "both.example/AAAA": "2001:db8::1"}
    async with a_name_server(known | {"text.example/TXT": "x"}) as server:
        resolve = machine(tmp_path, server.port)
        assert await resolve("both.example", 443, ANY) == [(V4, "192.0.2.1"), (V6, "2001:db8::1")]
        assert await resolve("both.example", 443, V6) == [(V6, "2001:db8::1")]
        assert await resolve("text.example", 443, ANY) == []
    async with a_name_server(known, mute=("AAAA",)) as server:
        resolve, begun = machine(tmp_path, server.port, seconds=3.0), time.monotonic()
        assert await resolve("both.example", 443, ANY) == [(V4, "192.0.2.1")]
        assert time.monotonic() - begun < 2.0


async def test_of_two_name_servers_the_second_answers_where_the_first_keeps_silent(
    tmp_path: Path,
) -> None:
    mute = a_name_server(mute=("A", "AAAA"))
    async with mute as first, a_name_server({"a.test": "192.0.2.1"}, at=("127.0.0.2", first.port)):
        resolve = machine(tmp_path, first.port, settings="nameserver 127.0.0.2", seconds=1.5)
        assert await resolve("a.test", 443, ANY) == [(V4, "192.0.2.1")]
        assert first.asked


async def test_what_is_no_name_is_told_from_what_nobody_knows(tmp_path: Path) -> None:
    async with a_name_server() as server:
        for resolve in (machine(tmp_path, server.port), nameserver("127.0.0.1", server.port)):
            for host in ("a..b", "a" * 64 + ".example", "b." * 200):
                with pytest.raises(ValueError, match="no name"):
                    await resolve(host, 443, ANY)
        assert server.asked == []


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("fe80::1%lo", "fe80::1"),
    ],
)
async def test_however_an_address_is_written_it_is_that_address_and_nobody_is_asked(
    host: str, address: str, tmp_path: Path
) -> None:
    assert [each for _, each in as_address(host)] == [address]
    [(_, found)] = await machine(tmp_path, 9)(host, 443, ANY)
    assert found == address
