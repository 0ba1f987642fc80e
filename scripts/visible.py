"""Print what others wrote so that it can only be read: nothing of it moves the cursor or speaks to the terminal.

Traits, event names, templates and whoever answered an alert come from the public API. Commands print words
through `say`; `--json` does not need it, JSON has escapes of its own.
"""

from __future__ import annotations

import re
from typing import Any

import click

VALUE_CHARACTERS_MAX = 200
"""A longer value is cut in words; `--json` has all of it."""

FINDING_CHARACTERS_MAX = 1_000
"""A line made of several values may be as long as this."""

WORD_CHARACTERS_MAX = 100
"""A longer word of a sentence is no word: a number of thousands of digits that somebody wrote."""

# C0, DEL and C1; line separators; overrides and isolates of writing direction; halves of a character.
_HIDDEN = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
]
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _HIDDEN}


def visible(text: str) -> str:
    r"""Return a text in one line, its control characters written out.

    >>> print(visible("a\x1b[2J\nb\u202e"))
    a\x1b[2J\x0ab\u202e
    """
    return text.translate(_ESCAPES)


def shown(value: Any, at_most: int = VALUE_CHARACTERS_MAX) -> str:
    r"""Return a value as words show it: visible, and cut at a sensible length.

    >>> shown("eve\x07"), shown("abc" * 100, at_most=30)
    ('eve\\x07', 'abcabcabcabc… (300 characters)')
    """
    text = visible(str(value))
    if len(text) <= at_most:
        return text
    # The end counts too, so that a value which was cut is not cut again.
    end = f"… ({len(text):,} characters)"
    return text[: at_most - len(end)] + end


_ENDLESS = re.compile(rf"[^\s'\";)]{{{WORD_CHARACTERS_MAX + 1},}}")


def readable(text: str) -> str:
    """Return a sentence, with what is far too long for a word in it cut.

    >>> readable("write it without quotes: " + "9" * 5000 + "; found")[-36:]
    '999999999… (5,000 characters); found'
    """
    return _ENDLESS.sub(lambda found: shown(found[0], WORD_CHARACTERS_MAX), text)


def plain(value: Any) -> Any:
    r"""Return rows of the API with every text in them as it is shown; names of fields stay as they are.

    >>> plain({"by": "eve\x1b", "attempts": [1, "\r"]})
    {'by': 'eve\\x1b', 'attempts': [1, '\\x0d']}
    """
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def say(text: str, *, err: bool = False) -> None:
    """Print one line of words, whatever it holds."""
    click.echo(visible(text), err=err)
