"""Say which e-mails were refused by us before any server saw them: by template and reason, in words.

Rules
1. A template that cannot be composed for some readers ends their runs: that is a fault of ours, and told first.
2. Reasons may hold what is known of a reader: so many of one template are named, the rest is a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from messaging.gateway.console.delivered import Advice, Refused
from messaging.ports import Clock
from scripts.counting import counted
from scripts.reasons import FAILED, FAILED_SAID, why
from scripts.resting import Resting
from scripts.visible import shown
from scripts.wording import moment

DAYS = 30
LATELY_DAYS = 7
"""What was refused longer ago calls nobody any more."""
LINES_MAX = 20
FAILING_MAX = 5
"""Templates that are named as failing; the first ones are those that fail for most."""

Found = list[tuple[str, str, int, datetime, str]]
"""Template, reason, how many, when the newest, and whose."""


class Refusals:
    """Sum up what was refused within the last days.

    Parameters:
        count: counts the refusals of the ledger since a moment (`Store.refusals`).
        clock: tells world time.
        days: how many.
    """

    def __init__(
        self, count: Callable[[datetime], Awaitable[Found]], clock: Clock, days: int = DAYS
    ) -> None:
        self._count = count
        self._clock = clock
        self._days = timedelta(days=days)
        self._resting = Resting(self._sum_up, clock)

    async def now(self) -> list[Refused]:
        """Return all there are as they were a moment ago, the failing templates and the most first."""
        return await self._resting.now()

    async def failed(self) -> Counter[str]:
        """Return template -> how many of its e-mails could not be composed."""
        failing_now = _failing(await self.now())
        return Counter({template: _number(lines) for template, lines in failing_now.items()})

    async def of(self, template: str) -> list[Refused]:
        """Return those of one template, the most first."""
        return [each for each in await self.now() if each.template == template][:LINES_MAX]

    async def _sum_up(self) -> list[Refused]:
        return refused(await self._count(self._clock.now() - self._days))


def refused(found: Found) -> list[Refused]:
    """Return what was refused, in words."""
    lines = [
        Refused(
            template=shown(template),
            why=shown(why(reason)),
            number=number,
            at=moment(at),
            visitor=visitor,
            fails=reason.startswith(FAILED),
        )
        for template, reason, number, at, visitor in found
    ]
    return sorted(lines, key=lambda each: (not each.fails, -each.number, each.template, each.why))


def failing(lines: Sequence[Refused]) -> list[Advice]:
    """Say which templates fail for some readers, how often, and what to do: those that fail for most."""
    templates = _failing(lines)
    order = sorted(templates, key=lambda name: (-_number(templates[name]), name))
    return [_advice(name, templates[name]) for name in order[:FAILING_MAX]]


def _failing(lines: Sequence[Refused]) -> dict[str, list[Refused]]:
    found: dict[str, list[Refused]] = {}
    for each in lines:
        if each.fails:
            found.setdefault(each.template, []).append(each)
    return found


def _number(lines: Sequence[Refused]) -> int:
    return sum(each.number for each in lines)


def _advice(template: str, lines: list[Refused]) -> Advice:
    many = counted(_number(lines), "e-mails")
    return Advice(
        level="wrong",
        what=f"{many} of template “{template}” could not be composed",
        do=f"They were refused before any server saw them, and a run may end by that. What went wrong, most often: "
        f"{lines[0].why.removeprefix(FAILED_SAID)}. Look at it as such a reader, mend it, and publish.",
        template=template,
        visitor=lines[0].visitor,
    )
