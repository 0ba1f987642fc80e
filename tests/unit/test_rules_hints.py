"""Every error in a marketer's file says what, where and what to do: the nearest value, the range, an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from agents.rules.condition_models import Condition
from agents.rules.ruleset import model_of
from config.load import DEFAULTS, compile_files, read_folder, validate_files
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
        (COHORTS, "in_cart: true", "score: {name: interest, from: 100000}", "ask for less"),
        (
            COHORTS,
            "in_cart: true",
            "responded: {kind: submitted, to: nope}",
            "allowed: email, notice_bar, ",
        ),
        (COHORTS, "in_cart: true", "lifecycle: led", "did you mean lead?"),
        (COHORTS, "in_cart: true", "trait: {name: x, matches: '(a'}", "check its brackets"),
        (COHORTS, "in_cart: true", "sequence: {steps: [a]}", "add at least one"),
        (COHORTS, "in_cart: true", "date: {trait: x, after: tomorrow}", "four digits of the year"),
        (COHORTS, "in_cart: true", "device: mobile", "did you mean phone? allowed: phone, tablet, desktop"),
        (COHORTS, "in_cart: true", "device: Laptop", "did you mean desktop?"),
        (COHORTS, "in_cart: true", "device: watch", "allowed: phone, tablet, desktop"),
        (COHORTS, "in_cart: true", "sequence: {steps: [{page: {}}, a]}", "write it like {starts_with: /pricing}"),
        (COHORTS, "in_cart: true", "sequence: {steps: [{page: {starts_with: /a, contains: b}}, c]}", "keep one of"),
        (COHORTS, "in_cart: true", "sequence: {steps: [{name: a, page: {contains: b}}, a]}", "write {name: Form Sent}"),
        (COHORTS, "in_cart: true", "event: {name: a, since_entry: true, within_days: 2}", "keep one of them"),
        (COHORTS, "in_cart: true", "event: {name: bounced}", "write track: before it"),
        (COHORTS, "in_cart: true", "not_event: {name: complained}", "write track: before it"),
        (COHORTS, "in_cart: true", "page: {starts_with: pricing}", "write /pricing, or ask contains: pricing"),
        (COHORTS, "in_cart: true", "page: {starts_with: 'https://shop.example/pricing'}", "write /pricing, or"),
        (COHORTS, "in_cart: true", "not: {sequence: {steps: [{page: {starts_with: demo}}, a]}}", "write /demo"),
        (COHORTS, "in_cart: true", "unfinished: {start: {page: {starts_with: a}}, finish: b, after_hours: 1}", "/a"),
        (COHORTS, "in_cart: true", "country: XX", "write DE, DEU or Germany"),
        (COHORTS, "in_cart: true", "country: Germny", "did you mean Germany?"),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_write_instead(file: str, old: str, new: str, hint: str) -> None:
    found = errors_of(file, old, new)
    assert any(hint in each.hint for each in found), [str(each) for each in found]
    assert not any("{'" in str(each) for each in found), "nothing is told as Python writes it"


@pytest.mark.parametrize("country", ["DE", "deu", "UK", "Kosovo", "Deutschland", "Brasil"])
def test_a_country_may_be_called_as_a_site_calls_it(country: str) -> None:
    assert not errors_of(COHORTS, "in_cart: true", f"country: {country}")


def test_the_question_of_a_step_is_checked_as_that_of_a_cohort() -> None:
    steps = """
  - {name: a, if: {page: {starts_with: pricing}}, then: [{name: b, tag: x}]}
  - {name: c, wait_until: {when: {country: XX}, at_most_hours: 2}}
"""
    head = "goal: [Order Completed]\nentry: {cohort: addressable-lead}\n"
    files = FILES | {"paths/flow.yaml": f"{head}reentry: never\nsteps:{steps}"}
    found = {each.line: each.hint for each in validate_files(files) if "flow" in each.file}
    assert "write /pricing" in found[5]
    assert "write DE" in found[6]


def test_what_was_published_before_runs_on() -> None:
    files = changed(COHORTS, "in_cart: true", "any: [{country: XX}, {page: {starts_with: a}}]")
    pushed = dict.fromkeys(read_folder(DEFAULTS), "")
    assert compile_files(files, 1, pushed).cohorts


OPENED = "a\n{{ shop_name\n\nwords {{ unsubscribe_url }}\nb"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (OPENED, 2, "{{ is not closed"),
        ("a\n{{ shop_name\nb", 2, "{{ is not closed"),
        ("a\n{{ shop_name }\nb {{ shop_url }}", 2, "{{ is not closed"),
        ("a\n{% if shop_name\nb {{ shop_url }}\n{% endif %}", 2, "{% is not closed"),
        ("a\n{{ shop_name\n| nonsense words }}\n{{ shop_url }}", 3, "expected"),
        ("a\n{% if shop_name %}\nb\nc", 2, "expected tag endif"),
        ("{% if shop_url %}{% endif %}\n{% if shop_name %}\n{% for x in y %}{% endfor %}", 2, "endif"),
    ],
)  # fmt: skip
def test_what_is_not_closed_is_told_where_it_opens(text: str, line: int, said: str) -> None:
    file = "templates/invite-hello.yaml"
    first = '  Hi {{ firstName | default: first_name | default: "there" }},\n\n'
    body = "".join(f"  {each}\n" for each in text.split("\n"))
    found = validate_files(changed(file, first, body))
    assert [each.line - 3 for each in found] == [line], found
    assert said in found[0].problem
    assert found[0].hint


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
