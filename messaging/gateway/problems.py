"""Answer errors as RFC 9457 problem documents.

Rules
1. A detail names the rule and the field, never a value: a value may be somebody's address.
2. 429 and 503 always say when to try again (RFC 9110 section 10.2.3): the SDKs wait that long.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

RETRY_AFTER_SECONDS = 1

LISTED_MAX = 12

_encoder = msgspec.json.Encoder()


def listed(names: Sequence[str]) -> str:
    """Return names that there are, for an answer that says what could have been meant.

    >>> listed([]), listed(["a", "b"]), listed([str(each) for each in range(14)])[-14:]
    ('none', 'a, b', ' 11 and 2 more')
    """
    more = len(names) - LISTED_MAX
    shown = ", ".join(names[:LISTED_MAX]) or "none"
    return f"{shown} and {more} more" if more > 0 else shown


class ProblemError(Exception):
    """Stop a request with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str = "",
        headers: dict[str, str] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.headers = headers or {}
        if status in {429, 503} and retry_after_seconds is None:
            retry_after_seconds = RETRY_AFTER_SECONDS
        self.retry_after_seconds = retry_after_seconds

    def document(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            document["field"] = self.field
        return document

    def response(self) -> web.Response:
        """Return the response that carries the document."""
        headers = {"Cache-Control": "no-store", **self.headers}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        return web.Response(
            status=self.status,
            body=_encoder.encode(self.document()),
            content_type="application/problem+json",
            headers=headers,
        )


def unreadable(detail: str, field: str = "") -> ProblemError:
    """Return the 400 for something that cannot be read."""
    return ProblemError(400, detail, field=field)


def overloaded(detail: str) -> ProblemError:
    """Return the 503 for a queue that is full or a part that does not answer."""
    return ProblemError(503, detail)
