"""`mdma experiments`: how each split test stands."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.client import Api, data_option, json_option
from scripts.experiments import lines
from scripts.visible import say

AT_ONCE = 1_000
"""Split tests asked for at a time."""


@click.command(epilog="Example: mdma experiments")
@json_option
@data_option
def experiments(data: Path, as_json: bool) -> None:
    """Show every split test: who was counted for each variant, and the verdict.

    An interval holds the true rate whenever you look, in 95 % of tests; of tests without a better variant at most 5 %
    ever name a winner.
    """
    api = Api(data)
    found = api.get("/api/v1/experiments", limit=AT_ONCE)
    after = found.pop("after")
    while after is not None:
        page = api.get("/api/v1/experiments", limit=AT_ONCE, after=after)
        found["experiments"] += page["experiments"]
        after = page["after"]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found["experiments"]:
        say(
            "no split test: write `split_test:` at an e-mail step of a path (config/README.md says how)"
        )
    for place, test in enumerate(found["experiments"]):
        if place:
            say("")
        for line in lines(test):
            say(line)
