"""Let users in: who may try how often, and whether a password is right."""

from __future__ import annotations

import asyncio
import hmac

from messaging.gateway.console import passwords
from messaging.gateway.console.attempts import Attempts
from messaging.gateway.console.users import ADMIN_NAME, User, user_of
from messaging.gateway.limits import Limits
from messaging.gateway.problems import ProblemError, overloaded
from messaging.ports import Store

_NOBODY = passwords.hashed("", b"nobody has this password")
"""Compared with where there is no such user: who tries cannot tell by the time it takes."""


class Entrance:
    """Take attempts to log in: limited for each address and each name, one password at a time."""

    def __init__(self, limits: Limits) -> None:
        window = limits.logins_window_seconds
        self._of_address = Attempts(limits.logins_max, window)
        self._of_name = Attempts(limits.logins_of_user_max, window)
        self._waiting_max = limits.logins_waiting_max
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def let_in(
        self, store: Store, name: str, password: str, *, address: str, admin_token: str, now: float
    ) -> User | None:
        """Return the user, None for a wrong name or password. Raise 429 for too many attempts, 503 for a crowd.

        `now`: machine time, in seconds.
        """
        name = name.strip().lower() or ADMIN_NAME
        # What an address may not try counts for no name: one client alone must not shut anybody out. And the admin
        # token cannot be guessed: no crowd of clients shuts out who has it.
        seconds = self._of_address.take(address, now)
        if not seconds and name != ADMIN_NAME:
            seconds = self._of_name.take(name, now)
        if seconds:
            raise _too_many(seconds)
        user = await user_of(store, name, admin_token)
        if not await self._is_right(user, password):
            return None
        self._of_address.succeeded(address)
        self._of_name.succeeded(name)
        return user

    def take(self, address: str, now: float) -> None:
        """Count an attempt with a key or the admin token. Raise 429 for too many from an address."""
        seconds = self._of_address.take(address, now)
        if seconds:
            raise _too_many(seconds)

    def succeeded(self, address: str) -> None:
        """Give an address its attempts back: it had the key."""
        self._of_address.succeeded(address)

    async def _is_right(self, user: User | None, password: str) -> bool:
        if (
            user is not None and user.name == ADMIN_NAME
        ):  # the token is no word that could be guessed
            return hmac.compare_digest(_raw(password.strip()), _raw(user.password))
        if self._waiting >= self._waiting_max:
            raise overloaded("others are logging in")
        self._waiting += 1
        try:
            async with self._turn:
                stored = user.password if user is not None else _NOBODY
                is_same = await asyncio.to_thread(passwords.is_same, password, stored)
        finally:
            self._waiting -= 1
        return is_same and user is not None


def _too_many(seconds: float) -> ProblemError:
    return ProblemError(429, "too many attempts to log in", retry_after_seconds=int(seconds) + 1)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
