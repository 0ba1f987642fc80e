"""Describe the marketer's files as JSON Schema, so that editors complete them and show what a key means."""

from __future__ import annotations

from typing import Any

from agents.rules.basics import Model
from agents.rules.interaction_models import InteractionFile
from agents.rules.models import CohortsFile, PathFile, ScoresFile, SendersFile, TemplateFile

KINDS: dict[str, type[Model]] = {
    "cohorts": CohortsFile,
    "scores": ScoresFile,
    "senders": SendersFile,
    "paths": PathFile,
    "templates": TemplateFile,
    "interactions": InteractionFile,
}
"""Kind of file -> what it is read into."""


def schema_of(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a kind of file."""
    schema = KINDS[kind].model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
