"""`mdma erase`: remove all of one person's data while the system runs, and say so in a receipt."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scripts.client import data_option, json_option, named, wiring_in_use
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say

LOOK_SECONDS = 0.5
WAIT_SECONDS_MAX = 900.0
"""How long the command waits; the erasure itself goes on until it is done."""

RECEIPT_BYTES = 8
"""A receipt's id is drawn, not derived: nothing may lead from it to the person."""

COUNTED = {
    "events": "events",
    "letters": "messages between bots",
    "batches": "batches",
    "states": "states of bots",
    "keys": "ids that led to them",
    "sends": "sends",
    "orders": "orders",
    "decisions": "decisions",
    "e-mails kept": "e-mails kept",
    "log lines": "log lines",
    "waiting calls": "calls that waited",
    "refunds_waiting": "refunds that waited for their order",
}
"""Place -> what is counted there, where that is not a row of the place's name."""


@click.command(
    short_help="Remove all of one person's data, with a receipt.",
    epilog="Example: mdma erase --visitor ann@example.com --dry-run",
)
@click.option(
    "--visitor", "id_", metavar="ID", required=True, callback=named, help="Whose data to remove."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_option
def erase(id_: str, dry_run: bool, yes: bool, data: Path, as_json: bool) -> None:
    """Remove all of one person's data while the system runs, and print a receipt.

    ID is a visitor id, user id, anonymous id or e-mail address. Nothing that comes late brings them back: what is
    older than the erasure is dropped, what is newer begins a new visitor. A suppressed address stays suppressed, by a
    keyed hash. If the command or the system ends meanwhile, the erasure goes on at the next start.
    """
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError("say --yes: there is nobody to ask")
    found = asyncio.run(_erased(id_, data.resolve(), dry_run=dry_run, yes=yes))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        for line in said(found):
            say(line)


def said(found: dict[str, Any]) -> list[str]:
    """Return in words what goes or went, and what stays."""
    removed = found.get("removed", {})
    what = [counted(count, COUNTED.get(place, place)) for place, count in removed.items()]
    lines = [f"  {each}" for each in what]
    if "completed_at" not in found:
        return ["would remove:", *lines]
    at = _moment(found["completed_at"])
    lines = [f"erased at {at} UTC, receipt {found['id']}; removed:", *lines, "what stays:"]
    return lines + [f"  {name}: {why}" for name, why in found["kept"].items()]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


async def _erased(id_: str, data: Path, *, dry_run: bool, yes: bool) -> dict[str, Any]:
    from agents.runtime.eraser import ERASURES, asked
    from agents.runtime.readers import StoreReader
    from agents.runtime.sweeper import person_of
    from messaging.store.audit_log import CLI, Change, note
    from messaging.store.mongo import MongoStore
    from messaging.store.mongo_sweep import MongoSweep
    from scripts.compose import connected
    from scripts.erasing import open_erasure, receipt_of, sweeper_of, veil_of

    wiring = wiring_in_use(data)
    connection = connected(wiring)
    store = MongoStore(connection)
    try:
        visitor = await StoreReader(store).find(id_)
        if visitor is None:
            receipt = await receipt_of(store, id_, veil_of(wiring))
            if receipt is None:
                raise Refused(f"nobody is known as {id_}")
            return await _done(store, receipt["id"])
        if dry_run:
            person = await person_of(MongoSweep(connection), [visitor])
            sweeper = sweeper_of(wiring, connection, store)
            suppressed = await sweeper.kept(person, remove=False)
            return {"removed": await sweeper.walk(person, remove=False), "suppressed": suppressed}
        if not yes:
            click.confirm(f"remove all data of {id_} for good?", abort=True, err=True)
        if (open_ := await open_erasure(store, visitor)) is not None:
            return await _done(store, open_)
        id_of_receipt = secrets.token_hex(RECEIPT_BYTES)
        now = datetime.now(UTC)
        await store.put_document(ERASURES, id_of_receipt, asked([visitor], now))
        # Not of whom: the row outlives them.
        change = Change(by=CLI, act="visitor.erased", of=f"receipt {id_of_receipt}")
        await note(store, change, now)
        return await _done(store, id_of_receipt)
    finally:
        await store.close()
        await connection.close()


async def _done(store: Any, receipt: str) -> dict[str, Any]:
    """Wait for an erasure and return its receipt."""
    from agents.runtime.eraser import DONE, ERASURES

    until = time.monotonic() + WAIT_SECONDS_MAX
    _progress("erasing; it goes on by itself if you leave")
    while True:
        found: dict[str, Any] | None = await store.get_document(ERASURES, receipt)
        if found is not None and found["status"] == DONE:
            return found
        if time.monotonic() > until:
            raise Refused("the erasure is still under way: repeat the command to see its receipt")
        await asyncio.sleep(LOOK_SECONDS)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        say(text, err=True)
