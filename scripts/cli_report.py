"""`mdma report`: hand on what mail servers and mailbox providers report of e-mails after they took them.

Rules
1. A mail server that pipes an e-mail in returns it to its sender for any exit code but 0 and 75. So an e-mail on
   standard input that says nothing is no failure: a lead who replied would be told that the address failed.
2. What cannot be taken now is 75: the server keeps it, and pipes it in again.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import click

from scripts.client import Api, ApiError, data_option, json_option, tell
from scripts.folder import Refused

READ_MAX = 1024 * 1024
"""Bytes of a report that are read; the API takes no longer one."""

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h, as Postfix, sendmail and Exim read it."""

SAYS_NOTHING = 422
"""The API's answer to an e-mail that is no report, or does not say on which e-mail."""


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

    Exit codes on standard input: 0 taken, or an e-mail from which nothing follows (a reply); 75 MDMA is stopped or
    busy, so that the mail server tries again. With FILEs or --send: 0 done, 1 not taken, also where it is no report.
    """
    if (send is None) != (kind is None) or (send is not None and files):
        raise click.UsageError("name FILEs (or pipe one in), or a --send with its --kind")
    if send is not None:
        body = json.dumps({"reports": [{"send": send, "kind": kind}]}).encode()
        found = Api(data).post("/api/v1/reports", body)
        return tell(found, _said(found, kind or ""), as_json=as_json)
    piped: BinaryIO = BytesIO() if sys.stdin is None else sys.stdin.buffer  # closed: nothing came
    for file in files or (piped,):
        found, said = _take_piped(data, piped) if file is piped else _take(data, _read(file))
        tell(found, said, as_json=as_json)
    return None


def _read(file: BinaryIO) -> bytes:
    """Return the e-mail of a file. Raise Refused for what is longer than any report."""
    raw = file.read(READ_MAX + 1)
    if len(raw) > READ_MAX:
        raise Refused(f"{file.name} is longer than {READ_MAX // 1024} kB: no report is")
    return raw


def _take(data: Path, raw: bytes) -> tuple[dict[str, Any], str]:
    """Hand an e-mail on; return what it came to, as facts and in words."""
    found = Api(data).post("/api/v1/reports/mail", raw, kind="message/rfc822")
    return found, _said(found, found["said"])


def _take_piped(data: Path, piped: BinaryIO) -> tuple[dict[str, Any], str]:
    """Hand on what a mail server pipes in. Raise Refused with 75 where it is to try again."""
    raw = piped.read(READ_MAX + 1)
    if len(raw) > READ_MAX:
        while piped.read(READ_MAX):
            pass  # a server that cannot write all of it takes that for a failure
        return _nothing(f"longer than {READ_MAX // 1024} kB")
    try:
        return _take(data, raw)
    except ApiError as error:
        if error.status == SAYS_NOTHING:
            return _nothing(error.detail)
        raise Refused(str(error), TRY_AGAIN) from None
    except (Refused, OSError) as error:
        raise Refused(str(error), TRY_AGAIN) from None


def _nothing(why: str) -> tuple[dict[str, Any], str]:
    found = {"taken": 0, "before": 0, "unknown": [], "said": why}
    return found, f"no report: nothing follows from it ({why})"


def _said(found: dict[str, Any], said: str) -> str:
    """Return in words what a report came to."""
    if found["unknown"]:
        return f"no e-mail of this id is known (any more): {', '.join(found['unknown'])}"
    if found["taken"]:
        return f"taken: {said}; nobody is written to at that mailbox any more"
    if found["before"]:
        return f"known already: {said}"
    return f"nothing follows from it: {said}"
