"""What a new file begins with is valid as it stands; the words beside the editor are those of the documentation."""

from __future__ import annotations

import pytest

from agents.rules.basics import Model
from agents.rules.condition_models import Condition
from agents.rules.flow_models import Step
from agents.rules.time_models import SOURCES, DateIs
from agents.rules.value_models import ValueIs
from config.beginning import BEGINNINGS, beginning_of, words_of
from config.load import DEFAULTS, read_folder, validate_files

README = (DEFAULTS.parent / "README.md").read_text("utf-8")
NEW = ["paths/win-back.yaml", "templates/word.yaml", "interactions/asks.yaml", "layouts/card.mjml"]
ALONE = ["cohorts.yaml", "scores.yaml", "senders.yaml"]


@pytest.mark.parametrize("file", NEW + ALONE)
def test_a_new_file_begins_valid_beside_the_routine_that_ships(file: str) -> None:
    text = beginning_of(file)
    assert text
    assert validate_files(read_folder(DEFAULTS) | {file: text}) == []
    if file in NEW[:3]:
        assert text.startswith("#"), "it says what it is"


def test_a_file_of_no_kind_begins_empty() -> None:
    for file in ("notes/one.yaml", "paths/win-back.txt", "layouts/card.yaml", "other.yaml"):
        assert beginning_of(file) == ""
        assert words_of("notes/one.yaml") == []


@pytest.mark.parametrize("name", ["conditions.txt", "entries.txt", "steps.txt"])
def test_the_words_are_those_of_the_documentation(name: str) -> None:
    for line in (BEGINNINGS / name).read_text("utf-8").splitlines():
        assert not line or f"    {line}\n" in README, line


def test_every_condition_and_every_step_is_among_the_words() -> None:
    told = "\n".join(text for _, text in words_of("paths/win-back.yaml"))
    assert set(dict(words_of("cohorts.yaml"))) > {"Conditions"}
    for model in (Condition, Step):
        for name, field in model.model_fields.items():
            if name not in ("name", "then", "otherwise", "times"):
                assert f"{field.alias or name}:" in told, name


@pytest.mark.parametrize("model", [ValueIs, DateIs])
def test_every_question_of_a_value_and_a_date_is_among_the_words(model: type[Model]) -> None:
    told = (BEGINNINGS / "questions.txt").read_text("utf-8")
    names = {field.alias or name for name, field in model.model_fields.items()}
    assert names
    for name in names - {*SOURCES}:
        assert f"{name}:" in told, name
