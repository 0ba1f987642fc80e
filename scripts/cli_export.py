"""`mdma export`: all of one person's data as one JSON document."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scripts.client import data_option, json_option, named, opened_store, tell, wiring_in_use
from scripts.counting import counted
from scripts.folder import write_private
from scripts.visible import say

if TYPE_CHECKING:
    from scripts.compose import Wiring

COUNTED = {
    "visitors": "visitor ids",
    "events": "events",
    "sends": "sends",
    "decisions": "decisions",
    "letters": "documents of letters",
    "batches": "batches",
    "mails": "e-mails kept",
}
"""Section -> what its entries are called in the line that says what was written."""


@click.command(
    short_help="Write out all of one person's data.",
    epilog="Example: mdma export --visitor ann@example.com --out ann.json",
)
@click.option(
    "--visitor", "id_", metavar="ID", required=True, callback=named, help="Whose data to write out."
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the document into a new file that only you can read, and print what is in it.",
)
@json_option
@data_option
def export(id_: str, out: Path | None, data: Path, as_json: bool) -> None:
    """Write all that is stored of one person as one JSON document.

    ID is a visitor id, user id, anonymous id or e-mail address. Without --out the document is printed. Events that
    the bots have not taken yet are not in it: repeat it when `mdma status` shows no lag.
    """
    if out is not None and out.exists():
        raise click.UsageError(f"{out} is there already: name a new file")
    if out is not None and not out.parent.is_dir():
        raise click.UsageError(f"there is no folder {out.parent}")
    document = asyncio.run(_exported(data.resolve(), id_))
    text = written(document)
    if out is None:
        click.echo(text)
        return
    write_private(out, text + "\n")
    counts = {name: len(document[name]) for name in COUNTED}
    said = ", ".join(counted(count, COUNTED[name]) for name, count in counts.items())
    tell({"file": str(out), "counts": counts}, f"{out}: {said}", as_json=as_json)


async def _exported(data: Path, id_: str) -> dict[str, Any]:
    from messaging.store.audit_log import CLI, Change, note

    document = await exported_from(wiring_in_use(data), id_, _progress)
    change = Change(by=CLI, act="visitor.exported", visitor=document["visitors"][0])
    async with opened_store(data) as store:
        await note(store, change, datetime.now(UTC))
    return document


def written(document: dict[str, Any]) -> str:
    r"""Return a document as JSON: times as RFC 3339, bytes in base64.

    >>> print(written({"body": b"\x00"}))
    {
      "body": "AA=="
    }
    """
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2).decode()


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


async def exported_from(wiring: Wiring, id_: str, said: Callable[[str], None]) -> dict[str, Any]:
    """Return all of one person's data in a system. Raise Refused where nobody is known by the id."""
    from messaging.gateway.replay_mongo import MongoReplayQueue
    from messaging.journal.mongo import MongoJournal
    from messaging.mail.tokens import mailbox_hash
    from messaging.store.mongo import MongoStore
    from scripts.compose import connected
    from scripts.erasing import veil_of
    from scripts.personal import Sources, exported
    from scripts.shards import all_shards

    connection = connected(wiring)
    store, logs = MongoStore(connection), Path(wiring.log_folder)
    try:
        queue = MongoReplayQueue(connection)
        sources = Sources(
            store,
            MongoJournal(connection),
            await all_shards(store, wiring.shards),
            lambda address: mailbox_hash(wiring.key, address),
            veil_of(wiring),
            await queue.first(max(1, await queue.count())),
            logs.parent / "mail",
            logs,
        )
        return await exported(sources, id_, at=datetime.now(UTC), say=said)
    finally:
        await store.close()
        await connection.close()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        say(text, err=True)
