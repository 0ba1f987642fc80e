"""Hold what was asked of one visitor's address, of whom, and what came: classes and times, no name and no text.

Rules
1. One address at a time: what was found of an earlier one is forgotten, and so is everything when its owner refuses.
2. At most one look-up is under way. Its id counts up: an answer to an earlier one is told from the present one's.
3. Nobody is asked before `rests_until`: what was found is good for so long, and so is that nobody knew them.
4. Consent is asked by the setting in force, not by the one of when Behavior spoke.

Layouts
1  had no `may_look_up_by`.
2  is this one.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from messaging.vocabulary.plans import Finding

VERSION = 2
"""Version of the state's layout."""

SOURCES = ("gravatar", "activitypub")
"""Who is asked, in this order."""

ABSORBED_MAX = 16


class Asking(msgspec.Struct, array_like=True):
    """Hold the look-up that is under way."""

    look_up_id: str
    sources: list[str]
    times: int = 1
    """How often it was said: again where the answer was lost with its process."""


class SocialState(msgspec.Struct, array_like=True):
    """Hold one visitor."""

    address: str = ""
    may_look_up: bool = False
    number: int = 0
    """Look-ups begun, of any address."""
    asking: Asking | None = None
    findings: list[Finding] = []
    """The newest of each source."""
    rests_until: datetime | None = None
    tries: int = 0
    """Look-ups one after the other that left a source without an answer."""
    told: list[str] = []
    """Presence, profile and activity as Behavior knows them; empty: nothing was told."""
    absorbed: list[str] = []
    """Younger visitors whose state was taken in."""
    may_look_up_by: list[str] | None = None
    """The consent settings by which others may be asked; None: nobody said yet, or an older version said of one."""


def may_look_up(state: SocialState, consent: str) -> bool:
    """Say whether others may be asked by the consent setting in force, by what Behavior said last."""
    return state.may_look_up and consent in (state.may_look_up_by or ())


def upgrade(version: int, body: bytes) -> SocialState:
    """Return the present state from the bytes of an older version, or of this one."""
    assert 1 <= version <= VERSION, f"social state of unknown version {version}"
    return _states.decode(body)


def pack(state: SocialState) -> bytes:
    """Return a state as bytes that travel to the older visitor in a merge."""
    return msgspec.msgpack.encode((VERSION, state))


def unpack(body: bytes) -> SocialState:
    """Read what `pack` wrote, also by an older version."""
    version, packed = _packed.decode(body)
    return upgrade(version, bytes(packed))


_states = msgspec.msgpack.Decoder(SocialState)
_packed = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
