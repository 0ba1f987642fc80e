"""Tell what kind of device somebody is at: a phone, a tablet or a desktop.

Rules
1. A browser tells by its user agent, read as the Closure Library's `goog.labs.userAgent.device` documents it: an iPad,
   a Kindle and an Android without `Mobile` are tablets; an iPhone, an iPod and other mobile ones are phones.
2. An app has no such words: there the model's name tells, as Segment's libraries send it under `context.device`.
3. What is neither (a server's library, a robot) is unknown: no device is guessed. An iPad that asks for desktop sites
   says that it is a Mac, and is taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

PHONE, TABLET, DESKTOP = "phone", "tablet", "desktop"

TABLETS = ("ipad", "tablet", "kindle", "silk/", "playbook")
PHONES = ("iphone", "ipod", "mobi", "phone")
DESKTOPS = ("windows nt", "macintosh", "x11", "cros ")
ROBOTS = ("bot", "crawl", "spider", "headless")

CHARACTERS_MAX = 512
"""Of a user agent are read; real ones have some 200."""


def device_of(user_agent: str | None, device: Mapping[str, Any] | None) -> str:
    """Return `phone`, `tablet` or `desktop`; empty: it is not known.

    >>> device_of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", None)
    'phone'
    >>> device_of(None, {"type": "ios", "model": "iPad14,1"}), device_of("analytics-node/2.1", None)
    ('tablet', '')
    """
    found = _by_words(user_agent[:CHARACTERS_MAX].lower()) if user_agent else ""
    if found or not device:
        return found
    said = " ".join(str(device.get(name, ""))[:64] for name in ("type", "model", "name"))
    return _by_words(said.lower())


@lru_cache(maxsize=2_048)
def _by_words(text: str) -> str:
    """Read lower case words; sites see the same few hundred user agents again and again."""
    if any(word in text for word in ROBOTS):
        return ""
    if any(word in text for word in TABLETS):
        return TABLET
    if any(word in text for word in PHONES):
        return PHONE
    if "android" in text:
        # Of a browser: a tablet says no `Mobile`. An app's `type` alone tells neither.
        return TABLET if "mozilla/" in text else ""
    return DESKTOP if any(word in text for word in DESKTOPS) or "desktop" in text else ""
