"""Read what a browser says of an engagement, and the answers of a form.

Rules
1. What is no JSON is a 400; what is JSON and says something else than was asked for is a 422 with its field.
2. An answer is what its question allows: one of the options, a number of the scale, or a text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.gateway.hygiene import check_event, is_suspicious
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.problems import ProblemError, unreadable
from messaging.gateway.validate import rejection
from messaging.vocabulary.errors import RejectedEvent

TAB_CHARS_MAX = 64
TEXT_CHARS_MAX = 2_000
RATING_MAX = 10
"""A scale is drawn from 0 or 1 to 5 or 10: both are taken."""


class Response(msgspec.Struct, rename="camel", kw_only=True):
    """Hold the body of `POST /v1/engagements/{id}/{response}`.

    `messageId` is not looked at: what is answered is told apart by the engagement itself.
    """

    visitor: str
    write_key: str | None = None
    message_id: str | None = None
    tab: str = ""
    answers: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(Response)


def read_response(body: bytes) -> Response:
    """Return what the body says, or raise the problem that it is."""
    try:
        told = _decoder.decode(body)
        check_event(body, suspicious=is_suspicious(body))
    except msgspec.ValidationError as error:
        rejected = rejection(error)
        raise ProblemError(422, rejected.reason, field=rejected.field) from None
    except RejectedEvent as error:
        raise ProblemError(422, error.reason, field=error.field) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(rejection(error).reason) from None
    for value, field, most in (
        (told.tab, "tab", TAB_CHARS_MAX),
        (told.message_id or "", "messageId", ID_CHARS_MAX),
    ):
        if len(value) > most:
            raise ProblemError(422, f"is longer than {most} characters", field=field)
    return told


def checked_answers(answers: dict[str, Any], fields: list[dict[str, Any]]) -> dict[str, str | int]:
    """Return the answers to the questions that were asked; raise the 422 for any other.

    >>> checked_answers(
    ...     {"how": 4, "why": " "},
    ...     [{"name": "how", "kind": "rating"}, {"name": "why", "kind": "text"}],
    ... )
    {'how': 4}
    """
    asked = {field["name"]: field for field in fields}
    found: dict[str, str | int] = {}
    for name, value in answers.items():
        if name not in asked:
            raise ProblemError(422, "was not asked for", field=f"answers.{name[:TAB_CHARS_MAX]}")
        if value is None or (isinstance(value, str) and not value.strip()):
            continue  # left empty
        found[name] = _answer(value, asked[name])
    return found


def _answer(value: Any, field: dict[str, Any]) -> str | int:
    at = f"answers.{field['name']}"
    match field["kind"]:
        case "choice":
            if value in field["options"]:
                return str(value)
            raise ProblemError(422, "is none of the options", field=at)
        case "rating":
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= RATING_MAX:
                return value
            raise ProblemError(422, f"is no whole number from 0 to {RATING_MAX}", field=at)
        case _:
            if isinstance(value, str) and len(value) <= TEXT_CHARS_MAX:
                return value.strip()
            raise ProblemError(422, f"is no text of up to {TEXT_CHARS_MAX} characters", field=at)
