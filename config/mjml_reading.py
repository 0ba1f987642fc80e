"""Read MJML before it is compiled, so that each mistake is told with its place.

Rules
1. The compiler (mrml) passes over what it does not know, a misspelt tag or a text between blocks, and seldom says where
   a mistake stands. Found here is what it would drop, and what people get wrong; the rest it refuses itself.
2. One mistake is told once: a misspelt element is taken for the one it is near to.
3. Liquid is passed over: what stands in the braces is no tag and no text.
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from config.mjml_words import (
    ATTRIBUTES,
    COMMENT_IN,
    HTML_INSIDE,
    PLACES,
    RAW_IN,
    TEXT_INSIDE,
    VOID,
)

DEPTH_MAX = 60
"""Elements within each other: the compiler is recursive, and a few thousand end the process that runs it."""

# A beginning that has no end costs one look, never one at all that follows: hence what each may not contain, and the
# possessive signs (as in messaging.mail.links).
LIQUID = re.compile(r"\{\{(?:(?!\{\{|\{%).)*?\}\}|\{%(?:(?!\{\{|\{%).)*?%\}", re.DOTALL)
_COMMENT = re.compile(r"<!--(?!\[if|<!\[endif)(?:(?!<!--).)*?-->", re.DOTALL)
_TAG = re.compile(
    r"<!--(?:\[if|<!\[endif)(?:(?!<!--\[if).)*?-->"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*+)"
    r"(?P<attributes>(?:\s++[\w:@.-]++(?:\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))?+)*+)\s*+(?P<empty>/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:@.-]++)(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))?+")
SLOT = re.compile(r"\{\{-?\s*content\s*-?\}\}")
_FILLER = "\ue000"
"""Stands for a character of Liquid while tags are looked for: of private use, so that nobody wrote it."""


class Mistake(NamedTuple):
    """Name one mistake in a source."""

    offset: int
    problem: str
    hint: str


class Reading(NamedTuple):
    """Hold what one walk over a source finds."""

    mistakes: list[Mistake]
    between: list[tuple[int, int]]
    """From where to where a `{% … %}` stands between blocks."""
    slots: list[str]
    """The element around each `{{ content }}`."""


def read(source: str, inside: str = "") -> Reading:
    """Return what stands in a source that itself stands inside an element (empty: a whole document).

    >>> read("<mj-txt>Hi</mj-txt>", "mj-column").mistakes[0].hint
    'did you mean <mj-text>?'
    """
    walk = _Walk(without_comments(source), inside)
    return Reading(walk.run(), walk.between, walk.slots)


def without_comments(source: str) -> str:
    """Return a source with its comments blanked; what only Outlook reads is no comment."""
    return _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


class _Walk:
    """Go over a source once, tag by tag."""

    def __init__(self, source: str, inside: str) -> None:
        self._source = source
        self._inside = inside
        self._open: list[tuple[str, int]] = []
        self._meant: dict[str, str] = {}
        """Misspelt element -> the one that it is taken for, so that one mistake is told once."""
        self._mistakes: list[Mistake] = []
        self.between: list[tuple[int, int]] = []
        self.slots: list[str] = []

    def run(self) -> list[Mistake]:
        blank = LIQUID.sub(lambda m: re.sub(r"[^\n]", _FILLER, m[0]), self._source)
        position = 0
        for tag in _TAG.finditer(blank):
            self._gap(position, blank[position : tag.start()])
            position = tag.end()
            if tag["name"] is None:
                self._comment(tag.start())
            elif tag["close"]:
                self._close(tag["name"], tag.start())
            else:
                self._begin(tag)
            if len(self._open) > DEPTH_MAX:
                self._tell(tag.start(), f"nested deeper than {DEPTH_MAX}", "flatten it")
                return self._mistakes
        self._gap(position, blank[position:])
        for name, offset in self._open:
            self._tell(offset, f"<{name}> is not closed", f"add </{name}>")
        return self._mistakes

    def _tell(self, offset: int, problem: str, hint: str) -> None:
        self._mistakes.append(Mistake(offset, problem, hint))

    @property
    def _around(self) -> str:
        return self._open[-1][0] if self._open else self._inside

    def _html_around(self) -> str:
        """Return the element in which HTML and text may stand here, empty where they may not."""
        return next((name for name, _ in self._open if name in HTML_INSIDE), "")

    def _is_unknown(self) -> bool:
        """Say whether what stands here stands in an element that is told as unknown."""
        return self._around not in PLACES and self._around != self._inside

    def _gap(self, start: int, text: str) -> None:
        if "<" in text:
            hint = 'write every attribute as name="value", and &lt; for the sign itself'
            self._tell(start + text.index("<"), "a < begins no tag here", hint)
            return
        if self._html_around() or self._is_unknown():
            return
        if text.replace(_FILLER, " ").strip():
            at = next(n for n, sign in enumerate(text) if sign != _FILLER and not sign.isspace())
            self._tell(start + at, "a text stands between blocks", "put it into <mj-text>")
        for liquid in LIQUID.finditer(self._source, start, start + len(text)):
            self._between(liquid)

    def _between(self, liquid: re.Match[str]) -> None:
        if SLOT.fullmatch(liquid[0]):
            self.slots.append(self._around)
        elif liquid[0].startswith("{{"):
            self._tell(
                liquid.start(), f"{liquid[0][:60]} stands between blocks", "put it into <mj-text>"
            )
        elif self._around in RAW_IN:
            self.between.append(liquid.span())
        else:
            where = f"<{self._around}>" if self._around else "the document"
            hint = "put it around a section, a column, or what stands in a column"
            self._tell(liquid.start(), f"{liquid[0][:60]} cannot stand in {where}", hint)

    def _comment(self, offset: int) -> None:
        if self._around in PLACES and self._around not in COMMENT_IN:
            hint = "put it into <mj-raw>"
            self._tell(offset, f"a comment for Outlook cannot stand in <{self._around}>", hint)

    def _begin(self, tag: re.Match[str]) -> None:
        name, offset = tag["name"], tag.start()
        if html := self._html_around():
            if name.startswith("mj-"):
                hint = f"close <{self._around}> first"
                self._tell(offset, f"<{name}> cannot stand in <{html}>", hint)
            elif html in TEXT_INSIDE:
                self._tell(offset, f"<{name}> cannot stand in <{html}>", "it holds text only")
            if name in VOID:
                return
        elif not self._is_unknown():
            self._check_place(name, offset)
            self._check_attributes(tag)
        if not tag["empty"]:
            self._open.append((self._meant.get(name, name), offset))

    def _check_place(self, name: str, offset: int) -> None:
        around = self._around
        if name not in PLACES:
            near = difflib.get_close_matches(name, PLACES, n=1)
            hint = f"did you mean <{near[0]}>?" if near else "HTML stands in <mj-text> or <mj-raw>"
            self._tell(offset, f"<{name}> is not known", hint)
            self._meant |= {name: near[0]} if near else {}
        elif around not in PLACES[name]:
            where = f"<{around}>" if around else "the document itself"
            wanted = ", ".join(f"<{each}>" for each in PLACES[name] if each) or "nothing"
            self._tell(offset, f"<{name}> cannot stand in {where}", f"it stands in {wanted}")

    def _check_attributes(self, tag: re.Match[str]) -> None:
        if not tag["name"].startswith("mj"):
            return
        for each in _ATTRIBUTE.finditer(tag["attributes"]):
            if each[1] not in ATTRIBUTES:
                near = difflib.get_close_matches(each[1], ATTRIBUTES, n=1)
                hint = f"did you mean {near[0]}?" if near else "delete it"
                offset = tag.start("attributes") + each.start()
                self._tell(offset, f"{each[1]} is no attribute of <{tag['name']}>", hint)

    def _close(self, name: str, offset: int) -> None:
        name = self._meant.get(name, name)
        if name in VOID:
            return
        if name not in (each for each, _ in self._open):
            self._tell(offset, f"</{name}> closes nothing", f"delete it, or add <{name}>")
            return
        while self._open[-1][0] != name:
            inner, begun = self._open.pop()
            self._tell(begun, f"<{inner}> is not closed", f"add </{inner}> before </{name}>")
        self._open.pop()
