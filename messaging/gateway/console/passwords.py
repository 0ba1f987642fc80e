"""Keep passwords as scrypt does (RFC 7914): whoever steals what is stored has to try each guess for its cost.

Rule 1: the cost stands in what is stored, so that it can be raised without shutting anybody out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

LENGTH_MIN = 12
"""NIST SP 800-63B asks for length, not for kinds of characters; 12 keep off who may guess 50 times in five minutes."""

LENGTH_MAX = 200
"""Longer ones cost nothing more to hash, but have to be read."""

SALT_BYTES = 16
N, R, P = 2**15, 8, 3
"""32 MiB and about a quarter of a second: OWASP's choice for scrypt where 128 MiB at once are too many."""

KEY_BYTES = 32
_MEMORY_MAX = 128 * N * R + 1024 * 1024


def problem_of(password: str) -> str:
    """Return what is wrong with a new password, empty if it can be taken.

    >>> problem_of("short"), problem_of("long enough, it seems")
    ('a password has 12 to 200 characters', '')
    """
    fits = LENGTH_MIN <= len(password) <= LENGTH_MAX
    return "" if fits else f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters"


def hashed(password: str, salt: bytes) -> str:
    """Return what is stored of a password: `scrypt$N$r$p$salt$key`."""
    key = _key(password, salt, N, R, P)
    return "$".join(("scrypt", str(N), str(R), str(P), _text(salt), _text(key)))


def is_same(password: str, stored: str) -> bool:
    """Say whether a password is the stored one; as costly whatever the answer."""
    _, n, r, p, salt, key = stored.split("$")
    made = _key(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(made, base64.b64decode(key))


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    raw = password[:LENGTH_MAX].encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_MAX, dklen=KEY_BYTES)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
