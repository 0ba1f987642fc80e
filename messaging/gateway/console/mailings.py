"""Say what the console asks about the templates of e-mails; the composition root gives `Mailings`."""

from __future__ import annotations

from typing import Protocol

import msgspec

from messaging.gateway.console.delivered import Refused
from messaging.mail.asking import LinkAnswer
from messaging.mail.judging import Judgement
from messaging.mail.reading import Mail


class TemplateLine(msgspec.Struct, kw_only=True):
    """Say one template."""

    name: str
    subject: str
    used: str
    """Where it is used, empty for nowhere."""
    failed: int = 0
    """E-mails of it, of the last 30 days, that could not be composed."""


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
    links: list[str] = []
    """Where its links lead, behind the tracked ones."""
    is_marketing: bool = True
    newest: int = 0
    """The newest version of the rules; higher than `goes_out` while it is a draft."""
    goes_out: int = 0
    """The published version, if it has this template: what is sent. 0: it cannot be sent yet."""
    is_what_goes_out: bool = False
    """Whether the published version's template is to the letter what is shown."""
    by_itself: str = ""
    """Why it cannot be sent to a cohort; empty: it can, once it is published."""
    refused: list[Refused] = []
    """Its e-mails of the last 30 days that were refused by us, of whichever version: those that failed first."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a template's file as somebody is writing it."""

    base: int
    """Version of the rules that it is written on."""
    text: str


class Mailings(Protocol):
    """Show and test templates. Raises `Unavailable`."""

    async def templates(self, part: str = "") -> TemplatesNow:
        """Return the templates of the newest version, by name; `part`: in whose name or subject this stands."""
        ...

    async def preview(
        self, name: str, visitor: str, draft: Draft | None = None, *, published: bool = False
    ) -> Preview | None:
        """Return a template as a visitor would get it; None for a template or a visitor that is not there.

        It is the newest version's, or the published one's. `draft`: what its file holds instead; a draft that cannot
        be read is a preview that failed.
        """
        ...

    async def ask_links(self, links: list[str], by: str) -> list[LinkAnswer]:
        """Ask whether anything is where these links lead. Raise ProblemError where somebody asked too often."""
        ...

    async def send_test(self, name: str, to: str, by: str, draft: Draft | None = None) -> str:
        """Send it, or what is being written in its place, to an address of our own, as a made-up reader gets it.

        Return what came of it in words, beginning with `sent` if it went.
        """
        ...
