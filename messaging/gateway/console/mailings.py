"""Say what the console asks about the templates of e-mails; the composition root gives `Mailings`."""

from __future__ import annotations

from typing import Protocol

import msgspec

from messaging.mail.judging import Judgement
from messaging.mail.reading import Mail


class TemplateLine(msgspec.Struct, kw_only=True):
    """Say one template."""

    name: str
    subject: str
    used: str
    """Where it is used, empty for nowhere."""


class TemplatesNow(msgspec.Struct, kw_only=True):
    """Hold all templates of the newest version."""

    version: int
    is_published: bool
    templates: list[TemplateLine]


class Preview(msgspec.Struct, kw_only=True):
    """Hold a template as one reader would get it."""

    name: str
    version: int
    visitor: str
    """Visitor id, empty for nobody in particular."""
    who: str
    used: str
    failed: str
    """Why it cannot be composed for this reader, empty if it can."""
    mail: Mail | None
    judgements: list[Judgement]


class Mailings(Protocol):
    """Show and test templates. Raises `Unavailable`."""

    async def templates(self, part: str = "") -> TemplatesNow:
        """Return the templates of the newest version, by name; `part`: in whose name or subject this stands."""
        ...

    async def preview(self, name: str, visitor: str) -> Preview | None:
        """Return a template as a visitor would get it; None for a template or a visitor that is not there."""
        ...

    async def send_test(self, name: str, to: str, by: str) -> str:
        """Send it to an address of our own, as a made-up reader gets it.

        Return what came of it in words, beginning with `sent` if it went.
        """
        ...
