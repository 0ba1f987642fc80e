"""Hold all files of one version as models, and say which file is what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.rules.condition_models import Model
from agents.rules.entries import entry_cohorts
from agents.rules.flow_compiler import inside as walk
from agents.rules.flow_compiler import questions_of
from agents.rules.interaction_models import InteractionFile
from agents.rules.models import (
    Cohort,
    CohortsFile,
    PathFile,
    Score,
    ScoresFile,
    SenderModel,
    SendersFile,
    TemplateFile,
)
from agents.rules.source import Source

__all__ = [
    "COHORTS",
    "SCORES",
    "SENDERS",
    "RuleSet",
    "layout_file",
    "layout_of",
    "model_of",
    "name_of",
    "walk",
]

COHORTS, SCORES, SENDERS = "cohorts.yaml", "scores.yaml", "senders.yaml"


@dataclass(slots=True)
class RuleSet:
    """Hold the marketer's files as models, with their sources for the lines of errors."""

    sources: dict[str, Source] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    """Layout -> its MJML."""
    bodies: dict[str, str] = field(default_factory=dict)
    """Template -> its HTML, compiled where it is written as MJML."""

    @property
    def cohorts(self) -> Mapping[str, Cohort]:
        """Return the cohorts by name."""
        model = self.models.get(COHORTS)
        return model.cohorts if isinstance(model, CohortsFile) else {}

    @property
    def questions(self) -> dict[str, Cohort]:
        """Return the cohorts, with what the steps of flows ask and entries wait for: cohorts that no list shows."""
        return {**questions_of(self.paths), **self.cohorts, **entry_cohorts(self.paths)}

    @property
    def scores(self) -> Mapping[str, Score]:
        """Return the scores by name."""
        model = self.models.get(SCORES)
        return model.scores if isinstance(model, ScoresFile) else {}

    @property
    def senders(self) -> Mapping[str, SenderModel]:
        """Return the senders by name."""
        model = self.models.get(SENDERS)
        return model.senders if isinstance(model, SendersFile) else {}

    @property
    def paths(self) -> Mapping[str, PathFile]:
        """Return the paths by name, in the order of their names."""
        models = sorted(self.models.items())
        return {name_of(file): each for file, each in models if isinstance(each, PathFile)}

    @property
    def templates(self) -> Mapping[str, TemplateFile]:
        """Return the templates by id, in the order of their ids."""
        models = sorted(self.models.items())
        return {name_of(file): each for file, each in models if isinstance(each, TemplateFile)}

    @property
    def interactions(self) -> Mapping[str, InteractionFile]:
        """Return the interactions by name, in the order of their names."""
        models = sorted(self.models.items())
        return {name_of(f): each for f, each in models if isinstance(each, InteractionFile)}


def name_of(file: str) -> str:
    """Return the name of what a file holds.

    >>> name_of("paths/lead-to-customer.yaml")
    'lead-to-customer'
    """
    return file.rpartition("/")[2].removesuffix(".yaml")


def model_of(file: str) -> type[Model] | None:
    """Return the model a file is read into, None for a file that is none of ours."""
    single: dict[str, type[Model]] = {
        COHORTS: CohortsFile,
        SCORES: ScoresFile,
        SENDERS: SendersFile,
    }
    in_folder: dict[str, type[Model]] = {
        "paths": PathFile,
        "templates": TemplateFile,
        "interactions": InteractionFile,
    }
    folder, _, name = file.rpartition("/")
    if not name.endswith(".yaml"):
        return None
    return single.get(file) or in_folder.get(folder)


def layout_file(name: str) -> str:
    """Return the file that holds a layout."""
    return f"layouts/{name}.mjml"


def layout_of(file: str) -> str | None:
    """Return the layout that a file holds, None for a file that holds none.

    >>> layout_of("layouts/letter.mjml")
    'letter'
    """
    folder, _, name = file.rpartition("/")
    return name.removesuffix(".mjml") if folder == "layouts" and name.endswith(".mjml") else None
