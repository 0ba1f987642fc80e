"""`mdma visitor`: everything known and decided about one person, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from scripts.client import Api, data_option


@click.command(epilog="Example: mdma visitor ann@example.com --json")
@click.argument("id_", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
@data_option
def visitor(id_: str, data: Path, as_json: bool) -> None:
    """Show a visitor: ID is a visitor id, user id, anonymous id or e-mail address."""
    api = Api(data)
    found = api.get(f"/api/v1/visitors/{quote(id_, safe='')}")
    timeline = api.get(f"/api/v1/visitors/{quote(id_, safe='')}/timeline")["timeline"]
    if as_json:
        click.echo(json.dumps({**found, "timeline": timeline}, indent=1))
        return
    for name, value in found.items():
        click.echo(f"{name:14} {_words(value)}")
    click.echo("")
    for line in timeline:
        rest = {k: v for k, v in line.items() if k not in {"at", "kind", "id", "visitor", "_id"}}
        click.echo(f"{str(line.get('at', ''))[:19]:20} {line.get('kind', ''):24} {_words(rest)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name}={_words(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return "; ".join(_words(each) for each in value) or "-"
    return "-" if value in ("", None) else str(value)
