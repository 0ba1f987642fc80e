"""Judge how likely a person, not a machine, opened a mail or followed its link.

Mailbox providers fetch pictures by themselves and security gateways follow links before anyone reads. What
they do is no response: it must open no branch of a path and teach no policy.
"""

from __future__ import annotations

SOON_SECONDS = 2.0
"""Nobody reads within two seconds of the hand-over; scanners do, at the door of the mailbox."""

LINKS_AT_ONCE_MAX = 2
"""Links of one mail that a person may follow within two seconds; three are a scanner's sweep."""

PLAIN_AGENT = "Mozilla/5.0"
"""Apple's Mail Privacy Protection fetches every picture through a relay under exactly this name."""

# SparkPost's blog, "Gmail prefetching images": billions of opens compared.
_GMAIL_PREFETCH = (
    "Gmail's prefetch into open sessions: no browser's name ends with a second Mozilla"
)

IMAGE_PROXIES: tuple[tuple[str, str], ...] = (
    ("googleimageproxy", "Gmail's picture cache: may fetch unread, and hides who and when"),
    ("via ggpht.com", "the same cache where it leaves its name out"),
    ("edge/12.246 mozilla/5.0", _GMAIL_PREFETCH),
    ("yahoomailproxy", "the picture cache of Yahoo and AOL"),
    ("applebot", "Apple's crawler, which previews what Mail and Messages point to"),
)
"""(part of a user agent in lower case, why it is no person)."""


def human_probability(
    *,
    method: str,
    user_agent: str,
    seconds_since_hand_over: float | None,
    links_at_once: int = 0,
) -> float:
    """Return how likely a person did it: 0.0 or 1.0.

    `seconds_since_hand_over` is in world time, None if the hand-over isn't known; `links_at_once` is how
    many different links of this mail were followed within two seconds of each other, this one included.

    >>> human_probability(method="HEAD", user_agent="", seconds_since_hand_over=None)
    0.0
    """
    agent = user_agent.strip()
    machine = (
        method.upper() == "HEAD"
        or agent == PLAIN_AGENT
        or is_image_proxy(agent)
        or (seconds_since_hand_over is not None and seconds_since_hand_over < SOON_SECONDS)
        or links_at_once > LINKS_AT_ONCE_MAX
    )
    return 0.0 if machine else 1.0


def is_image_proxy(user_agent: str) -> bool:
    """Return whether a user agent is one of a mailbox provider's own fetchers."""
    agent = user_agent.lower()
    return any(part in agent for part, _ in IMAGE_PROXIES)
