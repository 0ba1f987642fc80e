"""`mdma visitor`: everything known and decided about one person, and why."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import click

from scripts.cli_record import opened
from scripts.client import Api, ApiError, data_option, named
from scripts.folder import Refused
from scripts.known import facts
from scripts.story import sentence
from scripts.visible import say, shown

NOT_FOUND = 404


@click.command(epilog="Example: mdma visitor ann@example.com")
@click.argument("id_", metavar="ID", callback=named)
@click.option("--json", "as_json", is_flag=True, help="Print all facts, each decision in full.")
@data_option
def visitor(id_: str, data: Path, as_json: bool) -> None:
    """Show a visitor: who they are, where they stand, and their story.

    ID is a visitor id, user id, anonymous id or e-mail address. Times are UTC.
    """
    api = Api(data)
    try:
        found = api.get(f"/api/v1/visitors/{quote(id_, safe='')}")
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        raise asyncio.run(_nobody(id_, data)) from None
    timeline = api.get(f"/api/v1/visitors/{quote(id_, safe='')}/timeline")["timeline"]
    if as_json:
        click.echo(json.dumps({**found, "timeline": timeline}, indent=1))
        return
    say(shown(found["email"] or next(iter(found["user_ids"]), "not known by name")))
    for name, value in facts(found):
        say(f"  {name:13} {value}")
    say("")
    for row in timeline:
        say(f"{str(row.get('at', ''))[:19].replace('T', ' '):20} {sentence(row)}")


async def _nobody(id_: str, data: Path) -> Refused:
    """Return the error for an id that leads to nobody, with the receipt where somebody was erased under it."""
    from scripts.erasing import nobody

    async with opened(data) as record:
        return await nobody(record.store, id_, record.veil)
