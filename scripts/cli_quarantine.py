"""`mdma quarantine`: what a bot could not take and what was set aside for it; `replay` and `drop`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from messaging.vocabulary.quarantine import DROPPED, OPEN, REPLAYED
from scripts.client import Api, data_option, json_option, tell
from scripts.visible import shown
from scripts.wording import TITLES, moment

AT_ONCE = 500
ALL = "all"


@click.group(
    invoke_without_command=True,
    short_help="Show what a bot could not take; replay it, or drop it.",
    epilog="Example: mdma quarantine, then, once what failed is mended, mdma quarantine replay ID",
)
@click.option(
    "--status",
    type=click.Choice([OPEN, REPLAYED, DROPPED, ALL]),
    default=OPEN,
    show_default=True,
    help="Which of them.",
)
@json_option
@data_option
@click.pass_context
def quarantine(ctx: click.Context, status: str, data: Path, as_json: bool) -> None:
    """Show what is set aside in quarantine, the newest first.

    It is a message that made a bot fail, or an event that nobody could read. All others went on without it; it counts
    nothing until it is replayed.
    """
    if ctx.invoked_subcommand is not None:
        return
    api, match = Api(data), {} if status == ALL else {"status": status}
    found: dict[str, Any] = api.get("/api/v1/quarantine", limit=AT_ONCE, **match)
    after = found.pop("after")
    while after is not None:
        page = api.get("/api/v1/quarantine", limit=AT_ONCE, after=after, **match)
        found["quarantine"] += page["quarantine"]
        after = page["after"]
    lines = [line for row in found["quarantine"] for line in row_said(row)]
    nothing = "nothing is set aside" if status == OPEN else "none"
    tell(found, "\n".join(lines) or nothing, as_json=as_json)


id_argument = click.argument("id_", metavar="ID")


@quarantine.command(
    epilog="Example: mdma quarantine replay 5f0c2a…, with an ID that mdma quarantine shows"
)
@id_argument
@json_option
@data_option
def replay(id_: str, data: Path, as_json: bool) -> None:
    """Give it once more to the bot that could not take it: do so once what made it fail is mended."""
    row = _order(data, id_, "replay")
    tell(row, became(row), as_json=as_json)
    if row["again"]:
        raise SystemExit(1)


@quarantine.command(
    epilog="Example: mdma quarantine drop 5f0c2a…, with an ID that mdma quarantine shows"
)
@id_argument
@json_option
@data_option
def drop(id_: str, data: Path, as_json: bool) -> None:
    """Let it go for good: it never counts. Its row stays, and says who dropped it."""
    row = _order(data, id_, "drop")
    tell(row, became(row), as_json=as_json)


def _order(data: Path, id_: str, action: str) -> dict[str, Any]:
    path = f"/api/v1/quarantine/{quote(id_, safe='')}/{action}"
    row: dict[str, Any] = Api(data).post(path, b"{}")
    return row


def row_said(row: dict[str, Any]) -> list[str]:
    r"""Return the lines that show one row.

    >>> row = {
    ...     "id": "5f",
    ...     "at": "2026-11-26T14:00:00Z",
    ...     "bot": "sales",
    ...     "kind": "Purchased",
    ...     "by": "",
    ...     "again": "",
    ... }
    >>> row |= {
    ...     "visitor": "ab",
    ...     "reason": "Purchased: KeyError: 7",
    ...     "status": "open",
    ...     "settled_at": None,
    ... }
    >>> print("\n".join(row_said(row)))
    5f  open  Thu 26 Nov 2026, 14:00 UTC
        Purchased for Sales, about visitor ab
        Purchased: KeyError: 7
    """
    bot = TITLES.get(row["bot"], row["bot"])
    whose = f", about visitor {row['visitor']}" if row["visitor"] else ""
    decided = f" by {shown(row['by'])}" if row["by"] else ""
    status = "being replayed" if row["status"] == OPEN and row["by"] else row["status"]
    again = f", failed again: see {row['again']}" if row["again"] else ""
    return [
        f"{row['id']}  {status}{decided}{again}  {moment(row['at'])}",
        f"    {row['kind']} for {bot}{whose}",
        f"    {shown(row['reason'])}",
    ]


def became(row: dict[str, Any]) -> str:
    """Return what became of an order.

    >>> became({"status": "replayed", "again": "6a", "bot": "sales"})
    'Sales could not take it once more: it is set aside again as 6a'
    """
    bot = TITLES.get(row["bot"], row["bot"])
    if row["again"]:
        return f"{bot} could not take it once more: it is set aside again as {row['again']}"
    if row["status"] == REPLAYED:
        return f"replayed: {bot} took it"
    return f"ordered: {bot} takes it as soon as it can" if row["status"] == OPEN else "dropped"
