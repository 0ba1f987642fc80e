"""Show one visitor: the story across all bots, newest first, and what is known of them."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.deps import Gateway
from messaging.gateway.frame import text
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.overview import LOOK_SECONDS
from messaging.gateway.told import Line, Story


async def story(request: web.Request, gateway: Gateway) -> web.Response:
    """Show one visitor's facts and story; the id is any that the admin API takes."""
    id_ = request.match_info["id"]
    found = await gateway.deps.reader.story(id_) if _is_plain(id_) else None
    if found is None:
        said = "There is no visitor of this id, or they were erased."
        return frame.not_here("Nobody is known by this", said)
    return frame.answer(frame.page(found.name, _story(found), here="", seconds=LOOK_SECONDS))


def _is_plain(id_: str) -> bool:
    is_text = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in id_)
    return is_text and len(id_) <= ID_CHARS_MAX


def _story(found: Story) -> str:
    facts = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in found.facts
    )
    return (
        f'<h1>{frame.address(found.name)}</h1><div class="columns told"><section aria-labelledby="story-h">'
        '<h2 id="story-h">The story, newest first</h2>'
        f'<ol class="story" id="story" data-part reversed>{"".join(map(_line, found.lines))}</ol></section>'
        '<section aria-labelledby="facts-h"><h2 id="facts-h">What is known</h2>'
        f'<dl class="facts" id="facts" data-part>{facts}</dl></section></div>'
    )


def _line(line: Line) -> str:
    return (
        f"<li><small><time>{text(line.at)}</time> <span>{text(line.by)}</span></small>"
        f"<p>{text(line.said)}</p></li>"
    )
