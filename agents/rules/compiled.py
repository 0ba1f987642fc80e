"""Hold one version of the rules in the form that bots use: read-only, and quick to ask.

Rules
1. Nothing here changes after it was made: visitors who stand on a version find it as it was.
2. A run only moves forward along `PathRule.stages`; the first of them is where a run starts.
3. Hours of day are hours of the clock in the visitor's zone, 0 to 23. Windows of time are in hours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from agents.rules.facts import LISTS, Facts
from agents.rules.fading import fades_at
from agents.rules.flow import StepRule
from agents.rules.watches import Watching
from messaging.vocabulary.records import SplitTest

Test = Callable[[Facts, datetime], bool]
Until = Callable[[Facts, datetime], datetime | None]

Need = tuple[str, str]
"""What there must be: (`trait` | `mark` | `page` | `score` | `seen` | `place`, name), or (`is`, what they are)."""

NEEDS = ("mark", "page", "trait", "score", "place", "seen", "is")
"""The rarer first: of several needs of a cohort that one is looked at."""

PURCHASE_EVENTS = frozenset({"Order Completed"})
"""Track events that count as an order: Segment's e-commerce specification names it so."""

REFUND_EVENTS = frozenset({"Order Refunded", "Order Cancelled", "Order Refund Failed"})
"""Track events that take an order back, by the same specification."""

CONFIRM_TEMPLATE = "confirm-address"
"""Template of the e-mail that asks to confirm an address, where `MDMA_CONSENT` is `double-opt-in`."""

ANY_TRACK = "track:*"
"""Stands, among the kinds that touch a cohort, for every track event."""


PROBABILITY = "probability"
"""Kind of what happens when a visitor's predicted probability was worked out anew."""

BORN = "born"
"""Kind of what happens when a visitor is met first; it touches what may hold of somebody of whom nothing is known."""

TIME = "time"
"""Kind of what happens when only time has passed."""

_bound = itemgetter(0)

GREETING_TRAITS = (
    "firstName",
    "first_name",
    "lastName",
    "last_name",
    "name",
    "title",
    "company",
    "city",
    "language",
)
"""Traits that a template may greet by: they are always told."""

SPOKEN_MAX = 24
"""Traits that all templates of a version may name, beside those that greet: they travel with every change of one."""

PATHS_MAX = 4_096
"""Paths of which it is remembered what they match; sites have fewer, and a hostile one must not fill the memory."""


@dataclass(frozen=True, slots=True)
class CompiledCohort:
    """Decide whether a visitor belongs to a cohort."""

    name: str
    test: Test
    """Whether the visitor matches now."""
    until: Until | None
    """Earliest time, after now, at which time alone may change that; None, also as its answer: it never will."""
    kinds: frozenset[str]
    """Kinds of events that may change it (`agents.rules.facts`, rule 4), or `track:*`."""
    need: tuple[Need, ...] = ()
    """Without one of these it does not hold, and no time changes that; empty: nothing is needed."""
    keeps: frozenset[str] = frozenset()
    """Of what is kept of visitors for the rules (`CompiledRules.keeps`), that by which it is decided."""
    said: str = ""
    """Hash of what it asks for, with all it refers to: equal where it is the same cohort in two versions."""
    reach_hours: float = 0.0
    """How far back it looks at what is kept (`agents.rules.reach`)."""
    lists: tuple[str, ...] = ()
    """The static lists it asks for, as traits (`lists.<name>`), also by way of another cohort."""


class Asking(NamedTuple):
    """Hold the cohorts that a kind may change, by what they need: who lacks that is not asked."""

    always: list[CompiledCohort]
    """These need nothing."""
    needing: tuple[tuple[str, Mapping[str, list[CompiledCohort]]], ...]
    """(what kind of thing, its name -> the cohorts that need it)."""
    names: frozenset[str]
    """Of the cohorts that need something: who is inside is asked, also without it."""


NOTHING = Asking([], (), frozenset())


class ScoreRule(msgspec.Struct, frozen=True):
    """Say what gives points, how fast they fade, and what bands of the score are called."""

    name: str
    half_life_days: float | None
    """None: points do not fade."""
    cap: float | None
    """The score never stands above it; None: no limit."""
    bands: list[tuple[float, str]]
    """(from, name), lowest first."""
    points_by_kind: dict[str, float]

    def points(self, kind: str) -> float:
        """Return the points that an event of this kind gives, 0 if none."""
        return self.points_by_kind.get(kind, 0.0)

    def band(self, value: float) -> str:
        """Return the name of the band that a value lies in, empty below the lowest."""
        name = ""
        for start, band in self.bands:
            if value < start:
                break
            name = band
        return name

    def fades_at(self, value: float, now: datetime) -> datetime | None:
        """Return when a value leaves its band by fading alone, None if it never will."""
        return fades_at(value, [start for start, _ in self.bands], self.half_life_days, now)


class Template(msgspec.Struct, frozen=True):
    """Hold the words of one e-mail, as Liquid."""

    id: str
    subject: str
    preheader: str
    html: str
    text: str
    cohort: str | None = None
    """Only visitors of this cohort may get it; None: everybody."""
    names: tuple[str, ...] = ()
    """What it names beside what every e-mail is given: traits of the reader, sorted."""


class Sender(msgspec.Struct, frozen=True):
    """Name who writes: shown as `name <address>`; `url` is where their site is."""

    name: str
    address: str
    url: str = ""


class InteractionRule(msgspec.Struct, frozen=True):
    """Say what is offered on the site, to whom, for how long and how often."""

    name: str
    type: str
    """`notice_bar`, `opinion_form`, `chat_invitation` or `exit_offer`."""
    cohort: str
    """Whoever enters it while on the site is offered this; whoever leaves it loses it."""
    only: str
    """Of these, only visitors of this cohort; empty: all."""
    unless: str
    """Nobody of this cohort, and whoever enters it loses the offer; empty: all."""
    trigger: str
    """`now`, or `exit`: when the visitor is about to leave."""
    priority: int
    """Of one type the higher goes; at the day's cap what was not seen makes room for the higher."""
    minutes: int
    """How long it stands."""
    per_session: int
    """At most so many of its type in one session."""
    per_day: int
    """Not where so many of any type were offered in the last 24 hours."""
    content: dict[str, Any]
    """Plain text, in the shape in which it is sent to the browser."""


class Cap(msgspec.Struct, frozen=True):
    """Allow at most `count` marketing touches on a channel, or (`total`) on all together, in any `hours`."""

    channel: str
    count: int
    hours: int


class EntryRule(msgspec.Struct, frozen=True):
    """Say what starts a run."""

    cohort: str = ""
    """Whoever enters it; a hidden one (`agents.rules.entries`) for an entry by date or list; empty: by no cohort."""
    event: str = ""
    """Whoever does this, each time (`CompiledRules.entries`)."""
    key: str = ""
    """Property of the event that tells runs apart."""
    api: bool = False
    said: str = ""
    """In words."""


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Say which events start a run of a path."""

    path: str
    test: Callable[[dict[str, Any]], bool] | None
    """Of the properties; None: any."""
    key: str


class SuccessRule(msgspec.Struct, frozen=True):
    """Name the template of the e-mail that follows the goal; empty: none."""

    template: str


class EmailStep(msgspec.Struct, frozen=True):
    """Say which e-mails a stage may send, and when."""

    name: str
    timing: str
    """`now`, or `window`: at the hour that the learner picks in the next `window_hours`."""
    window_hours: int
    templates: list[tuple[str, str | None]]
    """(template id, cohort that alone may get it here or None)."""
    default_templates: list[str]
    """The rules' choice: by attempt in this stage, the last one for all further attempts."""
    default_first: list[str]
    """The rules' choice before those for the first attempt in this stage: the first that may be sent to the visitor."""
    default_hours: list[int]
    """The rules' hours of day, by attempt in this stage, the last one for all further attempts."""
    different: list[str]
    """What must not repeat while another is allowed: `subject`, `hour`."""
    on_uncertain: str
    """`list` (never again) or `resend`."""
    split_test: SplitTest | None = None
    """What is tested with the first e-mail of the step."""

    def default_template(self, attempt_in_stage: int) -> str:
        """Return the rules' template for the first (0), second (1), … attempt in this stage."""
        return self.default_templates[min(attempt_in_stage, len(self.default_templates) - 1)]

    def default_among(self, attempt_in_stage: int, allowed: list[str]) -> str:
        """Return the rules' template among those that may be sent to a visitor."""
        first = self.default_first if attempt_in_stage == 0 else []
        wanted = [*first, self.default_template(attempt_in_stage)]
        return next((each for each in wanted if each in allowed), allowed[0])

    def default_hour(self, attempt_in_stage: int) -> int:
        """Return the rules' hour of day for the first (0), second (1), … attempt in this stage."""
        return self.default_hours[min(attempt_in_stage, len(self.default_hours) - 1)]


class StageRule(msgspec.Struct, frozen=True):
    """Say where in the funnel a run is, what brings it there and what is sent there."""

    name: str
    on: str
    """What moves a run here: `entry`, `opened`, `clicked`, `cohort` (see `on_cohort`), or `step`: a flow does."""
    on_cohort: str
    """With `on == "cohort"`: the cohort whose entering moves a run here; else empty."""
    opportunity: bool
    hold: bool
    """True: while the visitor is there and active (in a session), nothing is triggered."""
    email: EmailStep


class PathRule(msgspec.Struct, frozen=True):
    """Hold the strategy for one goal."""

    name: str
    title: str
    priority: int
    """Among what is due together and of equal worth, the higher one goes first."""
    worth: float
    """What reaching the goal is worth, in the shop's currency."""
    goal_events: frozenset[str]
    entry: EntryRule
    reentry: str
    """`never`: a second entering starts no second run; `after_end`: it does after the last; `every_time`: it does
    beside those under way; `keyed`: beside them, one for each key."""
    zone: str
    """Where neither traits, context nor country tell the visitor's zone."""
    quiet_from: int
    quiet_to: int
    """No marketing from this hour of day to that one; equal: no quiet hours."""
    caps: list[Cap]
    attempts_total: int
    attempts_after_open: int
    """At most so many more after an open without a click."""
    response_window_hours: int
    after_visit_hours: int
    alert: str
    """Title of the alert after the last attempt."""
    success: SuccessRule
    sender: str
    stages: list[StageRule]
    """Of a flow: one for each of its e-mails, by the name of the step."""
    steps: dict[str, StepRule] = {}
    """A flow's, in the order of the file; none: the path is a loop over its stages."""

    @property
    def places(self) -> list[str]:
        """Return where a run may stand, in order: the names of the steps, or of the stages."""
        return list(self.steps) or [stage.name for stage in self.stages]

    def is_quiet(self, hour: int) -> bool:
        """Say whether an hour of day in the visitor's zone lies in the quiet hours."""
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= hour < self.quiet_to
        return hour >= self.quiet_from or hour < self.quiet_to

    def stage(self, name: str) -> StageRule | None:
        """Return the stage of this name, None if there is none."""
        return next((stage for stage in self.stages if stage.name == name), None)


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Hold one version of everything a marketer wrote."""

    version: int
    cohorts: Mapping[str, CompiledCohort]
    scores: Mapping[str, ScoreRule]
    paths: Mapping[str, PathRule]
    templates: Mapping[str, Template]
    senders: Mapping[str, Sender]
    purchase_events: frozenset[str]
    goal_events: frozenset[str]
    """Every path's goal events."""
    touched: Mapping[str, list[CompiledCohort]] = field(repr=False)
    """Kind -> cohorts, for the kinds that the rules name; `track:*` for all other track events."""
    interactions: Mapping[str, InteractionRule] = field(default_factory=dict)
    probabilities: tuple[str, ...] = ()
    """`opportunity`, `customer`: those that a cohort asks for, sorted."""
    watched: Mapping[str, Watching] = field(default_factory=dict, repr=False)
    """Event name -> what is kept of it one by one."""
    turning: frozenset[str] = frozenset()
    """Traits of which it is kept when they changed."""
    on_session: frozenset[str] = frozenset()
    """Cohorts that look at the session."""
    visits_end: bool = False
    """Whether a cohort may be entered by the end of a session alone."""
    entries: Mapping[str, list[EventEntry]] = field(default_factory=dict)
    """Event name -> the paths that it starts a run of."""
    keeps_cart: bool = False
    """Whether a cohort asks for what lies in the cart."""
    pages: tuple[tuple[str, Callable[[str], bool]], ...] = ()
    """(kind, whether a path is meant): what rules ask of pages, ever and of those of a session."""
    asked: Mapping[str, Asking] = field(default_factory=dict, repr=False)
    """Kind -> what it touches, by what is needed: who has it not is not asked."""
    order: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Cohort -> how many are written before it."""
    bounds: Mapping[str, list[tuple[float, list[CompiledCohort]]]] = field(
        default_factory=dict, repr=False
    )
    """Score -> its bounds that cohorts ask for, the lowest first, each with the cohorts."""
    keeps: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is kept of a visitor's events for these rules (`agents.rules.keeping`)."""
    counted: frozenset[str] = frozenset()
    """Names of track events whose counts are asked for: they are always counted apart from all others."""
    spoken: frozenset[str] = frozenset()
    """Traits that templates name: peers are told of them, for an e-mail."""
    pages_known: dict[str, list[str]] = field(default_factory=dict, repr=False)
    """Path -> its kinds, as they were found: what `page_kinds` remembers."""

    def cohorts_touched(self, kind: str) -> list[CompiledCohort]:
        """Return the cohorts whose result an event of this kind may change.

        `merge` touches them all.
        """
        if kind == "merge":
            return list(self.cohorts.values())
        found = self.touched.get(kind)
        if found is not None:
            return found
        return self.touched[ANY_TRACK] if kind.startswith("track:") else []

    def asked_by(self, kind: str) -> Asking:
        """Return what `cohorts_touched` does, by what is needed."""
        found = self.asked.get(kind)
        if found is not None:
            return found
        return self.asked[ANY_TRACK] if kind.startswith("track:") else NOTHING

    def page_kinds(self, path: str) -> list[str]:
        """Return the kinds of a page view by its path: only the cohorts that mean it are touched."""
        if not self.pages:
            return []
        kinds = self.pages_known.get(path)
        if kinds is None:
            if len(self.pages_known) >= PATHS_MAX:
                self.pages_known.clear()
            kinds = self.pages_known[path] = [kind for kind, means in self.pages if means(path)]
        return kinds

    def crossed(self, score: str, low: float, high: float) -> list[CompiledCohort]:
        """Return the cohorts that ask for a bound of a score between low and high, both included; some twice."""
        bounds = self.bounds.get(score, ())
        first = bisect_left(bounds, low, key=_bound)
        last = bisect_right(bounds, high, key=_bound)
        return [cohort for _, cohorts in bounds[first:last] for cohort in cohorts]


def spoken_in(templates: Iterable[Template]) -> frozenset[str]:
    """Return the traits that templates name, the first so many by name."""
    named = {name for template in templates for name in template.names} - {*GREETING_TRAITS}
    return frozenset(sorted(named)[:SPOKEN_MAX])


def index_by_kind(cohorts: Mapping[str, CompiledCohort]) -> dict[str, list[CompiledCohort]]:
    """Return kind -> cohorts it may change, in the order they are written."""
    kinds = {kind for cohort in cohorts.values() for kind in cohort.kinds} | {ANY_TRACK}
    index: dict[str, list[CompiledCohort]] = {}
    for kind in kinds:
        wide = {kind, ANY_TRACK} if kind.startswith("track:") else {kind}
        index[kind] = [cohort for cohort in cohorts.values() if cohort.kinds & wide]
    return index


def index_by_need(touched: Mapping[str, list[CompiledCohort]]) -> dict[str, Asking]:
    """Return kind -> its cohorts by what they need."""
    return {kind: _asking(cohorts) for kind, cohorts in touched.items()}


def _asking(cohorts: list[CompiledCohort]) -> Asking:
    needing: dict[str, dict[str, list[CompiledCohort]]] = {}
    for cohort in cohorts:
        for kind, name in cohort.need:
            needing.setdefault(kind, {}).setdefault(name, []).append(cohort)
    names = frozenset(cohort.name for cohort in cohorts if cohort.need)
    return Asking([each for each in cohorts if not each.need], tuple(needing.items()), names)


def lists_asked(rules: CompiledRules) -> frozenset[str]:
    """Return the static lists that cohorts, flows and entries ask for."""
    asked = {trait for cohort in rules.cohorts.values() for trait in cohort.lists}
    return frozenset(trait.removeprefix(LISTS) for trait in asked)
