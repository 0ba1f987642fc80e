"""Compile MJML to HTML in which the marketer's Liquid stands as it was written.

Rules
1. The compiler (mrml) passes over what it does not know, a misspelt tag or a text between blocks, and seldom says where
   a mistake stands. So the source is read here first, and each mistake is told with its place.
2. Liquid is no XML: a word stands for each `{{ … }}` and `{% … %}` while it is compiled. What stands between blocks
   (`{% if … %}` around a section) goes into a `<mj-raw>`; what would get lost is a mistake.
3. The same source gives the same HTML. Nothing is fetched: no include, and no web font that nobody asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import mrml

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

HTML_BYTES_MAX = 98_000
"""Gmail cuts an e-mail at 102 kB; what is left is for the tokens of links, the pixel and the preheader."""

COMPILED_MAX = 256
"""Results kept: a version is read by several parts of one process."""

# A beginning that has no end costs one look, never one at all that follows: hence what each may not contain, and the
# possessive signs (as in messaging.mail.links).
_LIQUID = re.compile(
    r"\{\{(?:(?!\{\{|\{%).)*?\}\}|\{%(?:(?!\{\{|\{%).)*?%\}",
    re.DOTALL,
)
_COMMENT = re.compile(r"<!--(?!\[if|<!\[endif)(?:(?!<!--).)*?-->", re.DOTALL)
_TAG = re.compile(
    r"<!--(?:\[if|<!\[endif)(?:(?!<!--\[if).)*?-->"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*+)"
    r"(?P<attributes>(?:\s++[\w:@.-]++(?:\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))?+)*+)\s*+(?P<empty>/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:@.-]++)(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))?+")
_BLOCK_AHEAD = re.compile(r"(?<=>)(?=<(?:table|tbody|tr|td|div|!--\[if))")
_BLANK_BETWEEN = re.compile(r"(?<=>)\s+(?=</?mj)")
_SLOT = re.compile(r"\{\{-?\s*content\s*-?\}\}")
_SUBJECT = re.compile(r"\{\{-?\s*subject\s*-?\}\}")
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
    walk = _Walk(_without_comments(source), inside)
    return Reading(walk.run(), walk.between, walk.slots)


def combined(layout: str, content: str, subject: str) -> tuple[str, int]:
    """Return a layout with a template's content and subject in their places, and the offset of the content."""
    # Comments first: one that mentions the places would be given the content too, and end within it.
    titled = _SUBJECT.sub(lambda _: _escaped(subject), _without_comments(layout))
    slot = _SLOT.search(titled)
    assert slot is not None, "a layout is read before it is used"
    return titled[: slot.start()] + content + titled[slot.end() :], slot.start()


@lru_cache(maxsize=COMPILED_MAX)
def compiled(source: str) -> str | Mistake:
    """Return the HTML of a document in which `read` finds no mistake, or what prevents it."""
    source = _without_comments(source)
    between = {start for start, _ in read(source).between}
    liquid: list[str] = []
    stem = _stem(source)

    def word(match: re.Match[str]) -> str:
        liquid.append(match[0])
        written = f"{stem}{len(liquid) - 1}z"
        return f"<mj-raw>{written}</mj-raw>" if match.start() in between else written

    # In some elements (mj-social, mj-accordion) the compiler stumbles over a line end.
    masked = _BLANK_BETWEEN.sub("", _LIQUID.sub(word, source))
    try:
        done = mrml.to_html(
            masked,
            render_options=mrml.RenderOptions(fonts={}, disable_comments=False),
        )
    except (OSError, ValueError) as error:
        return Mistake(
            0, f"this cannot be compiled: {error}", "compare it with a template that can"
        )
    html = _BLOCK_AHEAD.sub("\n", done.content)
    words = re.compile(rf"{stem}(\d+)z")
    kept = {int(number) for number in words.findall(html)}
    for number, match in enumerate(_LIQUID.finditer(source)):
        if number not in kept:
            hint = "MJML drops it where it stands: move it into a text or an attribute"
            return Mistake(match.start(), f"{match[0][:60]} gets lost", hint)
    return words.sub(lambda match: liquid[int(match[1])], html)


def _without_comments(source: str) -> str:
    """Return a source with its comments blanked; what only Outlook reads is no comment."""
    return _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


def _escaped(subject: str) -> str:
    """Return a subject as XML, its Liquid untouched."""
    text = subject
    for sign, entity in (("&", "&amp;"), ("<", "&lt;")):
        text = text.replace(sign, entity)
    found = iter(_LIQUID.findall(subject))
    return _LIQUID.sub(lambda _: next(found), text)


def _stem(source: str) -> str:
    stem = "lq"
    while stem in source:
        stem += "q"
    return stem


class _Walk:
    """Go over a source once, tag by tag."""

    def __init__(self, source: str, inside: str) -> None:
        self._source = source
        self._inside = inside
        self._open: list[tuple[str, int]] = []
        self._mistakes: list[Mistake] = []
        self.between: list[tuple[int, int]] = []
        self.slots: list[str] = []

    def run(self) -> list[Mistake]:
        blank = _LIQUID.sub(lambda m: re.sub(r"[^\n]", _FILLER, m[0]), self._source)
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

    def _gap(self, start: int, text: str) -> None:
        if "<" in text:
            hint = 'write every attribute as name="value", and &lt; for the sign itself'
            self._tell(start + text.index("<"), "a < begins no tag here", hint)
            return
        if self._html_around():
            return
        if text.replace(_FILLER, " ").strip():
            at = next(n for n, sign in enumerate(text) if sign != _FILLER and not sign.isspace())
            self._tell(start + at, "a text stands between blocks", "put it into <mj-text>")
        for liquid in self._liquid(start, start + len(text)):
            self._between(liquid)

    def _liquid(self, start: int, end: int) -> Iterator[re.Match[str]]:
        return _LIQUID.finditer(self._source, start, end)

    def _between(self, liquid: re.Match[str]) -> None:
        if _SLOT.fullmatch(liquid[0]):
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
        else:
            self._check_place(name, offset)
            self._check_attributes(tag)
        if not tag["empty"]:
            self._open.append((name, offset))

    def _check_place(self, name: str, offset: int) -> None:
        around = self._around
        if name not in PLACES:
            near = difflib.get_close_matches(name, PLACES, n=1)
            hint = f"did you mean <{near[0]}>?" if near else "HTML stands in <mj-text> or <mj-raw>"
            self._tell(offset, f"<{name}> is not known", hint)
        elif (not around or around in PLACES) and around not in PLACES[name]:
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
        if name in VOID:
            return
        if name not in (each for each, _ in self._open):
            self._tell(offset, f"</{name}> closes nothing", f"delete it, or add <{name}>")
            return
        while self._open[-1][0] != name:
            inner, begun = self._open.pop()
            self._tell(begun, f"<{inner}> is not closed", f"add </{inner}> before </{name}>")
        self._open.pop()
