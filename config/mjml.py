"""Compile MJML to HTML in which the marketer's Liquid stands as it was written.

Rules
1. Liquid is no XML: a word stands for each `{{ … }}` and `{% … %}` while it is compiled. What stands between blocks
   (`{% if … %}` around a section) goes into a `<mj-raw>`; what would get lost is a mistake.
2. The same source gives the same HTML. Nothing is fetched: no include, and no web font that nobody asked for.
"""

from __future__ import annotations

import re
from functools import lru_cache

import mrml

from config.mjml_reading import LIQUID, SLOT, Mistake, read, without_comments

HTML_BYTES_MAX = 98_000
"""Gmail cuts an e-mail at 102 kB; what is left is for the tokens of links, the pixel and the preheader."""

COMPILED_MAX = 256
"""Results kept: a version is read by several parts of one process."""

# Lines short enough to go out as they are (messaging.mail.mime); blanks between blocks show nowhere.
_BLOCK_AHEAD = re.compile(r"(?<=>)(?=<(?:table|tbody|tr|td|div|!--\[if))")
_BLANK_BETWEEN = re.compile(r"(?<=>)\s+(?=</?mj)")
_SUBJECT = re.compile(r"\{\{-?\s*subject\s*-?\}\}")


def combined(layout: str, content: str, subject: str) -> tuple[str, int]:
    """Return a layout with a template's content and subject in their places, and the offset of the content."""
    # Comments first: one that mentions the places would be given the content too, and end within it.
    titled = _SUBJECT.sub(lambda _: _escaped(subject), without_comments(layout))
    slot = SLOT.search(titled)
    assert slot is not None, "a layout is read before it is used"
    return titled[: slot.start()] + content + titled[slot.end() :], slot.start()


@lru_cache(maxsize=COMPILED_MAX)
def compiled(source: str) -> str | Mistake:
    """Return the HTML of a document in which `read` finds no mistake, or what prevents it."""
    source = without_comments(source)
    between = {start for start, _ in read(source).between}
    liquid: list[str] = []
    stem = _stem(source)

    def word(match: re.Match[str]) -> str:
        liquid.append(match[0])
        written = f"{stem}{len(liquid) - 1}z"
        return f"<mj-raw>{written}</mj-raw>" if match.start() in between else written

    # In some elements (mj-social, mj-accordion) the compiler stumbles over a line end.
    masked = _BLANK_BETWEEN.sub("", LIQUID.sub(word, source))
    options = mrml.RenderOptions(fonts={}, disable_comments=False)
    try:
        done = mrml.to_html(masked, render_options=options)
    except OSError as error:  # so it calls whatever it cannot read
        return Mistake(0, f"not to be compiled: {error}", "compare it with a template that is")
    html = _BLOCK_AHEAD.sub("\n", done.content)
    words = re.compile(rf"{stem}(\d+)z")
    kept = {int(number) for number in words.findall(html)}
    for number, match in enumerate(LIQUID.finditer(source)):
        if number not in kept:
            hint = "MJML drops it where it stands: move it into a text or an attribute"
            return Mistake(match.start(), f"{match[0][:60]} gets lost", hint)
    return words.sub(lambda match: liquid[int(match[1])], html)


def _escaped(subject: str) -> str:
    """Return a subject as XML, its Liquid untouched."""
    text = subject
    for sign, entity in (("&", "&amp;"), ("<", "&lt;")):
        text = text.replace(sign, entity)
    found = iter(LIQUID.findall(subject))
    return LIQUID.sub(lambda _: next(found), text)


def _stem(source: str) -> str:
    stem = "lq"
    while stem in source:
        stem += "q"
    return stem
