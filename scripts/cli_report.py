"""`mdma report`: hand on what mail servers and mailbox providers report of e-mails after they took them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from scripts.client import Api, data_option, json_option, tell
from scripts.folder import Refused

READ_MAX = 1024 * 1024
"""Bytes of a report that are read; the API takes no longer one."""


@click.command(
    short_help="Hand on a bounce or a complaint that came by e-mail.",
    epilog="Example: mdma report < bounce.eml (as a mail server pipes it),"
    " mdma report --send ID --kind complained",
)
@click.argument("files", metavar="[FILE.eml]...", nargs=-1, type=click.File("rb"))
@click.option("--send", metavar="ID", help="Instead: the send's id, or the e-mail's Message-ID.")
@click.option(
    "--kind", type=click.Choice(["bounced", "complained"]), help="With --send: what became of it."
)
@json_option
@data_option
def report(
    files: tuple[BinaryIO, ...], send: str | None, kind: str | None, data: Path, as_json: bool
) -> None:
    """Take delivery reports (DSN) and feedback reports (ARF) from FILEs, else from standard input.

    Who bounced for good, or complained, is written to no more: their mailbox is suppressed for everybody.
    """
    if (send is None) != (kind is None) or (send is not None and files):
        raise click.UsageError("name FILEs (or pipe one in), or a --send with its --kind")
    api = Api(data)
    if send is not None:
        body = json.dumps({"reports": [{"send": send, "kind": kind}]}).encode()
        found = api.post("/api/v1/reports", body)
        return tell(found, _said(found, kind or ""), as_json=as_json)
    piped: tuple[BinaryIO, ...] = (sys.stdin.buffer,)
    for file in files or piped:
        raw, name = file.read(READ_MAX + 1), file.name
        if len(raw) > READ_MAX:
            raise Refused(f"{name} is longer than {READ_MAX // 1024} kB: no report is")
        found = api.post("/api/v1/reports/mail", raw, kind="message/rfc822")
        tell(found, _said(found, found["said"]), as_json=as_json)
    return None


def _said(found: dict[str, Any], said: str) -> str:
    """Return in words what a report came to."""
    if found["unknown"]:
        return f"no e-mail of this id is known (any more): {', '.join(found['unknown'])}"
    if found["taken"]:
        return f"taken: {said}; nobody is written to at that mailbox any more"
    if found["before"]:
        return f"known already: {said}"
    return f"nothing follows from it: {said}"
