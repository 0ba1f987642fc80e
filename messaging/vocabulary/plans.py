"""Hold what messages carry: a send and an offer as they are planned, a broadcast, what a look-up found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Broadcast(msgspec.Struct, frozen=True, array_like=True):
    """Describe a one-off e-mail of a template to everybody in a cohort."""

    id: str
    template: str
    cohort: str
    path: str
    """Whose caps, quiet hours and sender hold for it."""
    version: int
    """Of the rules in which template and path stand."""
    priority: int = 0


class SendPlan(msgspec.Struct, array_like=True):
    """Describe one e-mail that Rules wants sent, with its reservation."""

    send_id: str
    path: str
    run: str
    stage: str
    step: str
    attempt: int
    template: str
    rules_version: int
    entered_at: datetime
    """`at` of the cause that opened the run, or the one that a person's *resume* goes on from: a goal since ends it."""
    sender: str
    success: bool = False
    """True for the success e-mail: no marketing, no attempt, no reservation."""
    on_uncertain: str = "list"
    """`list` (never again) or `resend`."""
    decision_id: str = ""
    variables: dict[str, Any] = {}
    until: datetime | None = None
    """When the visitor's next quiet hours begin: later than that it is not handed over, but given back."""
    confirms: bool = False
    """True for the e-mail that asks to confirm an address: no marketing either, but it asks for no purchase."""
    mailbox: str = ""
    """Keyed hash of the address that it was decided for: to another one it is not handed over, but given back. Empty:
    it is not marketing, or an older version of the product decided it."""

    @property
    def marketing(self) -> bool:
        """Say whether it is marketing: an attempt of a run, with a reservation."""
        return not (self.success or self.confirms)


class EngagementPlan(msgspec.Struct, array_like=True):
    """Describe one interaction that Rules wants offered, with its reservation."""

    engagement_id: str
    interaction: str
    interaction_type: str
    rules_version: int
    expires_at: datetime
    decision_id: str
    visit_at: datetime | None = None
    """When the session began in which it was decided: the cap of a session is held against it."""


class Finding(msgspec.Struct, array_like=True):
    """Say what one source told of an address: who was asked, when, and what came. No name, text or picture."""

    source: str
    """`gravatar` or `activitypub`."""
    hosts: list[str]
    """Whom that took, in the order they were asked."""
    at: datetime
    outcome: str
    """`found`, `nobody`, `failed` (no answer, or none that can be read), `busy` (asked too often), `refused` (it led to
    an address that must not be reached) or `withdrawn` (others may not be asked any more)."""
    reason: str = ""
    kind: str = ""
    """Of a profile: `personal`, `professional`, `organization` or `automated`; empty if the source does not say."""
    posts: int | None = None
    last_active_at: datetime | None = None
