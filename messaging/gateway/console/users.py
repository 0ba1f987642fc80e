"""Keep the console's users: name, role, and what is stored of the password.

Rules
1. A viewer reads; an editor also changes. Whoever has the admin token is the user `admin`, an editor, and has no row.
2. A session holds its user's mark: a new password, and a new admin token, end the sessions that were opened before.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from messaging.ports import Store

USERS = "users"

ADMIN_NAME = "admin"
VIEWER, EDITOR = "viewer", "editor"
ROLES = (VIEWER, EDITOR)

NAME_RULE = (
    "a name has 1 to 64 of: small letters, digits, . _ @ and -, and begins with a letter or digit"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a user. `password`: see `passwords.hashed`; of the admin, the token itself."""

    name: str
    role: str
    password: str
    at: datetime | None = None
    by: str = ""

    @property
    def mark(self) -> str:
        """Return what changes with the password, and tells nothing of it."""
        return hashlib.sha256(b"mdma user mark\x00" + self.password.encode()).hexdigest()[:32]


def is_name(name: str) -> bool:
    """Say whether a user can be called so.

    >>> is_name("kim"), is_name("Kim"), is_name("admin")
    (True, False, False)
    """
    return _NAME.fullmatch(name) is not None and name != ADMIN_NAME


async def user_of(store: Store, name: str, admin_token: str) -> User | None:
    """Return the user of a name, None if there is none."""
    if name == ADMIN_NAME:
        return User(name=name, role=EDITOR, password=admin_token)
    if not is_name(name):
        return None
    found = await store.get_document(USERS, name)
    if found is None:
        return None
    return msgspec.convert({**found, "name": found["id"]}, User)


async def put_user(store: Store, user: User) -> None:
    """Keep a user, in the place of one of the same name."""
    fields = {name: getattr(user, name) for name in ("role", "password", "at", "by")}
    await store.put_document(USERS, user.name, fields)


async def remove_user(store: Store, name: str) -> bool:
    """Remove a user, and say whether there was one; their sessions end with them."""
    found = await store.get_document(USERS, name)
    await store.remove_document(USERS, name)
    return found is not None
