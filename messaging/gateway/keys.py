"""Check write keys and the admin token.

Write keys stand in public pages; the admin token is a secret and compared in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

from aiohttp import hdrs, web

from messaging.gateway.problems import ProblemError

# Not "Basic": that would make browsers ask their reader for a password.
_WRITE_CHALLENGE = {"WWW-Authenticate": 'WriteKey realm="tracking"'}
_ADMIN_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="admin"'}


class Keys:
    """Know the keys of one gateway."""

    def __init__(self, write_keys: frozenset[str], admin_token: str) -> None:
        self._write_keys = write_keys
        # SDKs send the key as user with an empty password: these headers need no decoding.
        self._usual = frozenset(_basic(key) for key in write_keys)
        self._admin = f"Bearer {admin_token}".encode()

    def check_write_header(self, request: web.Request) -> bool:
        """Return whether the header gives a write key; False if the body has to. Raise a 401."""
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given in self._usual:
            return True
        if given is None or not given.lower().startswith("basic"):
            return (
                False  # SDKs that use OAuth elsewhere send their own token and the key in the body
            )
        if _user(given) in self._write_keys:
            return True
        raise ProblemError(401, "the write key is not known", headers=_WRITE_CHALLENGE)

    def check_write_key(self, given: Any) -> None:
        """Raise a 401 if the body's `writeKey` is not a write key."""
        if not isinstance(given, str) or given not in self._write_keys:
            raise ProblemError(
                401,
                "give the write key as user of Basic authentication, or as writeKey",
                headers=_WRITE_CHALLENGE,
            )

    def check_admin(self, request: web.Request) -> None:
        """Raise a 401 if the request does not carry the admin token."""
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._admin):
            raise ProblemError(401, "give the admin token as bearer", headers=_ADMIN_CHALLENGE)


def _basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode("ascii")


def _user(header: str) -> str:
    """Return the user of a Basic header, whatever its password; empty if it cannot be read."""
    credentials = header.partition(" ")[2]
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
