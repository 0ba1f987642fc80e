"""Show a template as somebody is writing it: as a real reader would get it, before anything is saved.

Rules
1. It is composed by the code that composes what goes out; what is written is kept nowhere.
2. Whoever it is shown as is named in the form: an address stands in no log.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from messaging.gateway.console.door import Visit
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.mailings import Draft
from messaging.gateway.limits import ID_CHARS_MAX

_FOLDER, _ENDING = "templates/", ".yaml"


def template_in(file: str) -> str:
    """Return the template that a file holds, empty for a file that holds none.

    >>> template_in("templates/hello.yaml"), template_in("cohorts.yaml")
    ('hello', '')
    """
    if not file.startswith(_FOLDER) or not file.endswith(_ENDING):
        return ""
    return file.removeprefix(_FOLDER).removesuffix(_ENDING)


async def seen_of(
    visit: Visit, file: str, text: str, base: int, whom: str
) -> dict[str, Any] | None:
    """Return what is shown beside the editor of a template; None for another file, or without mailings.

    `whom`: any id of a visitor, empty for nobody in particular.
    """
    name, mailings = template_in(file), visit.gateway.deps.mailings
    if not name or mailings is None:
        return None
    visitor = await _visitor(visit, whom)
    preview = await mailings.preview(name, visitor or "", Draft(base=base, text=text))
    return {
        "name": name,
        "whom": whom,
        "is_unknown": visitor is None,
        "preview": preview,
        "root_of": f"{ROOT}templates/{quote(name, safe='')}",
    }


async def _visitor(visit: Visit, whom: str) -> str | None:
    """Return the id of whoever is meant, empty for nobody in particular; None: nobody is known by it."""
    if not whom:
        return ""
    is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in whom)
    if not is_plain or len(whom) > ID_CHARS_MAX:
        return None
    return await visit.gateway.deps.reader.find(whom)
