"""Read what a request of the admin API asks: who may ask, its query, and the JSON of its body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.limits import ID_CHARS_MAX, PAGE_ROWS, PAGE_ROWS_MAX
from messaging.gateway.misread import misread
from messaging.gateway.paging import After, cut_behind, read_place
from messaging.gateway.problems import ProblemError, unreadable

BODY_BYTES_MAX = 16 * 1024
VERSION_DIGITS_MAX = 9

Order = TypeVar("Order")
Row = TypeVar("Row")


def gateway_of(request: web.Request) -> Gateway:
    """Return the gateway, once the admin token was shown. Raise 401."""
    gateway = request.app[GATEWAY]
    gateway.keys.check_admin(request)
    return gateway


async def json_object(request: web.Request, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """Return the JSON object of a body, an empty one where there is no body. Raise 400, 408, 413 or 415."""
    raw = b""
    if request.can_read_body:  # a POST without a body has no type either
        seconds_max = gateway_of(request).deps.limits.body_seconds_max
        raw = await read_body(request, bytes_max=bytes_max, seconds_max=seconds_max)
    try:
        given = msgspec.json.decode(raw or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise unreadable("the body is no JSON") from None
    if not isinstance(given, dict):
        raise unreadable("the body is no JSON object")
    return given


async def ordered(
    request: web.Request, kind: type[Order], bytes_max: int = BODY_BYTES_MAX
) -> Order:
    """Return the order of a body. Raise 422 with the field's name for what cannot be ordered."""
    return understood(await json_object(request, bytes_max), kind)


def understood(given: dict[str, Any], kind: type[Order], *, strict: bool = True) -> Order:
    """Return an order; without `strict` numbers may come as text, from a form. Raise 422."""
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        field, said = misread(str(error))
        raise ProblemError(422, f"{field or 'what is asked'} {said}", field=field) from None


def id_of(request: web.Request) -> str:
    """Return the id that the address names. Raise 400 for what can be none."""
    given = request.match_info["id"]
    if not _is_text(given):
        raise unreadable("is no id", "id")
    return given


def _is_text(given: str) -> bool:
    is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in given)
    return is_plain and len(given) <= ID_CHARS_MAX


def asked(request: web.Request, name: str) -> str:
    """Return a text of the query, empty if it is not given; what no row can hold is a 422."""
    given = request.query.get(name, "")
    if not _is_text(given):
        allowed = f"must be a text of at most {ID_CHARS_MAX} characters, without NUL"
        raise ProblemError(422, f"{name} {allowed}", field=name)
    return given


def version_of(request: web.Request) -> int:
    """Return the version of the rules that is asked for, 0 if none is; what is no number of one is a 422."""
    given = asked(request, "version") or "0"
    if not (given.isascii() and given.isdigit() and len(given) <= VERSION_DIGITS_MAX):
        raise ProblemError(422, "version must be the number of a version", field="version")
    return int(given)


def after_of(request: web.Request) -> After | None:
    """Return where the page of a list by time begins, None for the first; what no page gave is a 422."""
    given = asked(request, "after")
    after = read_place(given)
    if given and after is None:
        raise ProblemError(422, "after must be what a page before gave as `after`", field="after")
    return after


def listed(
    rows: Sequence[Row], key: Callable[[Row], str], after: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return a page of a list that is at hand, and where the next one begins; 422 for what no page gave."""
    found = cut_behind(rows, key, after, limit)
    if found is None:
        raise ProblemError(422, "after must be what a page before gave as `after`", field="after")
    return found


def limit_of(request: web.Request) -> int:
    """Return how many rows are asked for; what is no such number is a 422."""
    given = request.query.get("limit", str(PAGE_ROWS))
    is_number = given.isascii() and given.isdigit() and len(given) <= len(str(PAGE_ROWS_MAX))
    if not is_number or not 1 <= int(given) <= PAGE_ROWS_MAX:
        raise ProblemError(
            422, f"limit must be a whole number from 1 to {PAGE_ROWS_MAX}", field="limit"
        )
    return int(given)
