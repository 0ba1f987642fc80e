"""Check single settings: what would be taken and could not work is refused with how to write it.

Rules
1. A text says what to write, and never what was written: it may hold a password.
2. What could not work is found out here, and not at the first alert, e-mail or log-in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import getaddresses, parseaddr
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from messaging.alerts.signing import key_of
from messaging.social.places import place_of

SECRET_CHARACTERS_MIN = 16
"""Of what signs tokens, and of what opens the admin API: a shorter one can be tried out, and a start says so."""
YEAR_MIN, YEAR_MAX = 1970, 2999
"""Of the world clock: waits and windows reach some years beyond it, and a date has an end."""
MONGO_OWN = {"admin", "local", "config"}
"""Databases that MongoDB keeps for itself."""


def keys(value: Any) -> Any:
    """Take a list from text with commas."""
    return (
        [key.strip() for key in value.split(",") if key.strip()]
        if isinstance(value, str)
        else value
    )


def write_keys(value: list[SecretStr]) -> list[SecretStr]:
    """Refuse keys that no browser could send: they are the name in HTTP's basic authentication."""
    for key in value:
        if not re.fullmatch(r"[!-9;-~]+", key.get_secret_value()):
            raise ValueError("write each key in letters, digits and signs, without colon or blank")
    return value


def some_secret(value: SecretStr) -> SecretStr:
    """Refuse a secret that is none, or that a header would change."""
    said = value.get_secret_value()
    if not said or said != said.strip():
        raise ValueError(
            f"write {SECRET_CHARACTERS_MIN} characters or more, without blanks around them; "
            "leave it out and one is made"
        )
    return value


def number(value: Any) -> Any:
    """Refuse true and false where a number is wanted: they would count as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("write a number")  # noqa: TRY004 - pydantic takes only this one
    return value


def secret_url(schemes: tuple[str, ...]) -> Callable[[SecretStr], SecretStr]:
    """Return the check of an address with one of these schemes, which may hold a password."""

    def check(value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value().strip())
            named = parts.scheme in schemes and bool(parts.hostname)
            if schemes[0] != "mongodb":
                (parts.hostname or "").encode("idna")  # what no name server could be asked for
            _ = parts.port if schemes[0] != "mongodb" else None  # a replica set names several
        except ValueError:
            named = False
        if not named:
            raise ValueError(
                f"must begin with {' or '.join(f'{s}://' for s in schemes)} and a host"
            )
        return value

    return check


def whsec(value: SecretStr) -> SecretStr:
    """Refuse what is no key of Standard Webhooks."""
    key_of(value.get_secret_value())
    return value


def web_url(value: str) -> str:
    """Refuse an address that is not of the web; the host may hold `{domain}`."""
    try:
        parts = urlsplit(value)
        named = parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.username
        _ = parts.port
    except ValueError:
        named = False
    if not named or parts.query or parts.fragment:
        raise ValueError("must begin with https:// or http:// and a host, without ? and #")
    return value.rstrip("/")


def public_url(value: str) -> str:
    """Refuse an address of the gateway that links could not lead to."""
    try:
        works = bool(re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value)) and _names(urlsplit(value))
    except ValueError:
        works = False
    if not works:
        raise ValueError(
            "write it like https://mdma.example or https://mdma.example:8443/way, "
            "without user, password, ? and #"
        )
    return value


def _names(parts: SplitResult) -> bool:
    """Say whether it names a host and no user. Raise ValueError for what can be no host or port."""
    host = parts.hostname or ""
    _ = parts.port
    if "[" in parts.netloc:
        ip_address(host)
    host.encode("idna")
    return bool(host) and "@" not in parts.netloc


def name_server(value: str) -> str:
    """Refuse what is no address and port; empty is the machine's own."""
    try:
        place_of(value) if value else None
    except ValueError:
        raise ValueError("write it like 192.0.2.1:53") from None
    return value


def moment(value: Any) -> Any:
    """Read a moment; without a zone it is UTC."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("write it like 2017-06-01 or 2017-06-01T08:00:00Z") from None
    if not isinstance(read, datetime):
        raise ValueError("write it like 2017-06-01 or 2017-06-01T08:00:00Z")  # noqa: TRY004
    if not YEAR_MIN <= read.year <= YEAR_MAX:  # asked first: another zone may lie beyond the last
        raise ValueError(f"name a year from {YEAR_MIN} to {YEAR_MAX}")
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def sender(value: str) -> str:
    """Refuse what is not one address, with a name or without."""
    if not _is_one_address(value):
        raise ValueError("write one address, like `Your Shop <hello@shop.example>`")
    return value


def alert_email(value: str) -> str:
    """Refuse what is not one address: an alert is one e-mail, to one person."""
    if not _is_one_address(value):
        raise ValueError(
            "write one address, like ops@shop.example; for several people name a mailing list, "
            "or set MDMA_ALERT_WEBHOOK"
        )
    return value


def _is_one_address(value: str) -> bool:
    address = parseaddr(value)[1]
    return (
        bool(re.fullmatch(r"[^@\s<>\",;]+@[^@\s<>\",;]+", address))
        and len(getaddresses([value])) == 1
        and not re.search(r"[\x00-\x1f]", value)
        and not value.rstrip().endswith((",", ";"))
    )


def mongo_db(value: str) -> str:
    """Refuse what cannot be a database of ours."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,38}", value):
        raise ValueError("write 38 letters, digits, - and _ at most, like mdma")
    if value.casefold() in MONGO_OWN:
        raise ValueError("the name belongs to MongoDB itself; write another, like mdma")
    return value


def log(value: str) -> str:
    """Refuse what is not a form and a level."""
    words = re.split(r"[\s,:]+", value.strip().lower())
    formats, levels = {"console", "json"}, {"debug", "info", "warning", "error"}
    one_each = len(set(words) & formats) <= 1 and len(set(words) & levels) <= 1
    if not one_each or not set(words) <= formats | levels:
        raise ValueError("write console or json, and a level: `json:info`")
    return value
