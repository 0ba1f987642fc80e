"""Take e-mails like a real SMTP server and keep the newest on disk: the inbox one has without a provider.

A folder holds one file for each e-mail (`0000000042.eml`, bytes as they came) and `index.jsonl`, one line each.

Rules
1. 250 is answered after the file stands under its name: what was acknowledged can be seen.
   There is no fsync: this is an inbox to look into, and the send ledger is in the database.
2. Files and lines are bounded: beyond `keep` the oldest go, and the index is written anew now and then.
3. Any process may read the folder while the sink writes (`read_mails`), and remove e-mails (`remove_mails`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

KEEP = 10_000
MESSAGE_BYTES_MAX = 1_000_000
STOP_SECONDS = 10.0

INDEX = "index.jsonl"

Answer = Callable[[str], str | None]
"""Recipient -> an SMTP answer such as `550 5.1.1 no such mailbox`; None: the mail is taken."""

Told = Callable[[Path], None]
"""Is told where a mail lies, on the sink's own thread, before it is acknowledged."""

T = TypeVar("T")


class Sink:
    """Run an SMTP server on a thread of its own."""

    def __init__(
        self, *, keep: int = KEEP, answer: Answer | None = None, told: Told | None = None
    ) -> None:
        """Keep the newest `keep` e-mails; `answer` may refuse recipients, as real servers do; `told` hears of each."""
        self.port = 0
        self.received_total = 0
        self._keep = keep
        self._answer = answer
        self._told = told
        self._folder = Path()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._shelf: _Shelf | None = None

    def start(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; return the port (a free one for 0). Raise OSError if that cannot be."""
        assert self._thread is None, "a sink is started once"
        self._folder = folder
        self._shelf = _Shelf(folder, self._keep)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="mail-sink", daemon=True
        )
        self._thread.start()
        try:
            self.port = self._call(self._listen(host, port))
        except OSError:
            self.stop()
            raise
        return self.port

    def stop(self) -> None:
        """Stop listening, end all sessions and close the index. A second call does nothing."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        self._call(self._close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
        loop.close()
        if self._shelf is not None:
            self._shelf.close()
        self._thread = self._loop = self._shelf = None

    def mails(self) -> Iterator[dict[str, Any]]:
        """Return the e-mails kept, oldest first: see `read_mails`."""
        return read_mails(self._folder)

    async def handle_RCPT(  # noqa: N802 - the library finds its hooks by these names
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take or refuse a recipient."""
        refused = self._answer(address) if self._answer is not None else None
        if refused is not None:
            return refused
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """Keep a message, then acknowledge it."""
        assert self._shelf is not None
        content = envelope.content
        body = content if isinstance(content, bytes) else (content or "").encode()
        try:
            number = self._shelf.put(envelope.mail_from or "", envelope.rcpt_tos, body)
        except OSError as error:  # a full disk: whoever sends tries again later
            return f"452 4.3.1 it cannot be kept now: {error.strerror or type(error).__name__}"
        self.received_total += 1
        if self._told is not None:
            self._told(self._folder / _name(number))
        return f"250 2.0.0 OK {number}"

    async def _listen(self, host: str, port: int) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self,
                data_size_limit=MESSAGE_BYTES_MAX,
                enable_SMTPUTF8=True,
                hostname="localhost",  # else every session asks DNS for this machine's name
                loop=loop,
            ),
            host,
            port,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS)


def read_mails(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the e-mails kept in a folder, oldest first.

    Each has `number`, `to` (list), `sender`, `subject`, `message_id`, `send_id`, `date` (its header),
    `received_at` (machine time, ISO 8601), `bytes` and `path`.
    """
    try:
        lines = (folder / INDEX).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # the line being written just now
            entry = json.loads(line)
            path = folder / _name(entry["number"])
            if path.exists():
                yield entry | {"path": str(path)}


def remove_mails(folder: Path, numbers: set[int]) -> None:
    """Remove e-mails, and their lines of the index: each is blanked where it stands, for the sink goes on writing."""
    for number in numbers:
        (folder / _name(number)).unlink(missing_ok=True)
    with (folder / INDEX).open("r+b") as index:
        while line := index.readline():
            with contextlib.suppress(json.JSONDecodeError):
                if json.loads(line)["number"] in numbers:
                    index.seek(-len(line), os.SEEK_CUR)
                    index.write(b" " * (len(line) - 1) + b"\n")


class _Shelf:
    """Write e-mails and the index, keeping the newest."""

    def __init__(self, folder: Path, keep: int) -> None:
        folder.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # whole mails, with addresses and tokens
        self._folder = folder
        self._keep = keep
        self._parser = BytesHeaderParser()
        kept = {entry["number"]: entry for entry in read_mails(folder)}
        # A kill between the file and its line leaves a file without one: it was acknowledged, perhaps.
        for path in sorted(folder.glob("*.eml")):
            number = int(path.stem)
            if number not in kept:
                kept[number] = self._entry(number, "", [], path.read_bytes())
        self._entries = deque(kept[number] for number in sorted(kept))
        self._number: int = self._entries[-1]["number"] if self._entries else 0
        self._lines = 0
        self._drop_old()
        self._index = self._rewrite()

    def put(self, sender: str, recipients: list[str], body: bytes) -> int:
        self._number += 1
        number = self._number
        path = self._folder / _name(number)
        unfinished = path.with_suffix(".new")
        try:
            unfinished.write_bytes(body)
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        entry = self._entry(number, sender, recipients, body)
        self._entries.append(entry)
        self._index.write(json.dumps(entry) + "\n")
        self._index.flush()
        self._lines += 1
        self._drop_old()
        if self._lines > 2 * self._keep:
            self._index.close()
            self._index = self._rewrite()
        return number

    def close(self) -> None:
        self._index.close()

    def _entry(
        self, number: int, sender: str, recipients: list[str], body: bytes
    ) -> dict[str, Any]:
        head = body.partition(b"\r\n\r\n")[0]
        fields = self._parser.parsebytes(head + b"\r\n\r\n")
        return {
            "number": number,
            "to": recipients or [str(fields.get("To", ""))],
            "sender": sender,
            "subject": _plain(str(fields.get("Subject", ""))),
            "message_id": str(fields.get("Message-ID", "")),
            "send_id": str(fields.get("X-MDMA-Send", "")),
            "date": str(fields.get("Date", "")),
            "received_at": datetime.now(UTC).isoformat(),
            "bytes": len(body),
        }

    def _drop_old(self) -> None:
        while len(self._entries) > self._keep:
            oldest = self._entries.popleft()
            (self._folder / _name(oldest["number"])).unlink(missing_ok=True)

    def _rewrite(self) -> Any:
        """Write the index anew, without what was removed meanwhile; return it open for appending."""
        path = self._folder / INDEX
        self._entries = deque(
            entry for entry in self._entries if (self._folder / _name(entry["number"])).exists()
        )
        unfinished = path.with_suffix(".new")
        unfinished.write_text(
            "".join(json.dumps(entry) + "\n" for entry in self._entries), encoding="utf-8"
        )
        unfinished.replace(path)
        self._lines = len(self._entries)
        return open(path, "a", encoding="utf-8")  # noqa: PTH123 - closed by close()


def path_of(folder: Path, number: int) -> Path:
    """Return where a folder keeps the e-mail of a number."""
    return folder / _name(number)


def _name(number: int) -> str:
    return f"{number:010d}.eml"


def _plain(subject: str) -> str:
    if "=?" not in subject:
        return subject
    try:
        return str(make_header(decode_header(subject)))
    except (LookupError, ValueError):
        return subject
