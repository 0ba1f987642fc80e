"""Ask an address' own domain by WebFinger (RFC 7033) which account it is, and ActivityPub what that account does.

    WebFinger   links: the one `self` that speaks ActivityPub leads to the actor
    actor       its type is the kind of profile (https://www.w3.org/TR/activitystreams-vocabulary/#actor-types)
    outbox      how many posts, and its first page: when the last of them was

Rules
1. There is somebody where WebFinger names an actor who is there. An outbox that cannot be read leaves what they do
   unknown; an actor who is shown to other servers only is somebody of an unknown kind.
2. Every address that an answer names is fetched as any stranger's: see `fetch`.
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from typing import Any

from yarl import URL

from messaging.social.fetch import Fetcher, Page
from messaging.social.outcomes import (
    FAILED,
    FOUND,
    NOBODY,
    NOT_THERE,
    REFUSED,
    Asked,
    Told,
    Unanswered,
)
from messaging.social.reading import count_of, objects_of, past_moment_of, text_of

WEBFINGER_ACCEPT = "application/jrd+json, application/json"
ACCEPT = 'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
TYPES = frozenset({"application/activity+json", "application/ld+json"})

KINDS = {
    "person": "personal",
    "organization": "organization",
    "group": "organization",
    "service": "automated",
    "application": "automated",
}
POSTS_READ_MAX = 20
CLOSED = frozenset({401, 403})

_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}")


async def ask(fetcher: Fetcher, base: str, address: str, now: datetime, asked: Asked) -> Told:
    """Return what the address' domain says. Raise Unanswered.

    `base`: where WebFinger is asked; `{domain}` in it stands for the address' own.
    """
    domain = address.rpartition("@")[2]
    if not _DOMAIN.fullmatch(domain):
        raise Unanswered(REFUSED, "no domain that can be asked")
    place = URL(base.replace("{domain}", domain)) / ".well-known/webfinger"
    finger = place.with_query({"resource": f"acct:{address}"})
    page = await fetcher.get(str(finger), WEBFINGER_ACCEPT, asked)
    actor = actor_of(page.document) if _is_there(page) else ""
    if not actor:
        return Told(NOBODY)
    page = await fetcher.get(actor, ACCEPT, asked)
    if page.status in CLOSED:
        return Told(FOUND)
    if not _is_there(page):
        return Told(NOBODY)
    told = Told(FOUND, kind_of(page.document))
    with contextlib.suppress(Unanswered):
        await _read_outbox(fetcher, link_of(page.document, "outbox"), now, asked, told)
    return told


def _is_there(page: Page) -> bool:
    """Say whether a page holds a document; False: nobody is there. Raise Unanswered for anything else."""
    if page.status not in (200, *NOT_THERE):
        raise Unanswered(FAILED, f"status {page.status}")
    return page.status == 200


async def _read_outbox(
    fetcher: Fetcher, outbox: str, now: datetime, asked: Asked, told: Told
) -> None:
    """Add what an account did to what is told, as far as answers go."""
    if not outbox:
        return
    document = (await fetcher.get(outbox, ACCEPT, asked)).document
    told.posts = count_of(document.get("totalItems")) if isinstance(document, dict) else None
    told.last_active_at = last_post(document, now)
    first = link_of(document, "first")
    if told.last_active_at is None and first:
        told.last_active_at = last_post((await fetcher.get(first, ACCEPT, asked)).document, now)


def actor_of(document: Any) -> str:
    """Return the URL of the ActivityPub actor that a WebFinger answer names, empty if it names none.

    Raise Unanswered where it is no such answer.

    >>> type_ = "application/activity+json"
    >>> actor_of({"links": [{"rel": "self", "type": type_, "href": "https://a.example/u"}]})
    'https://a.example/u'
    """
    links = document.get("links", []) if isinstance(document, dict) else None
    if not isinstance(links, list):
        raise Unanswered(FAILED, "not a WebFinger answer")
    for link in objects_of(links):
        type_ = text_of(link.get("type")).partition(";")[0].strip().lower()
        if text_of(link.get("rel")) == "self" and type_ in TYPES:
            return text_of(link.get("href"))
    return ""


def kind_of(document: Any) -> str:
    """Return the kind of profile that an actor is. Raise Unanswered where it is no actor.

    >>> kind_of({"type": ["Person", "x"]})
    'personal'
    """
    said = document.get("type") if isinstance(document, dict) else None
    types = said if isinstance(said, list) else [said]
    kinds = (KINDS.get(text_of(each).lower(), "") for each in types)
    kind = next((kind for kind in kinds if kind), "")
    if not kind:
        raise Unanswered(FAILED, "not an actor")
    return kind


def link_of(document: Any, name: str) -> str:
    """Return the URL under a name, whether it stands there as text or as an object with an id.

    >>> link_of({"a": {"id": "https://b.example"}}, "a"), link_of({"a": 1}, "a")
    ('https://b.example', '')
    """
    value = document.get(name) if isinstance(document, dict) else None
    return text_of(value.get("id")) if isinstance(value, dict) else text_of(value)


def last_post(document: Any, now: datetime) -> datetime | None:
    """Return when the newest post of a collection, or of its first page if that stands in it, was published.

    A time to come is no time.
    """
    if not isinstance(document, dict):
        return None
    listed = document.get("orderedItems") or document.get("items")
    if listed is None and isinstance(document.get("first"), dict):
        inner = document["first"]
        listed = inner.get("orderedItems") or inner.get("items")
    posts = objects_of(listed)[:POSTS_READ_MAX]
    times = (past_moment_of(post.get("published"), now) for post in posts)
    return max((at for at in times if at is not None), default=None)
