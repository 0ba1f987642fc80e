"""Hold all files of one version as models, and say which file is what."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

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
NOTHING = object()


class Names(Container[str]):
    """Hold the names of one kind.

    Parameters:
        known: those of what could be read.
        data: of a file with errors, its data; None where it could not be read at all: then every name may be there.
        key: where the names stand in it.
    """

    def __init__(self, known: Iterable[str], data: Any = NOTHING, key: str = "") -> None:
        entries = data.get(key) if isinstance(data, dict) else None
        self._any = data is not NOTHING and not isinstance(entries, dict)
        self._known = {*known, *(entries if isinstance(entries, dict) else ())}

    def __contains__(self, name: object) -> bool:
        return self._any or name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)


@dataclass(slots=True)
class RuleSet:
    """Hold the marketer's files as models, with their sources for the lines of errors."""

    sources: dict[str, Source] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    """Layout -> its MJML."""
    bodies: dict[str, str] = field(default_factory=dict)
    """Template -> its HTML, compiled where it is written as MJML."""
    spoken: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Template -> the traits of a reader that it names, sorted."""
    partial: dict[str, tuple[Source, Model]] = field(default_factory=dict)
    """File with errors -> what is left of it without them (`agents.rules.partial`): for the names it holds."""
    broken: dict[str, Any] = field(default_factory=dict)
    """File with errors -> its data, None where it could not be read. What it was to hold is there, and not known."""
    named: dict[tuple[str, int], Names] = field(default_factory=dict)
    """Kind, and how much was read by then -> its names, put together once."""

    def with_partial(self) -> RuleSet:
        """Return the set with what is left of files with errors."""
        sources = {file: source for file, (source, _) in self.partial.items()}
        models = {file: model for file, (_, model) in self.partial.items()}
        return RuleSet(self.sources | sources, self.models | models, broken=self.broken)

    def names(self, kind: str) -> Names:
        """Return the names that there are of a kind: `cohort`, `score`, `sender`, `template` or `interaction`."""
        place = kind, len(self.models) + len(self.broken)
        if place not in self.named:
            self.named[place] = self._names(kind)
        return self.named[place]

    def _names(self, kind: str) -> Names:
        whole: Mapping[str, Any] = getattr(self, f"{kind}s")
        file = f"{kind}s.yaml"
        if file in (COHORTS, SCORES, SENDERS):
            return (
                Names(whole, self.broken[file], f"{kind}s") if file in self.broken else Names(whole)
            )
        inside = (PurePosixPath(each) for each in self.broken)
        return Names({*whole, *(each.stem for each in inside if str(each.parent) == f"{kind}s")})

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
