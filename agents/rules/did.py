"""Compile what is asked of events: how often, in which order, for which order or cart, and what was left undone.

Rules
1. An event is counted in its buckets by its name alone, for good. Where a rule asks for more (properties, a key, an
   order), Behavior keeps the newest marks of it: when, which step, which key (`agents.rules.watches`).
2. Steps follow each other in time: two at the same moment are in no order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from agents.rules.event_models import (
    EventDid,
    EventLike,
    EventNone,
    PageLike,
    SequenceIs,
    UnfinishedIs,
)
from agents.rules.facts import Facts
from agents.rules.operators import PropertiesTest, properties_test, texts_of
from agents.rules.parts import ZONE, Around, Part, counted, every, kinds_of, negated
from agents.rules.watches import PATH, Mark, Watch
from agents.rules.windows import has_days, left_at, window_start
from messaging.vocabulary.ids import derive

HOUR_SECONDS = 3600
MOMENT = timedelta(microseconds=1)


def compile_event(asked: EventDid, around: Around) -> Part:
    """Return the part that holds while an event happened often enough."""
    if asked.since_entry:
        step = EventLike(name=asked.name, properties=asked.properties)
        return _so_often(
            lambda least: since_entry(step, least, around, asked.same),
            asked.at_least,
            asked.at_most,
        )
    if not asked.properties and asked.same is None:
        return _so_often(
            lambda least: happened(asked.name, least, asked.hours), asked.at_least, asked.at_most
        )
    watch = _watch([EventLike(name=asked.name, properties=asked.properties)], asked.same, around)
    count = _marks_of_one if asked.same is not None else _marks
    return _so_often(
        lambda least: counted(count(watch), least, asked.hours, watch.kinds, watch.needs),
        asked.at_least,
        asked.at_most,
    )


def compile_not_event(asked: EventNone, around: Around) -> Part:
    """Return the part that holds while an event did not happen."""
    did = EventDid.model_construct(
        name=asked.name,
        properties=asked.properties,
        within_hours=asked.within_hours,
        within_days=asked.within_days,
        since_entry=asked.since_entry,
    )
    return negated(compile_event(did, around))


def compile_sequence(asked: SequenceIs, around: Around) -> Part:
    """Return the part that holds while a whole sequence was completed (within the window)."""
    watch = _watch(asked.steps, asked.same, around)
    last, hours = len(asked.steps) - 1, asked.hours
    span = float("inf") if asked.span_hours is None else asked.span_hours * HOUR_SECONDS

    key = f"{watch.id} {span}"

    def completed(facts: Facts) -> datetime | None:
        if key not in facts.worked_out:
            facts.worked_out[key] = worked_out(facts)
        return facts.worked_out[key]

    def worked_out(facts: Facts) -> datetime | None:
        times = (_completed(marks, last, span) for marks in _by_key(facts.marks(watch)))
        latest = max((time for time in times if time is not None), default=None)
        return None if latest is None else datetime.fromtimestamp(latest, UTC)

    def test(facts: Facts, now: datetime) -> bool:
        at = completed(facts)
        return at is not None and (hours is None or at >= window_start(now, hours, facts.zone()))

    def until(facts: Facts, now: datetime) -> datetime | None:
        at = completed(facts)
        ends = left_at(at, hours, facts.zone()) if at is not None and hours is not None else None
        return ends if ends is not None and ends > now else None

    return Part(test, until if hours is not None else None, _kinds(watch, hours), watch.needs)


def compile_unfinished(asked: UnfinishedIs, around: Around) -> Part:
    """Return the part that holds while something begun long enough ago was not finished since."""
    watch = _watch([asked.start, asked.finish], asked.same, around)
    wait, hours = timedelta(hours=asked.after_hours), asked.hours

    def open_since(facts: Facts) -> Iterable[datetime]:
        """Give, of each key, when it was begun that nothing finished since."""
        for marks in _by_key(facts.marks(watch)):
            finished = max((at for at, step, _ in marks if step == 1), default=0.0)
            for at, step, _ in marks:
                if step == 0 and at >= finished:
                    yield datetime.fromtimestamp(at, UTC)

    def test(facts: Facts, now: datetime) -> bool:
        start = window_start(now, hours, facts.zone()) if hours is not None else None
        return any(
            begun + wait <= now and (start is None or begun >= start) for begun in open_since(facts)
        )

    def until(facts: Facts, now: datetime) -> datetime | None:
        times: list[datetime] = []
        for begun in open_since(facts):
            times.append(begun + wait)
            if hours is not None:
                times.append(left_at(begun, hours, facts.zone()))
        return min((time for time in times if time > now), default=None)

    return Part(test, until, _kinds(watch, hours), watch.needs)


def happened(
    event: str, at_least: int, hours: int | None, kinds: frozenset[str] | None = None
) -> Part:
    """Count an event in its buckets, the one that most rules need.

    What did not happen so often ever did not within a window: that is looked at first, without any clock.
    """

    def count(facts: Facts, since: datetime | None) -> int:
        return facts.counter(event) if since is None else facts.recent(event, since)

    kinds = kinds if kinds is not None else kinds_of(event)
    needs = frozenset({("seen", event)})
    part = counted(count, at_least, hours, kinds, needs)
    ends = part.until
    if ends is None:
        return part
    key = f"{event}\n{at_least}\n{hours}"  # no cohort is called so

    def until(facts: Facts, now: datetime) -> datetime | None:
        if facts.counter(event) < at_least:
            return None
        known = facts.ends.get(key)  # one answer for all cohorts that ask for the same
        if known is None or known[0] is not now:
            known = facts.ends[key] = (now, ends(facts, now))
        return known[1]

    return Part(
        lambda facts, now: facts.counter(event) >= at_least and part.test(facts, now),
        until,
        part.kinds,
        needs,
    )


def since_entry(step: EventLike, at_least: int, around: Around, same: str | None = None) -> Part:
    """Return the part that holds while there are so many since the newest run of the flow's path began."""
    watch, path = _watch([step], same, around), around.path
    count = _marks_of_one(watch) if same is not None else _marks(watch)

    def test(facts: Facts, _: datetime) -> bool:
        began = facts.entered(path)
        # What began it lies before: a mark is as old as what happened, and the run as what came of it.
        return began is not None and count(facts, began + MOMENT) >= at_least

    return Part(test, None, watch.kinds | {run_kind(path)}, watch.needs)


def run_kind(path: str) -> str:
    """Return the kind of a run's beginning that a question is asked about."""
    return f"run:{path}"


def _so_often(count: Callable[[int], Part], at_least: int, at_most: int | None) -> Part:
    enough = count(at_least)
    return enough if at_most is None else every([enough, negated(count(at_most + 1))])


# -------------------------------------------------------------------------------------- marks


def _watch(steps: list[EventLike], same: str | None, around: Around) -> Watch:
    """Return what is to be kept; the same is kept once, whatever asks for it, in each version of the rules."""
    said = json.dumps([[each.model_dump(exclude_none=True) for each in steps], same])
    watch = Watch(
        id=derive("watch", said)[:8],
        steps=tuple((each.event, _test_of(each)) for each in steps),
        same=same or "",
        only=_only(steps),
    )
    return around.watches.setdefault(watch.id, watch)


def _kinds(watch: Watch, hours: int | None) -> frozenset[str]:
    return watch.kinds | ZONE if has_days(hours) else watch.kinds


def _test_of(step: EventLike) -> PropertiesTest | None:
    """Return the test of an event's properties, and of a page's path among them; None: any will do."""
    tests = [properties_test(step.properties)] if step.properties else []
    if step.page is not None:
        tests.append(_path_test(step.page))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda told: all(test(told) for test in tests)


def _path_test(page: PageLike) -> PropertiesTest:
    """Return the test of a page's path; a track call of that name has none."""
    head, piece = page.starts_with, page.contains
    if head is not None:
        return lambda told: str(told.get(PATH, "")).startswith(head)
    assert piece is not None, "a page is asked one thing"
    return lambda told: piece in str(told.get(PATH, ""))


def _only(steps: list[EventLike]) -> tuple[str, frozenset[str]] | None:
    """Return a property and the texts of which it must have one, where a single event is asked for so."""
    asked = (steps[0].properties or {}) if len(steps) == 1 else {}
    for name, each in asked.items():
        if (texts := texts_of(each)) is not None:
            return name, texts
    return None


def _marks(watch: Watch) -> Callable[[Facts, datetime | None], int]:
    def count(facts: Facts, since: datetime | None) -> int:
        start = since.timestamp() if since is not None else 0.0
        return sum(mark[0] >= start for mark in facts.marks(watch))

    return count


def _marks_of_one(watch: Watch) -> Callable[[Facts, datetime | None], int]:
    """Count those of the key that has most."""

    def count(facts: Facts, since: datetime | None) -> int:
        start = since.timestamp() if since is not None else 0.0
        keys = Counter(key for at, _, key in facts.marks(watch) if at >= start)
        return max(keys.values(), default=0)

    return count


def _by_key(marks: Iterable[Mark]) -> Iterable[list[Mark]]:
    keys: dict[int, list[Mark]] = {}
    for mark in marks:
        keys.setdefault(mark[2], []).append(mark)
    return keys.values()


def _completed(marks: Iterable[Mark], last: int, span: float) -> float | None:
    """Return when the steps 0 … last stood one after the other, the last time; None: never within the span."""
    begun: list[float | None] = [None] * (last + 1)
    """Step -> the latest beginning of what has come so far."""
    latest: float | None = None
    # The later step of one moment comes first, so that no moment stands for two steps.
    for at, step, _ in sorted(marks, key=_by_time_and_step_back):
        start = at if step == 0 else begun[step - 1]
        if start is None:
            continue
        known = begun[step]
        begun[step] = start if known is None or known < start else known
        if step == last and at - start <= span:
            latest = at
    return latest


def _by_time_and_step_back(mark: Mark) -> tuple[float, int]:
    return mark[0], -mark[1]
