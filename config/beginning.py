"""Give what a new file of the rules begins with, and the words that can be written in a file of its kind.

Rules
1. A beginning is valid beside the routine that ships, under any name (tests/unit/test_beginnings.py holds that).
2. The words are those of config/README.md, line by line; the same test holds them to it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath

from agents.rules.ruleset import COHORTS, SCORES, SENDERS
from config.load import DEFAULTS

BEGINNINGS = Path(__file__).parent / "beginnings"

_FILES = {
    "paths": BEGINNINGS / "path.yaml",
    "templates": BEGINNINGS / "template.yaml",
    "interactions": BEGINNINGS / "interaction.yaml",
    "layouts": DEFAULTS / "layouts" / "letter.mjml",
    COHORTS: DEFAULTS / COHORTS,
    SCORES: DEFAULTS / SCORES,
    SENDERS: DEFAULTS / SENDERS,
}
"""Folder, or file that stands alone -> what a new one begins with."""

_QUESTIONS = ("What a value or a date can be asked", "questions.txt")
_WORDS = {
    COHORTS: (
        ("A cohort, under cohorts:", "cohort.txt"),
        ("Conditions", "conditions.txt"),
        _QUESTIONS,
    ),
    SCORES: (("A score, under scores:, and what gives points", "points.txt"),),
    "paths": (
        ("How people come onto it", "entries.txt"),
        ("What a step does", "steps.txt"),
        ("A CONDITION is one of these, or {answered: opened} (or clicked)", "conditions.txt"),
        _QUESTIONS,
    ),
    "templates": (("What a template may name", "names.txt"),),
}
"""Folder or file -> its lists of words, by title."""


def beginning_of(file: str) -> str:
    """Return the text that a new file begins with, empty for one of no known kind."""
    found = _FILES.get(_kind(file))
    is_fit = found is not None and PurePosixPath(file).suffix == found.suffix
    return _text(found) if found is not None and is_fit else ""


def words_of(file: str) -> list[tuple[str, str]]:
    """Return (title, list) of the words that can be written in a file; none where there is no list."""
    return [(title, _text(BEGINNINGS / name)) for title, name in _WORDS.get(_kind(file), ())]


def _kind(file: str) -> str:
    """Return by what a file is known: its folder, or its name where it stands alone."""
    return file.partition("/")[0]


@cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")
