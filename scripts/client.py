"""Find the running system and talk to it: `run.json`, its admin API, its store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import click

from scripts.folder import WIRING, Refused, read_run
from scripts.visible import say

REQUEST_SECONDS = 60.0


def data_folder() -> Path:
    """Return the data folder that `.env` or the settings file name, as `mdma up` would. Raise UsageError."""
    from config.settings import SettingsInvalid, read_settings

    try:
        return read_settings().data
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from None


data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    envvar="MDMA_DATA",
    default=data_folder,
    show_default="as in the settings, else .mdma",
    help="Data folder of the system.",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")


def named(ctx: click.Context, _: click.Parameter, id_: str | None) -> str | None:
    """Return the id that names a visitor on the command line. Raise UsageError for an empty one."""
    if id_ is not None and not id_.strip():
        raise click.UsageError("name a visitor by an id or an e-mail address", ctx)
    return id_


def tell(facts: dict[str, Any], said: str, *, as_json: bool) -> None:
    """Print facts as JSON, or what they say in words: each line of them is one."""
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    for line in said.split("\n"):
        say(line)


def running(data: Path) -> dict[str, Any]:
    """Return what `run.json` says. Raise Refused where nothing runs."""
    run = read_run(data.resolve())
    if run is None:
        raise Refused(
            f"nothing runs on {data}: start it with `mdma up`, or name its folder with --data"
        )
    return run


class Api:
    """Call the admin API of the system that runs on a data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._url = running(data)["local_url"]
        wiring = json.loads((data.resolve() / WIRING).read_text())
        self._token = wiring["admin_token"]
        self.write_key = wiring["write_keys"][0]

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET."""
        asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        return self._ask(Request(self._url + path + (f"?{asked}" if asked else "")))  # noqa: S310 - our own

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """Return the answer to a POST."""
        request = Request(self._url + path, data=body, method="POST")  # noqa: S310 - our own
        request.add_header("Content-Type", kind)
        return self._ask(request)

    def _ask(self, request: Request) -> Any:
        request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - our own
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise ApiError(error.code, _detail(error.read()), error.headers) from None
        except (URLError, TimeoutError, ConnectionError, HTTPException):
            raise Refused(self._silent()) from None

    def _silent(self) -> str:
        """Return why the gateway does not answer: `run.json` is written once all has started."""
        if running(self._data).get("draining"):
            return "the gateway does not answer any more: it drains and stops; `mdma up` starts it"
        return "the gateway does not answer: it is busy or being started again; try again"


class ApiError(Refused):
    """Say what the API refused."""

    def __init__(self, status: int, detail: str, headers: Any) -> None:
        super().__init__(f"{detail} ({status})")
        self.status = status
        self.detail = detail
        self.retry_after = float(headers.get("Retry-After") or 0)


def _detail(body: bytes) -> str:
    try:
        problem = json.loads(body)
        return str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        return "refused"


@asynccontextmanager
async def opened_store(data: Path) -> AsyncIterator[Any]:
    """Open the store of the system that runs on a data folder."""
    from messaging.store.mongo import MongoStore
    from scripts.compose import connected

    connection = connected(wiring_in_use(data))
    store = MongoStore(connection)
    try:
        yield store
    finally:
        await store.close()
        await connection.close()


def wiring_in_use(data: Path) -> Any:
    """Return the wiring of the system that runs on a data folder."""
    from scripts.compose import read_wiring

    running(data)
    return read_wiring((data.resolve() / WIRING).read_text())
