"""Hold how YAML is read: plain words, known lines, nothing that a model would not see."""

from __future__ import annotations

import pytest

from agents.rules.fading import fades_at
from agents.rules.source import DEPTH_MAX, SIZE_MAX, parse
from agents.rules.values import same
from messaging.vocabulary.errors import RuleError


def test_words_are_those_of_a_marketer_not_of_an_old_yaml() -> None:
    data = parse(
        "x.yaml", "on: off\ncountry: NO\nat: 09:30\nday: 2017-06-01\nyes: true\nn: 010"
    ).data
    assert data == {
        "on": "off",
        "country": "NO",
        "at": "09:30",
        "day": "2017-06-01",
        "yes": True,
        "n": 10,
    }


def test_each_value_knows_its_line_and_a_block_its_first() -> None:
    source = parse("x.yaml", "a:\n  - b: 1\n    c: |\n      one\n      two\n  - 2\n")
    assert source.line(("a", 0, "c")) == 3
    assert source.blocks[("a", 0, "c")] == 4
    assert source.line(("a", 1)) == 6
    assert source.line(("a", 0, "c", "inner", 5)) == 3, "the nearest thing around it"
    assert str(source.error(("a", 0, "b"), "wrong", "mend it")) == "x.yaml:2: wrong (mend it)"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: &x 1\nb: *x", 2, "aliases are not taken"),
        ("a: 1\nb: 2\na: 3", 3, "a is given twice"),
        ("a: 1\nb:\n", 2, "b is empty"),
        ("a: 1\n? [b]\n: c", 2, "a key must be a word"),
        ("a: !!python/object:os.system x", 1, "is not known"),
        ("a: !!int many", 1, "is no number"),
        ("a: b\n c: d", 2, "this is no YAML"),
        ("a: \x07", 1, "a character is not allowed"),
        ("", 1, "the file is empty"),
        ("# only words", 1, "the file is empty"),
        ("[" * 5_000, 1, f"nested deeper than {DEPTH_MAX}"),
        ("x" * (SIZE_MAX + 1), 1, "the file is longer"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(RuleError, match="x") as caught:
        parse("x.yaml", text)
    assert caught.value.line == line
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (5, "5", True),
        (5.0, 5, True),
        (True, "TRUE", True),
        (" Rio ", "rio", True),
        (None, "none", False),
        (None, None, True),
        (0, False, False),
        ("5.0", "5", False),
    ],
)
def test_values_are_compared_as_they_read(left: object, right: object, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal


def test_what_does_not_fade_never_passes_a_bound() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert fades_at(8.0, [2.0], None, now) is None
    assert fades_at(0.0, [2.0], 7.0, now) is None
    assert fades_at(1.0, [2.0, None, 0.0, -1.0], 7.0, now) is None
    assert fades_at(1e300, [1e-300], 3650.0, now) is None, "nobody waits for so long"
    assert fades_at(-8.0, [-2.0], 7.0, now) == fades_at(8.0, [2.0], 7.0, now)
