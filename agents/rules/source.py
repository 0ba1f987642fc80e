"""Read one YAML file so that every value knows its line.

Rules
1. Words are YAML 1.2's: only `true` and `false` are yes and no, so that `on:` is a key and `NO` a
   country; a date or 09:30 stays text.
2. Refused, because a model would not see it: a key given twice, an alias (it can grow without end),
   a value left empty, nesting beyond DEPTH_MAX.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from messaging.vocabulary.errors import RuleError

SIZE_MAX = 512 * 1024
"""Characters in one file: a marketer's longest template is a tenth of it."""

DEPTH_MAX = 40

Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """Resolve plain scalars as YAML 1.2's core schema does."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]{1,18}$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]{1,3})?$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


@dataclass(frozen=True, slots=True)
class Source:
    """Hold a file's data, and the line at which each part of it stands."""

    file: str
    data: Any
    lines: dict[Location, int]
    """Location -> line (from 1), of the key where there is one."""
    blocks: dict[Location, int]
    """Location of a block of text (`|`) -> line of the block's first line."""
    problems: list[tuple[Location, RuleError]] = field(default_factory=list)
    """What could not be read, and where; in the data stands nothing instead."""
    kept: dict[Location, list[int]] = field(default_factory=dict)
    """List of which some items were taken out -> which are left (`agents.rules.partial`)."""
    stand_ins: frozenset[str] = frozenset()
    """Keys whose values stand in for what is missing, or wrong, in the file (`agents.rules.partial`)."""

    def original(self, location: Location) -> Location:
        """Return where something stands in the file, whatever was taken out before it."""
        found: Location = ()
        for depth, part in enumerate(location):
            items = self.kept.get(location[:depth], [])
            is_item = isinstance(part, int) and part < len(items)
            found = (*found, items[int(part)] if is_item else part)
        return found

    def line(self, location: Location) -> int:
        """Return the line of a location, or of the nearest thing around it that stands in the file."""
        location = self.original(location)
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def error(self, location: Location, problem: str, hint: str = "") -> RuleError:
        """Return the error of something at a location."""
        return RuleError(self.file, self.line(location), problem, hint)


def parse(file: str, text: str) -> Source:
    """Read a file's text. Raise RuleError with the line for what cannot be read."""
    source = parse_parts(file, text)
    if source.problems:
        raise source.problems[0][1]
    return source


def parse_parts(file: str, text: str) -> Source:
    """Read what can be read of a file's text. Raise RuleError where that is nothing: it is no YAML."""
    if len(text) > SIZE_MAX:
        raise RuleError(file, 1, f"the file is longer than {SIZE_MAX} characters", "split it")
    try:
        _refuse_aliases(file, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise RuleError(
            file, line, f"this is no YAML: {error.problem}", _hint(text, line)
        ) from error
    except yaml.YAMLError as error:
        raise RuleError(
            file,
            1,
            "this is no YAML: a character is not allowed",
            "take out characters that cannot be seen",
        ) from error
    except RecursionError as error:
        raise RuleError(file, 1, f"nested deeper than {DEPTH_MAX}", "flatten it") from error
    if node is None:
        raise RuleError(file, 1, "the file is empty", "delete it, or fill it in")
    source = Source(file, None, {}, {})
    data = _build(node, (), source)
    return Source(file, data, source.lines, source.blocks, source.problems)


def _refuse_aliases(file: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.AliasEvent):
            raise RuleError(file, line, f"*{event.anchor}: aliases are not taken", "write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise RuleError(file, line, f"nested deeper than {DEPTH_MAX}", "flatten it")


def _hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if 0 < line <= len(lines) and "\t" in lines[line - 1]:
        return "indent with spaces, not with tabs"
    return "check the indentation, and quote texts that contain ': ', '#' or '{'"


def _build(node: yaml.Node, at: Location, source: Source) -> Any:
    source.lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, at, source)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*at, index), source) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    if node.style in ("|", ">"):
        source.blocks[at] = node.start_mark.line + 2
    return _scalar(node, at, source)


def _build_mapping(node: yaml.MappingNode, at: Location, source: Source) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problem = RuleError(source.file, line, "a key must be a word", "write `key: value`")
            source.problems.append((at, problem))
            continue
        key = key_node.value
        if key in data:
            problem = RuleError(source.file, line, f"{key} is given twice", "keep one of them")
            source.problems.append(((*at, key), problem))
            continue
        source.lines[(*at, key)] = line
        data[key] = _build(value_node, (*at, key), source)
    return data


def _scalar(node: yaml.ScalarNode, at: Location, source: Source) -> Any:
    text = node.value
    match node.tag.rpartition(":")[2]:
        case "str":
            return text
        case "bool":
            return text.lower() == "true"
        case "int" | "float" as kind:
            try:
                return int(text) if kind == "int" else float(text)
            except ValueError:
                error = source.error(at, f"{text!r} is no number", "write digits, like 4 or 2.5")
        case "null":
            error = source.error(at, f"{at[-1] if at else 'the file'} is empty", "fill it in")
        case other:
            error = source.error(at, f"the tag !{other} is not known", "leave it out")
    source.problems.append((at, error))
    return None
