"""Read `MDMA_SMTP_URL`: where mail is handed over, how the line is secured, and who we say we are."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote, urlsplit

import msgspec

_SCHEMES = {"smtp": ("plain", 25), "smtps": ("tls", 465), "smtp+starttls": ("starttls", 587)}


class SmtpTarget(msgspec.Struct, frozen=True):
    """Name an SMTP server. Its repr shows no user and no password."""

    host: str
    port: int
    security: str
    """`plain`, `tls` (from the first byte, RFC 8314) or `starttls` (demanded, never optional)."""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Return what may stand in a log."""
        return f"SmtpTarget({self.security} {self.host}:{self.port})"

    @property
    def loopback(self) -> bool:
        """Say whether mail stays on this machine."""
        if self.host.casefold() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_smtp_url(url: str) -> SmtpTarget:
    """Return the server an URL names. Raise ValueError, without repeating the URL, if it names none.

    >>> parse_smtp_url("smtp+starttls://me:p%40ss@mail.example")
    SmtpTarget(starttls mail.example:587)
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("the SMTP URL cannot be read: its port or host is malformed") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError("the SMTP URL must start with smtp://, smtps:// or smtp+starttls://")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the SMTP URL must look like smtp://user:password@host:port")
    security, usual_port = _SCHEMES[parts.scheme]
    return SmtpTarget(
        host=parts.hostname,
        port=port or usual_port,
        security=security,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
