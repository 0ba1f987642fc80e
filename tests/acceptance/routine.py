"""Read the marketer's path file and say, by its numbers alone, when a send may happen and whether one must.

Rules
1. Only the YAML is read; the words are those of the file and of the routine, the arithmetic is our own.
2. A window holds the moment it opens and each full hour in it; quiet hours are no moments of it.
3. With learning the machine may pick any of them, so a win inside the window decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

HOUR = timedelta(hours=1)
SEARCH_HOURS = 24 * 21


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold what the file says of one stage's e-mail step."""

    name: str
    window: timedelta
    templates: tuple[str, ...]
    default_hours: tuple[int, ...]
    another_hour: bool
    another_subject: bool


@dataclass(frozen=True, slots=True)
class Routine:
    """Hold what a path file says."""

    name: str
    attempts: int
    after_open: int
    response: timedelta
    after_visit: timedelta
    quiet_from: int
    quiet_to: int
    zone: str
    caps: tuple[tuple[int, timedelta], ...]
    success: str
    stages: dict[str, Stage]

    def stage_of(self, template: str) -> str:
        """Return the stage that a template belongs to; the shipped ones belong to one."""
        found = [s.name for s in self.stages.values() if template in s.templates]
        return found[0] if len(found) == 1 else ""

    def is_quiet(self, at: datetime, zone: str = "") -> bool:
        """Say whether nothing may be sent at this moment."""
        hour = at.astimezone(ZoneInfo(zone or self.zone)).hour
        if self.quiet_from > self.quiet_to:
            return hour >= self.quiet_from or hour < self.quiet_to
        return self.quiet_from <= hour < self.quiet_to

    def moments(self, stage: str, opens: datetime, zone: str = "") -> list[datetime]:
        """Return the moments of a window at which a send may be planned; never none."""
        found = [
            at for at in _starts(opens, self.stages[stage].window) if not self.is_quiet(at, zone)
        ]
        if found:
            return found
        after = _starts(opens, SEARCH_HOURS * HOUR)
        return [next(at for at in after if not self.is_quiet(at, zone))]

    def pinned(self, stage: str, opens: datetime, attempt: int, used: list[datetime]) -> datetime:
        """Return the moment that the rules' default hour gives (attempt counted in the stage, from 0)."""
        step = self.stages[stage]
        wanted = step.default_hours[min(attempt, len(step.default_hours) - 1)]
        moments = self.moments(stage, opens)
        if step.another_hour:
            hours = {self._hour(at) for at in used}
            moments = [at for at in moments if self._hour(at) not in hours] or moments
        return min(moments, key=lambda at: ((self._hour(at) - wanted) % 24, at))

    def bounds(
        self,
        stage: str,
        opens: datetime,
        slack: timedelta,
        *,
        zone: str = "",
        sent: Sequence[datetime] = (),
    ) -> tuple[datetime, datetime]:
        """Return the first and the last moment for a send whose window opens within `slack` of a moment."""
        first = max(self.moments(stage, opens, zone)[0], self.free_at(sent, opens))
        if self.is_quiet(first, zone):
            first = next(
                at for at in _starts(first, SEARCH_HOURS * HOUR) if not self.is_quiet(at, zone)
            )
        last = self.moments(stage, opens + slack, zone)[-1]
        if first <= last:
            return first, last
        # Nothing was allowed in the window (a cap): it opens with the first moment that is.
        return first, self.moments(stage, first + slack, zone)[-1]

    def free_at(self, sent: Sequence[datetime], at: datetime) -> datetime:
        """Return the first moment from `at` on at which one more send keeps every cap."""
        newest = sorted(sent, reverse=True)
        held = [newest[n - 1] + window for n, window in self.caps if len(newest) >= n]
        return max([at, *held])

    def over_caps(self, times: list[datetime]) -> list[str]:
        """Return the caps that these sends of one visitor break."""
        ordered = sorted(times)
        second = timedelta(seconds=1)  # a Date field has no fractions
        return [
            f"{count + 1} sends in {(later - earlier)} (cap {count} in {window})"
            for count, window in self.caps
            for earlier, later in zip(ordered, ordered[count:], strict=False)
            if later - earlier < window - second
        ]

    def _hour(self, at: datetime) -> int:
        return at.astimezone(ZoneInfo(self.zone)).hour


def read_routine(file: Path) -> Routine:
    """Read a path file."""
    given: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    quiet = given["quiet_hours"]
    return Routine(
        name=file.stem,
        attempts=given["attempts"]["total"],
        after_open=given["attempts"]["after_open"],
        response=given["response_window_hours"] * HOUR,
        after_visit=given["after_visit_hours"] * HOUR,
        quiet_from=quiet["from"],
        quiet_to=quiet["to"],
        zone=given.get("zone", "UTC"),
        caps=tuple((cap["count"], cap["hours"] * HOUR) for cap in given["caps"]),
        success=given["success"]["template"],
        stages={stage["name"]: _stage(stage) for stage in given["stages"]},
    )


def _stage(given: dict[str, Any]) -> Stage:
    email = given["email"]
    templates = [t if isinstance(t, str) else t["id"] for t in email["templates"]]
    return Stage(
        name=given["name"],
        window=email.get("window_hours", 24) * HOUR,
        templates=tuple(templates),
        default_hours=tuple(email["default_hours"]),
        another_hour="hour" in email.get("different", []),
        another_subject="subject" in email.get("different", []),
    )


def _starts(opens: datetime, window: timedelta) -> list[datetime]:
    """Return the moment a window opens and the full hours in it."""
    following = opens.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    starts = [opens]
    while following < opens + window:
        starts.append(following)
        following += HOUR
    return starts
