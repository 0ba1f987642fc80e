"""`mdma broadcast`: one e-mail of a template to everybody in a cohort; watched until it is planned for all of them."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from scripts.client import Api, data_option, json_option, tell
from scripts.counting import counted
from scripts.folder import Refused
from scripts.reasons import why
from scripts.visible import say

LOOK_SECONDS = 1.0
ENDS = ("done", "cancelled")
WOULD_GET = "would get it"
"""Under this word the API counts those whom nothing stands against."""


@click.command(
    short_help="Send a template once to everybody in a cohort.",
    epilog="Example: mdma broadcast spring-sale --cohort customers --dry-run"
    " (then without; --cancel ID calls it off)",
)
@click.argument("template", required=False)
@click.option("--cohort", metavar="C", help="Who gets it: the people in this cohort.")
@click.option("--path", metavar="P", default="", help="Whose caps, quiet hours and sender hold.")
@click.option("--at", metavar="T", help="World time, with its zone, at which it begins; else now.")
@click.option("--dry-run", is_flag=True, help="Count who would get it, and who not, and why.")
@click.option("--cancel", "cancelled", metavar="ID", help="Call this broadcast off.")
@json_option
@data_option
def broadcast(
    template: str | None,
    cohort: str | None,
    path: str,
    at: str | None,
    dry_run: bool,
    cancelled: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """Send TEMPLATE once to everybody in a cohort; who may not be written to is refused with the reason."""
    api = Api(data)
    if cancelled is not None:
        found = api.post(f"/api/v1/broadcasts/{cancelled}/cancel", b"{}")["broadcast"]
    else:
        if template is None or cohort is None:
            raise click.UsageError("name a TEMPLATE and a --cohort, or a broadcast to --cancel")
        body = {
            "template": template,
            "cohort": cohort,
            "path": path,
            "dry_run": dry_run,
            "request": f"cli {time.time_ns()}",
        }
        if at is not None:
            body["at"] = _time(at)
        found = api.post("/api/v1/broadcasts", json.dumps(body).encode())
    while at is None and found["status"] not in ENDS:
        time.sleep(LOOK_SECONDS)
        found = api.get(f"/api/v1/broadcasts/{found['id']}")["broadcast"]
    if as_json:
        tell(found, "", as_json=True)
        return
    for line in said(found):
        say(line)


def _time(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refused(f"{text} is no time with its zone: write 2026-12-01T09:00:00+01:00")
    return at.isoformat()


def said(found: dict[str, Any]) -> list[str]:
    """Return how a broadcast fares, in lines."""
    what = "dry run" if found["dry_run"] else "broadcast"
    told = found["told"]
    lines = [f"{what} {found['id']}: {found['status']}, {counted(sum(told.values()), 'people')}"]
    reasons: Counter[str] = Counter()
    for reason, count in told.items():
        reasons[reason if reason == WOULD_GET else f"not: {why(reason)}"] += count
    lines += [f"  {count:,} {reason}" for reason, count in sorted(reasons.items())]
    if not found["dry_run"]:
        counts = ", ".join(f"{many:,} {name}" for name, many in found["recipients"].items() if many)
        lines.append(f"  so far: {counts or 'nobody'} (GET /api/v1/recipients)")
    lines += [f"  note: {note}" for note in found.get("notes", [])]
    return lines
