"""Mend a call that the strict reader refused for what no bot needs, so that the rest of it is not lost.

Rules
1. Only a refused call comes here: a sound one is never written anew, and costs nothing more.
2. `[]` where an object is expected is an empty object: PHP writes one like the other.
3. Within `context` a field of the wrong type is left out, alone. What says who did what and when stays refused,
   and so does `consent`: a withdrawal that cannot be read must not be lost without a word.
4. What `check_tree` refuses is not mended, whatever else is wrong: everything behind can read the new text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.gateway.hygiene import check_tree, read_tree
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.events import Context, Page

_OBJECTS = ("context", "properties", "traits")
_CONSENT, _PREFERENCES = "consent", "categoryPreferences"
_FIELDS: dict[type[msgspec.Struct], frozenset[str]] = {
    kind: frozenset(field.encode_name for field in msgspec.structs.fields(kind)) - {_CONSENT}
    for kind in (Context, Page)
}


def mended(raw: bytes) -> bytes | None:
    """Return a call's text without what may be left out, None if there is no such thing in it.

    >>> mended(b'{"type":"page","properties":[],"context":{"locale":7,"page":{"url":"x"}}}')
    b'{"type":"page","properties":{},"context":{"page":{"url":"x"}}}'
    """
    try:
        call = read_tree(raw)
        check_tree(call)
    except RejectedEvent:
        return None
    if not isinstance(call, dict):
        return None
    before = msgspec.json.encode(call)
    for name in _OBJECTS:
        _fill(call, name)
    if isinstance(call.get("context"), dict):
        _mend_context(call["context"])
    after = msgspec.json.encode(call)
    return after if after != before else None


def _mend_context(context: dict[str, Any]) -> None:
    for name in ("traits", "campaign", "location", "page", _CONSENT):
        _fill(context, name)
    if isinstance(context.get("page"), dict):
        _leave_out(context["page"], Page)
    if isinstance(context.get(_CONSENT), dict):
        _fill(context[_CONSENT], _PREFERENCES)
    _leave_out(context, Context)


def _fill(owner: dict[str, Any], name: str) -> None:
    if owner.get(name) == []:
        owner[name] = {}


def _leave_out(owner: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Take the fields out whose types are not those of `kind`, but never the consent."""
    for name in _FIELDS[kind] & owner.keys():
        try:
            # As a member of its struct: msgspec knows that type, any other it looks through each time.
            msgspec.convert({name: owner[name]}, kind)
        except msgspec.ValidationError:
            del owner[name]
