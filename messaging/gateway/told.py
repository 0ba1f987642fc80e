"""Hold what the pages tell people: plain words, put into them by whoever knows the bots (`readers.VisitorReader`)."""

from __future__ import annotations

from datetime import datetime

import msgspec


class BotNow(msgspec.Struct, kw_only=True):
    """Say what one bot does."""

    title: str
    job: str
    """What it is there for."""
    now: str
    """What it is doing at this moment."""
    state: str
    """`works`, `rests`, `behind`, `away` or `off`."""
    figures: list[tuple[str, str]]


class StageNow(msgspec.Struct, kw_only=True):
    """Count the runs that stand at a stage."""

    name: str
    going: int = 0
    won: int = 0
    calls: int = 0
    """They wait for a person, or a person took them over."""
    over: int = 0
    note: str = ""
    """By which versions people stand at it that only older ones have; empty: the published one has it."""


class PathNow(msgspec.Struct, kw_only=True):
    """Hold the stages of one path, in its order."""

    name: str
    stages: list[StageNow]
    note: str = ""
    """By which versions people are on a path that only older ones have; empty: the published one has it."""


class Decided(msgspec.Struct, kw_only=True):
    """Say one decision, and what it could not choose."""

    id: str
    at: str
    visitor: str
    who: str
    said: str
    why: str
    """Who chose: a policy and its version, or the rules."""
    refused: list[tuple[str, str]]
    """(the rule in words, what it refused)"""


class Waiting(msgspec.Struct, kw_only=True):
    """Say what waits for a person."""

    at: str
    visitor: str
    """Empty where it is about a split test, or what was learned."""
    who: str
    said: str
    page: str = ""
    """Of the console, about what it is, where that is no visitor."""


class TaskNow(msgspec.Struct, kw_only=True):
    """Count who did one kind of task."""

    name: str
    counted: str
    """What is counted as one."""
    machine: int
    people: int
    shared: bool = True
    """Whether both can do it: what only one of the two can has no share."""


class LiftNow(msgspec.Struct, kw_only=True):
    """Compare what learning brings with what the rules alone bring, on one path."""

    path: str
    learning: str
    rules: str
    difference: str
    interval: str


class Overview(msgspec.Struct, kw_only=True):
    """Say what all bots do."""

    at: datetime
    """World time of it all."""
    world: str
    """World time and its speed, in words."""
    paused: str
    """What is held, empty for nothing."""
    tiles: list[tuple[str, str, str]]
    """(name, figure, note)"""
    work: str
    """Who did the work: the machine and people, both counts."""
    machine_percent: float
    """Of the tasks that both can do: never shown but beside both counts."""
    bots: list[BotNow]
    paths: list[PathNow]
    decisions: list[Decided]
    alerts: list[Waiting]
    alerts_open: int
    alarms: list[str] = []
    """Split tests of which nothing can be concluded, and why, where no alert says so."""
    taken_back: list[str] = []
    """Where the rules decide in place of what was learned, which did harm."""
    failing: list[tuple[str, str]] = []
    """(template that could not be composed for some readers lately, for how many and what to do)"""
    mail_waits: str = ""
    """How many e-mails wait for the mail server, since when and why; empty: none does."""
    tasks: list[TaskNow] = []
    lifts: list[LiftNow] = []


class Line(msgspec.Struct, kw_only=True):
    """Say one thing of a visitor's story."""

    at: str
    by: str
    """The bot that did it; of an event, the visitor."""
    said: str


class Story(msgspec.Struct, kw_only=True):
    """Tell what is known of one visitor, and their story."""

    name: str
    facts: list[tuple[str, str]]
    lines: list[Line]
    """Newest first."""
    visitor: str = ""
    """Visitor id."""
