"""Keep who is logged in: a session is a token in a cookie, of which only the hash is stored.

Rules
1. It lasts twelve hours of real time and is not prolonged; logging out removes it.
2. It is good while its user is there with the same password: that is asked at each request.
3. What a form must carry back (against forged posts) is derived from the token: nothing more is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import msgspec

from messaging.gateway.console.users import EDITOR, User, user_of
from messaging.ports import Store

SESSIONS = "sessions"
SESSION_MAX = timedelta(hours=12)
OF_ONE_USER_MAX = 20
"""Sessions of one user at a time; of more the oldest end."""

TOKEN_BYTES = 32
TOKEN_CHARACTERS_MAX = 64


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Hold who looks."""

    user: str
    role: str
    token: str
    form_key: str
    """What every form carries back."""

    @property
    def may_change(self) -> bool:
        """Say whether this user may change something."""
        return self.role == EDITOR


async def open_session(store: Store, user: User, now: datetime) -> str:
    """Open a session and return its token; remove what the user has too many of, or too old ones."""
    rows = await store.rows(SESSIONS, {"user": user.name}, limit=10 * OF_ONE_USER_MAX)
    fresh = [row for row in rows if row["expires_at"] > now][: OF_ONE_USER_MAX - 1]
    for row in rows:
        if row not in fresh:
            await store.remove_document(SESSIONS, row["id"])
    token = secrets.token_urlsafe(TOKEN_BYTES)
    fields = {"user": user.name, "mark": user.mark, "at": now, "expires_at": now + SESSION_MAX}
    await store.put_document(SESSIONS, _key(token), fields)
    return token


async def session_of(
    store: Store, token: str, *, now: datetime, admin_token: str, secret: bytes
) -> Session | None:
    """Return the session of a token, None if it is none, is over, or its user has changed."""
    if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        return None
    found = await store.get_document(SESSIONS, _key(token))
    if found is None or found["expires_at"] <= now:
        return None
    user = await user_of(store, found["user"], admin_token)
    if user is None or not hmac.compare_digest(user.mark, found["mark"]):
        return None
    return Session(user=user.name, role=user.role, token=token, form_key=form_key_of(secret, token))


async def end_session(store: Store, token: str) -> None:
    """Remove a session."""
    await store.remove_document(SESSIONS, _key(token))


def cookie_of(secret: bytes) -> str:
    """Return the cookie's name: systems on other ports of this host have cookies of their own."""
    return f"mdma_console_{hashlib.sha256(b'mdma console' + bytes(1) + secret).hexdigest()[:8]}"


def form_key_of(secret: bytes, token: str) -> str:
    """Return what the forms of a session carry back."""
    label = b"mdma console form\x00" + token.encode("utf-8", "surrogatepass")
    return hmac.digest(secret, label, "sha256").hex()


def _key(token: str) -> str:
    """Return what a token is stored under: 256 random bits need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
