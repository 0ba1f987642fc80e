"""Every error in a marketer's file says what, where and what to do: the nearest value, the range, an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from agents.rules.condition_models import Condition
from agents.rules.ruleset import model_of
from config.load import DEFAULTS, read_folder, validate_files
from messaging.vocabulary.errors import RuleError
from tests.unit.test_config_load import MISTAKES, changed

FILES = read_folder(DEFAULTS)
PATH = "paths/lead-to-customer.yaml"
COHORTS, SCORES, SENDERS = "cohorts.yaml", "scores.yaml", "senders.yaml"
CHAT = "interactions/chat.yaml"


def errors_of(file: str, old: str, new: str) -> list[RuleError]:
    return validate_files(changed(file, old, new))


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_no_mistake_is_told_without_a_hint(mistake: tuple[str, ...]) -> None:
    for error in errors_of(mistake[1], mistake[2], mistake[3]):
        assert error.hint, str(error)
        assert error.line >= 1


@pytest.mark.parametrize(
    ("file", "old", "new", "hint"),
    [
        (PATH, "timing: window", "timing: windw", "did you mean window? allowed: now, window"),
        (PATH, "timing: window", "timing: later", "allowed: now, window"),
        (PATH, "reentry: never", "reentry: every-time", "did you mean every_time?"),
        (PATH, "{from: 21, to: 8}", "{from: 24, to: 8}", "allowed: 0 to 23; found 24"),
        (PATH, "total: 4", "total: 99", "allowed: 1 to 16; found 99"),
        (PATH, "total: 4", "total: 0", "allowed: 1 to 16; found 0"),
        (PATH, "total: 4", 'total: "4"', "write it without quotes: 4"),
        (PATH, "total: 4", "total: many", "write a whole number, like 4 (1 to 16)"),
        (PATH, "total: 4", "total: 2.5", "write a whole number"),
        (PATH, "sender: shop", "sender: Shop One", "small letters, digits"),
        (PATH, "sender: shop", "sender: 5", 'put it in quotes: "5"'),
        (PATH, "total: 4", "tota: 4", "with a number (1 to 16)"),
        (PATH, "sender: shop", "sender: shp", "did you mean shop? there are: shop"),
        (PATH, "cohort: addressable-lead", "cohort: adressable-lead", "did you mean addressable-lead?"),
        (PATH, "zone: UTC", "zone: Europe/Berln", "did you mean Europe/Berlin?"),
        (SCORES, "half_life_days: 14", "half_life_days: 0", "above 0"),
        (SENDERS, "hello@shop.example", "hello", "write it like hello@shop.example"),
        (SENDERS, "url: https://shop.example", "url: shop", "write it like https://shop.example"),
        (CHAT, "url: /contact", "url: javascript:x", "write it like /contact"),
        (CHAT, "priority: 30", "priority: 30\nminutes: 2000", "allowed: 1 to 1,440"),
        (COHORTS, "in_cart: true", "in_cart: often", "write true or false"),
        (COHORTS, "in_cart: true", "session: {}", "write it like {depth_at_least: 2}"),
        (COHORTS, "in_cart: true", "lifecycle: led", "did you mean lead?"),
        (COHORTS, "in_cart: true", "trait: {name: x, matches: '(a'}", "check its brackets"),
        (COHORTS, "in_cart: true", "sequence: {steps: [a]}", "add at least one"),
        (COHORTS, "in_cart: true", "date: {trait: x, after: tomorrow}", "four digits of the year"),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_write_instead(file: str, old: str, new: str, hint: str) -> None:
    found = errors_of(file, old, new)
    assert any(hint in each.hint for each in found), [str(each) for each in found]


WRONG: list[Any] = ["", "no such thing", -1, 10**12, 2.5, True, [], {}, ["x"], {"x": "y"}]


def _leaves(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, each in inner:
        yield from _leaves(each, (*at, key))


def _with(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[at[0]] = _with(data[at[0]], at[1:], value)
    return copy


SAMPLE = (COHORTS, SCORES, SENDERS, PATH, CHAT, "interactions/opinion.yaml")


@pytest.mark.parametrize("file", SAMPLE)
def test_whatever_is_written_in_the_place_of_anything_is_told_with_line_and_hint(file: str) -> None:
    """Each value of a shipped file is replaced in turn by ten that mostly do not fit."""
    from agents.rules.reading import read_model
    from agents.rules.source import parse

    data = parse(file, FILES[file]).data
    model = model_of(file)
    assert model is not None
    told = 0
    for number, at in enumerate(_leaves(data)):
        for wrong in WRONG[number % 3 :: 3] if number else WRONG:
            text = yaml.safe_dump(_with(data, at, wrong), sort_keys=False)
            try:
                source = parse(file, text)
            except RuleError as error:
                found = [error]
            else:
                read = read_model(source, model)
                found = read if isinstance(read, list) else []
            for error in found:
                assert error.hint, (at, wrong, str(error))
                assert 1 <= error.line <= text.count("\n") + 1
                told += 1
    assert told > 20


EXAMPLES = {
    "score": {},
    "session": {},
    "orders": {},
    "cart": {},
    "campaign": {},
    "social": {},
    "probability": {"of": "customer"},
    "clock": {},
    "date": {},
}


@pytest.mark.parametrize("operator", EXAMPLES)
def test_an_example_in_a_hint_can_be_written(operator: str) -> None:
    new = f"{operator}: {EXAMPLES[operator] or '{}'}"
    found = errors_of(COHORTS, "in_cart: true", new)
    examples = [match[0] for each in found if (match := re.search(r"\{.*\}", each.hint))]
    for example in examples:
        Condition.model_validate(
            {operator: yaml.safe_load(example.replace("2026-11-30", "'2026-11-30'"))}
        )
    assert found
