"""Lead every link of an e-mail through this system, so that a click is seen and the browser known.

Rules
1. Only `http` and `https` links of `<a>` and `<area>` are tracked; images, styles and `mailto` stay.
2. A link that cannot be tracked (malformed, too long) stays as it is: the reader comes first.
3. The links to unsubscribe and to confirm are never tracked: leaving is nobody's click rate.
"""

from __future__ import annotations

import html
import re
from datetime import datetime
from urllib.parse import urlsplit

from messaging.mail.tokens import ClickToken, ConfirmToken, OpenToken, UnsubscribeToken, sign

# Possessive (`*+`, `?+`): a marketer's broken tag costs one look, never a search through all splits.
_TAG = re.compile(r"<(?:a|area)\s(?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)
_HREF = re.compile(
    r"(?P<name>\shref\s*+=\s*+)(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^\s\"'>]++))",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(r"https?://[^\s<>\"'\x00-\x1f]++", re.IGNORECASE)
_AFTER_A_LINK = ".,;:!?'*_"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def urls_in(text: str) -> tuple[str, ...]:
    """Return the addresses that the links of an HTML text lead to, those that would be tracked, each once.

    >>> urls_in('<a href="https://a.example/?b&amp;c">b</a> <a href="mailto:d@a.example">d</a>')
    ('https://a.example/?b&c',)
    """
    found: dict[str, None] = {}
    for tag in _TAG.finditer(text):
        match = _HREF.search(tag[0])
        url = _address(match) if match is not None else ""
        if url[:8].lower().startswith(("http://", "https://")):
            found[url] = None
    return tuple(found)


def urls_in_text(text: str) -> list[str]:
    """Return the addresses that stand in plain text, as they are tracked.

    >>> urls_in_text("see https://a.example/b. (or https://a.example/c)")
    ['https://a.example/b', 'https://a.example/c']
    """
    return [_bare(match[0]) for match in _IN_TEXT.finditer(text)]


def _bare(found: str) -> str:
    """Return an address of plain text without what belongs to the sentence around it."""
    url = found.rstrip(_AFTER_A_LINK)
    # "(see https://a.example/b)": a bracket that nothing in the link opened closes the sentence's.
    if url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(_AFTER_A_LINK)
    return url


def _address(match: re.Match[str]) -> str:
    raw = next(value for value in match.group("double", "single", "bare") if value is not None)
    return _CONTROL.sub("", html.unescape(raw)).strip().replace(" ", "%20")


class Links:
    """Write the links of one e-mail."""

    def __init__(
        self, *, secret: bytes, public_url: str, visitor: str, send_id: str, expires: datetime
    ) -> None:
        self._secret = secret
        self._base = public_url.rstrip("/")
        self._visitor = visitor
        self._send_id = send_id
        self._expires = expires
        self._written: dict[str, str] = {}

    def pixel(self) -> str:
        """Return the address of the pixel whose fetching tells of an open."""
        return f"{self._base}/o/{sign(self._secret, OpenToken(self._visitor, self._send_id))}.gif"

    def unsubscribe(self, mailbox: str) -> str:
        """Return the address at which one click (or one POST, RFC 8058) ends all marketing."""
        token = UnsubscribeToken(self._visitor, self._send_id, mailbox)
        return f"{self._base}/u/{sign(self._secret, token)}"

    def confirm(self, mailbox: str) -> str:
        """Return the address at which the owner of the mailbox confirms that it may be written to."""
        token = ConfirmToken(self._visitor, self._send_id, mailbox)
        return f"{self._base}/confirm/{sign(self._secret, token)}"

    def tracked(self, url: str) -> str:
        """Return the address that leads to `url` through this system, or `url` itself (rule 2)."""
        known = self._written.get(url)
        if known is None:
            known = self._written[url] = self._track(url)
        return known

    def in_html(self, text: str) -> str:
        """Return HTML with its links tracked."""
        return _TAG.sub(lambda tag: _HREF.sub(self._href, tag[0], count=1), text)

    def in_text(self, text: str) -> str:
        """Return plain text with its links tracked; the full stop behind a link is no part of it."""
        return _IN_TEXT.sub(self._bare_link, text)

    def _track(self, url: str) -> str:
        if url.startswith((f"{self._base}/u/", f"{self._base}/confirm/")):
            return url
        try:
            if not urlsplit(url).hostname:
                return url
            token = ClickToken(self._visitor, self._send_id, url, self._expires)
            return f"{self._base}/c/{sign(self._secret, token)}"
        except ValueError:
            return url

    def _href(self, match: re.Match[str]) -> str:
        url = _address(match)
        if not url[:8].lower().startswith(("http://", "https://")):
            return match[0]
        return f'{match["name"]}"{html.escape(self.tracked(url))}"'

    def _bare_link(self, match: re.Match[str]) -> str:
        url = _bare(match[0])
        return self.tracked(url) + match[0][len(url) :]
