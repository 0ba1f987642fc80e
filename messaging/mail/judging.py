"""Judge a composed e-mail as mailbox providers and readers do: what would keep it from being read. Pure.

Rules
1. `wrong` is what must not go out; `look` is what somebody should look at.
2. What the product adds by itself (one-click by RFC 8058) is not asked for. The link to leave is: who writes it into a
   comment has it in the e-mail, and no reader can follow it.
3. Links are judged by where they lead, not by the tracked links that stand in the e-mail (`messaging.mail.targets`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import msgspec

from messaging.mail.links import urls_in_text
from messaging.mail.reading import Mail
from messaging.mail.targets import SHOWN_CHARACTERS_MAX, Fault, faults_of

HTML_BYTES_MAX = 102 * 1024
"""Gmail shows no more of an e-mail's HTML, and hides the rest behind a link; so the link to leave."""

SUBJECT_CHARACTERS_SHOWN = 60
"""A phone shows 40 to 60 characters of a subject."""

TEXT_CHARACTERS_MIN = 40
_SIGNATURE = re.compile(r"\r?\n-- \r?\n")
"""Begins a footer in plain text (RFC 3676, section 4.3)."""

LINKS_MAX = 20

_SHOUTING = re.compile(r"[A-ZÄÖÜ]{4,}[^a-z]*[A-ZÄÖÜ]{4,}|!{2,}|\${2,}")


ACTIVE = ("script", "iframe", "frame", "object", "embed", "applet")
"""Elements that act by themselves, or show what stands elsewhere: no mailbox shows an e-mail's."""

_HANDLER = re.compile(r"on[a-z]+")
"""How an attribute is called that holds a script."""


class Judgement(msgspec.Struct, frozen=True):
    """Say one thing about an e-mail."""

    level: str
    """`wrong` or `look`."""
    said: str


class _Seen(HTMLParser):
    """Gather the links, pictures and active parts of an e-mail's HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.without_alt = 0
        self.active: Counter[str] = Counter()
        self.forms = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("a", "area") and "href" in given:
            self.links.append((given["href"] or "").strip())
        if tag == "img" and "alt" not in given:
            self.without_alt += 1
        if tag in ACTIVE:
            self.active[f"<{tag}>"] += 1
        self.active.update(f"{name}=" for name in given if _HANDLER.fullmatch(name))
        self.forms += tag == "form"


class Reading(msgspec.Struct, frozen=True):
    """Say how the links of an e-mail are to be read.

    The defaults take links as they stand, and ask for no link to leave.
    """

    target_of: Callable[[str], str] = str
    """Link -> where it leads."""
    leaves: str = ""
    """How the link to leave begins, where the e-mail must have one; empty: it need not."""
    own: tuple[str, ...] = ()
    """How links to this system's own pages begin: they are not judged."""
    untold: list[Fault] = []
    """What comes to nothing in the template's links."""


PLAIN = Reading()


def links_of(mail: Mail, reading: Reading) -> list[str]:
    """Return where the links of an e-mail lead, of its HTML and its text, each once; not those to leave or confirm."""
    seen = _Seen()
    seen.feed(mail.html)
    written = [*seen.links, *urls_in_text(mail.text)]
    return list(
        dict.fromkeys(
            reading.target_of(link)
            for link in written
            if not (reading.own and link.startswith(reading.own))
        )
    )


def judged(mail: Mail, *, postal_address: str, reading: Reading = PLAIN) -> list[Judgement]:
    """Return what there is to say of an e-mail, what is wrong first; empty for nothing."""
    seen = _Seen()
    seen.feed(mail.html)
    found = [*_of_links(seen, mail, reading), *_of_parts(seen), *_of_size(mail), *_of_words(mail)]
    if seen.without_alt:
        found.append(
            Judgement(
                "look",
                f"pictures that say nothing where they are not shown (no alt): {seen.without_alt}",
            )
        )
    if not postal_address:
        said = "no postal address is set (MDMA_POSTAL_ADDRESS): many laws ask for one in marketing"
        found.append(Judgement("look", said))
    return sorted(found, key=lambda each: each.level != "wrong")


def _of_links(seen: _Seen, mail: Mail, reading: Reading) -> list[Judgement]:
    faults = [Fault(each, faults_of(each)) for each in links_of(mail, reading)]
    found = [
        Judgement("wrong", f"the link “{fault.target[:SHOWN_CHARACTERS_MAX]}” {fault.said}")
        for fault in faults
        if fault.said
    ]
    found += [
        Judgement("wrong", f"in a link, “{fault.target[:SHOWN_CHARACTERS_MAX]}” {fault.said}")
        for fault in reading.untold
    ]
    if reading.leaves and not any(link.startswith(reading.leaves) for link in seen.links):
        said = 'nothing in it leads to unsubscribing: write <a href="{{ unsubscribe_url }}">Unsubscribe</a>'
        found.append(Judgement("wrong", said))
    if len(seen.links) > LINKS_MAX:
        found.append(Judgement("look", f"{len(seen.links)} links: filters count them"))
    return found


def _of_parts(seen: _Seen) -> list[Judgement]:
    found = []
    if seen.active:
        each = [
            name + (f" ({count}x)" if count > 1 else "")
            for name, count in sorted(seen.active.items())
        ]
        said = f"{', '.join(each)}: mailboxes take it out, or the e-mail for an attack"
        found.append(Judgement("wrong", said))
    if seen.forms:
        said = (
            "<form>: many mailboxes do not send it, or warn of it; lead to a page of yours instead"
        )
        found.append(Judgement("look", said))
    return found


def _of_size(mail: Mail) -> list[Judgement]:
    size = len(mail.html.encode("utf-8", "replace"))
    if size > HTML_BYTES_MAX:
        said = f"{size // 1024} kB of HTML: Gmail cuts after 102, and with it the link to leave"
        return [Judgement("wrong", said)]
    if size > HTML_BYTES_MAX * 0.8:
        return [Judgement("look", f"{size // 1024} kB of HTML: Gmail cuts after 102")]
    return []


def _of_words(mail: Mail) -> list[Judgement]:
    found = []
    if len(mail.subject) > SUBJECT_CHARACTERS_SHOWN:
        said = f"the subject has {len(mail.subject)} characters: a phone shows {SUBJECT_CHARACTERS_SHOWN} at most"
        found.append(Judgement("look", said))
    if _SHOUTING.search(mail.subject):
        found.append(Judgement("look", "the subject shouts: filters and readers take it for spam"))
    if not mail.preheader:
        found.append(
            Judgement("look", "there is no preheader: an inbox shows the first words of the text")
        )
    # What stands behind the dashes is the footer, which every e-mail has.
    words = _SIGNATURE.split(unescape(mail.text))[0].strip()
    if len(words) < TEXT_CHARACTERS_MIN:
        found.append(
            Judgement("wrong", "the text part is (nearly) empty: filters compare it with the HTML")
        )
    return found
