"""`mdma import`: calls of the past from files, kept with their times, or fed as if live.

Rules
1. Files are read through before anything is sent: a bad row costs nothing but a line.
2. Repeats are ignored by their message ids, so that an import that was cut off is simply run again.
3. For a replay all calls of all files are sent in the order of their times: the world clock may start
   to run with the first of them.
4. Each import is a row of the audit log: how many calls, of which files, on what basis of consent; also one that was
   cut off, for a part of it may have been taken.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from messaging.vocabulary.events import PEOPLE_IMPORTED
from scripts.client import Api, ApiError, data_option, json_option, tell
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say, shown

BATCH_EVENTS = 1_000
BATCH_BYTES = 450_000
"""Below the gateway's 500 KB with the envelope around it."""
REPLAY_BYTES = 4_000_000
REPLAY_LINES = 10_000
NOTES = "/api/v1/imports"
FILES_MAX, FILE_CHARACTERS_MAX = 20, 200
"""Of what is noted of an import."""
TRIES = 8
"""With a pause that doubles up to 8 s, a gateway that starts again is waited for."""

file_type = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    "import",
    short_help="Bring past calls in from JSON lines, or from CSV with a mapping.",
    epilog="Example: mdma import leads.csv --map leads.yaml --replay"
    " (several files: one --map for each, in their order)",
)
@click.argument("files", metavar="FILE...", type=file_type, nargs=-1, required=True)
@click.option(
    "--map",
    "maps",
    metavar="MAPPING.yaml",
    type=file_type,
    multiple=True,
    help="How CSV becomes calls.",
)
@click.option(
    "--replay", is_flag=True, help="Feed each call when the world clock reaches its time."
)
@json_option
@data_option
def import_(
    files: tuple[Path, ...], maps: tuple[Path, ...], replay: bool, data: Path, as_json: bool
) -> None:
    """Take JSON lines of Segment calls, or CSV with a mapping; keeps the given times.

    Who bought more than a week ago is a customer, and gets no e-mail that thanks for the order.

    Exit code 1 if the files hold no call at all, or none that was taken.
    """
    if maps and len(maps) != len(files):
        raise click.UsageError("name one --map for each FILE")
    for file in files:
        if not file.is_file():  # it is read twice, and a pipe gives what it holds once
            raise click.UsageError(f"{file} is no regular file: write what it gives into one first")
    sources = [(file, _mapping(maps[at] if maps else None, file)) for at, file in enumerate(files)]
    counts = {file: _count(file, mapping) for file, mapping in sources}
    _say_empty([file for file, count in counts.items() if not count], len(counts))
    total = sum(counts.values())
    api = Api(data)
    calls = _calls(sources)
    try:
        facts = _replay(api, calls, total) if replay else _import(api, calls, total)
    except Refused:
        with contextlib.suppress(Refused):  # what cut it off may stand against this, too
            api.post(NOTES, _note(sources, None))
        raise
    sent_again(api, NOTES, _note(sources, facts), "application/json")
    tell(facts, _said(facts), as_json=as_json)
    if facts["refused"] and facts["refused"] == sum(facts.values()):
        raise SystemExit(1)


def _note(sources: list[tuple[Path, Any]], facts: dict[str, int] | None) -> bytes:
    """Return what the audit log is to say of an import; `facts`: what came of it, None where it was cut off."""
    bases = [basis for _, mapping in sources for basis in bases_of(mapping)]
    noted: dict[str, Any] = {
        "files": [file.name[-FILE_CHARACTERS_MAX:] for file, _ in sources][:FILES_MAX],
        "bases": list(dict.fromkeys(bases))[:FILES_MAX],
    }
    if facts is not None:
        noted |= {"calls": sum(facts.values()) - facts["refused"], "refused": facts["refused"]}
    return orjson.dumps(noted)


def bases_of(mapping: Any) -> list[str]:
    """Return on what bases the calls of a file say that people agreed; without a mapping each call says so itself."""
    if mapping is None:
        return ["as each call says"]
    return [call.consent.basis for call in mapping.calls if call.consent is not None]


def _mapping(path: Path | None, file: Path) -> Any:
    from config.load import RulesInvalid
    from config.mapping import load_mapping

    if path is None:
        if file.name.removesuffix(".gz").endswith(".csv"):
            raise click.UsageError(f"{file} is CSV: say how it becomes calls with --map")
        return None
    try:
        return load_mapping(path)
    except RulesInvalid as error:
        raise Refused("; ".join(str(each) for each in error.errors)) from None


def _count(file: Path, mapping: Any) -> int:
    from config.mapping import check_calls

    found = check_calls(file, mapping)
    if found.error is not None:
        raise Refused(f"{file}: {found.error}; nothing was sent")
    if found.repeats:
        say(
            f"{file}: {counted(found.repeats, 'calls')} with the message id of an earlier one (first: "
            f"{shown(found.repeated)}) will be ignored as repeats; if they are none, give each an id of its own",
            err=True,
        )
    return found.calls


def _say_empty(empty: list[Path], files: int) -> None:
    """Name the files without a call; raise Refused if there is no other."""
    names = ", ".join(str(file) for file in empty)
    if empty and len(empty) == files:
        raise Refused(f"no call is in {names} (a header alone makes none): nothing was sent")
    if empty:
        say(f"no call is in {names}", err=True)


def _calls(sources: list[tuple[Path, Any]]) -> Iterator[dict[str, Any]]:
    from config.mapping import read_calls

    for file, mapping in sources:
        for call in read_calls(file, mapping):
            yield call if mapping is None else by_a_person(call)


def by_a_person(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call of a table's row as one that says so: whom to have is a person's choice (`scripts.working`)."""
    return call | {"context": {**call.get("context", {}), "library": PEOPLE_IMPORTED}}


def _import(api: Api, calls: Iterable[dict[str, Any]], total: int) -> dict[str, int]:
    head = b'{"writeKey":' + orjson.dumps(api.write_key) + b',"batch":['
    rejected = 0
    with progress(total) as bar:
        for lines in _packed((orjson.dumps(call) for call in calls), BATCH_EVENTS, BATCH_BYTES):
            answer = sent_again(
                api, "/v1/import", head + b",".join(lines) + b"]}", "application/json"
            )
            rejected += _tell_rejected(answer, bar.pos)
            bar.update(len(lines))
    return {"sent": total - rejected, "refused": rejected}


def _replay(api: Api, calls: Iterable[dict[str, Any]], total: int) -> dict[str, int]:
    timed = sorted(
        ((_time_of(call), orjson.dumps(call)) for call in calls), key=lambda each: each[0]
    )
    lines = (b'{"at":' + orjson.dumps(at) + b',"call":' + call + b"}" for at, call in timed)
    added = known = rejected = 0
    with progress(total) as bar:
        for some in _packed(lines, REPLAY_LINES, REPLAY_BYTES):
            answer = sent_again(api, "/api/v1/replay", b"\n".join(some), "application/x-ndjson")
            added += answer["added"]
            known += answer["known"]
            rejected += _tell_rejected(answer, bar.pos)
            bar.update(len(some))
    return {"waiting": added, "known": known, "refused": rejected}


def _said(facts: dict[str, int]) -> str:
    if "sent" in facts:
        return f"{counted(facts['sent'], 'calls')} sent, {facts['refused']:,} refused"
    wait = "waits for its time" if facts["waiting"] == 1 else "wait for their time"
    known = f"{facts['known']:,} waited before"
    refused = f"{facts['refused']:,} refused; what was fed in the past already is a repeat"
    return f"{counted(facts['waiting'], 'calls')} {wait}, {known}, {refused}"


def _time_of(call: dict[str, Any]) -> str:
    at = call.get("timestamp")
    if not at:
        raise Refused(f"call {call.get('messageId', '')} has no timestamp: a replay needs one")
    return str(at)


def _tell_rejected(answer: Any, before: int) -> int:
    rejected = answer.get("rejected") or []
    for each in rejected[:5]:
        say(f"call {before + each['index'] + 1} refused: {shown(each['reason'])}", err=True)
    return len(rejected)


def _packed(lines: Iterable[bytes], count_max: int, bytes_max: int) -> Iterator[list[bytes]]:
    """Give lines in lists that are neither too many nor too large."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and (len(held) >= count_max or size + len(line) > bytes_max):
            yield held
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
    if held:
        yield held


def sent_again(api: Api, path: str, body: bytes, kind: str) -> Any:
    """Post, and again while the gateway is overloaded or starts anew."""
    pause = 0.1
    for _ in range(TRIES - 1):
        try:
            return api.post(path, body, kind)
        except ApiError as error:
            if error.status not in (429, 503):
                raise
            pause = max(pause, error.retry_after)
        except Refused:
            pass
        time.sleep(pause)
        pause = min(2 * pause, 8.0)
    return api.post(path, body, kind)


def progress(total: int) -> Any:
    """Return a bar that shows how much is sent, at a terminal."""
    return click.progressbar(
        length=total, file=sys.stderr, label="sending", hidden=not sys.stderr.isatty()
    )
