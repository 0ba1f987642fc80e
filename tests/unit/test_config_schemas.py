"""Hold the JSON Schemas against the shipped files, and against what the models refuse."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from agents.rules.ruleset import model_of
from agents.rules.source import parse
from config.load import DEFAULTS, read_folder
from config.schemas import KINDS, schema_of
from scripts.cli_rules import rules


def test_every_shipped_file_fits_its_schema() -> None:
    kinds = {model: kind for kind, model in KINDS.items()}
    seen = set()
    for file, text in read_folder(DEFAULTS).items():
        model = model_of(file)
        if model is None:
            continue
        seen.add(kinds[model])
        validator = Draft202012Validator(schema_of(kinds[model]))
        assert [error.message for error in validator.iter_errors(parse(file, text).data)] == []
    assert seen == {*KINDS}


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"event": {"name": "a", "properties": {"size": 5, "color": {"in": ["red"]}}}}, True),
        ({"sequence": {"steps": ["a", {"name": "b"}]}}, True),
        ({"event": {"nmae": "a"}}, False),
        ({"date": {"trait": "a", "in_last_days": "three"}}, False),
    ],
)
def test_a_schema_takes_and_refuses_what_the_model_does(condition: object, fits: bool) -> None:
    cohorts = {"cohorts": {"one": {"when": condition}}}
    assert Draft202012Validator(schema_of("cohorts")).is_valid(cohorts) == fits


def test_schemas_say_what_keys_mean() -> None:
    asked = schema_of("cohorts")["$defs"]["DateIs"]["properties"]["in_last_days"]
    assert asked["description"] == "Today, or so many days ago at most."


def test_the_command_prints_a_schema_and_names_the_kinds_there_are() -> None:
    printed = CliRunner().invoke(rules, ["schema", "paths"])
    assert Draft202012Validator.check_schema(json.loads(printed.output)) is None
    refused = CliRunner().invoke(rules, ["schema", "recipes"])
    assert refused.exit_code == 2
    assert "there is no kind recipes: cohorts, scores" in refused.output
