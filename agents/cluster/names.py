"""Name what the cluster shell shares: the namespace, the actors, and what an actor is made from."""

from __future__ import annotations

import msgspec

NAMESPACE = "mdma"
GATEWAY = "gateway-1"

PENDING_CALLS_MAX = 64
"""Calls one caller may have under way to an actor; the next one is refused at once and tried later."""


class PartSpec(msgspec.Struct, frozen=True):
    """Say what one actor runs; it is all that an actor knows when Ray starts it again."""

    name: str
    """`behavior-0`, `gateway-1`."""
    factory: str
    """`module:function` that builds the part inside the actor (`agents.cluster.part.Factory`)."""
    settings: str
    """JSON that the factory reads."""
    code: str
    """Version of the code, for the actor's repr."""
    dozes: bool = False
    """True: all callers are on this machine, so that an idle actor may doze (`doorbell`)."""
    gated: bool = False
    """True: world time comes by grants; the part is built after the first one."""

    @property
    def kind(self) -> str:
        """Return what comes before the number: `behavior`.

        >>> PartSpec("behavior-0", "", "", "").kind
        'behavior'
        """
        return self.name.rpartition("-")[0]
