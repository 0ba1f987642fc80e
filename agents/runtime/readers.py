"""Show what the bots know of a visitor, in the shape of the admin API: the only reader of other people's states.

Rules
1. Nothing is written here. A tombstone is followed to the visitor it leads to.
2. What is shown is what is stored: a visitor's page may be a batch behind, never ahead.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from agents.behavior_bot.facts import standing
from agents.behavior_bot.knowing import is_confirmed, zone_of
from agents.behavior_bot.listed import lists_of
from agents.rules.compiled import ScoreRule
from agents.rules.flow import is_hidden
from agents.runtime import tested, totals
from agents.runtime.consents import consents_of
from agents.runtime.figures import cohort_group, stage_groups
from agents.runtime.held import Codec, Held
from agents.runtime.policies import choosing
from agents.runtime.predicted import Predictions
from agents.runtime.registry import WIRING
from agents.runtime.stages_kept import StagesKept
from agents.runtime.timelines import moves_of, ordered
from agents.sales_bot.shown import orders_of, revenue_of
from agents.sales_bot.state import SalesState
from learning.serving.probability import CUSTOMER, OPPORTUNITY
from messaging.ports import Journal, Store
from messaging.vocabulary.ids import anonymous_key, email_key, user_key
from messaging.vocabulary.quarantine import QUARANTINE, told_aside

UPKEEP = frozenset({"rules_published", "rules_filled"})
"""Facts by which rules reach a visitor: counted so that none is lost, and nothing that anybody did."""

TIMELINE_MAX = 500
"""Lines of each kind in one timeline: the newest."""

_VISITOR_ID = re.compile(r"[0-9a-f]{24}")

FOLLOW_MAX = 64


class StoreReader:
    """Read visitors from the store.

    Parameters:
        store: where states and rows are.
        journal: where the events are that said yes or no; without one a consent has no basis.
        now: tells world time, for the probabilities; None: none are told.
        consent: the consent setting in force.
        scores: gives the rules of scores that hold now; None: scores are told as they stood at their last point.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal | None = None,
        *,
        now: Callable[[], datetime] | None = None,
        consent: str = "opt-in",
        scores: Callable[[], Awaitable[Mapping[str, ScoreRule]]] | None = None,
    ) -> None:
        self._scores = scores
        self._store = store
        self._journal = journal
        self._now = now
        self._stages = StagesKept(store)
        self._predictions = Predictions(store, consent)
        self._codecs = {name: Codec(wiring.make()) for name, wiring in WIRING.items()}

    async def find(self, id_: str) -> str | None:
        """Return the visitor id behind a visitor id, user id, anonymous id or e-mail address."""
        keys = [user_key(id_), email_key(id_), anonymous_key(id_)]
        rows = await self._store.identities(keys)
        found = next((rows[key][0] for key in keys if key in rows), None)
        if found is None and _VISITOR_ID.fullmatch(id_):
            found = id_
        for _ in range(FOLLOW_MAX):
            held = await self._held("behavior", found) if found else None
            if held is None:
                return None
            if not held.moved:
                return found
            found = held.moved
        return None

    async def people(self, id_: str) -> list[str]:
        """Return the visitor that an id leads to and those merged into them, nobody if unknown."""
        visitor = await self.find(id_)
        behavior = await self._state("behavior", visitor) if visitor is not None else None
        return [] if visitor is None or behavior is None else [visitor, *behavior.absorbed]

    async def visitor(self, id_: str) -> dict[str, Any] | None:
        """Return one visitor, None if unknown."""
        visitor = await self.find(id_)
        if visitor is None:
            return None
        behavior = await self._state("behavior", visitor)
        rules = await self._state("rules", visitor)
        sales = await self._state("sales", visitor)
        people = [visitor, *behavior.absorbed]
        sends = await self._rows("sends", people)
        offered = await self._rows("engagements", people)
        return {
            "visitor_id": visitor,
            "user_ids": sorted(behavior.user_ids),
            "anonymous_ids": sorted(behavior.anonymous_ids),
            "email": behavior.address or None,
            "traits": {name: stamp.value for name, stamp in behavior.traits.items()},
            "zone": zone_of(behavior),
            "lists": lists_of(behavior),
            "counters": _counters(behavior),
            "by_people": {
                name: behavior.tallies[name].human
                for name in ("mail_opened", "mail_clicked")
                if name in behavior.tallies
            },
            "over_bound": behavior.over_bound,
            "marks_dropped": behavior.marks_dropped,
            "let_go": behavior.let_go,
            "scores": await self._scored(behavior),
            "cohorts": _written(behavior.cohorts),
            "runs": [_run(run) for run in rules.runs.values()] if rules is not None else [],
            "sends": [_send(row) for row in reversed(sends)],
            "engagements": [_engagement(row) for row in reversed(offered)],
            "orders": orders_of(sales) if sales is not None else [],
            **revenue_of(sales if sales is not None else SalesState()),
            "consent": _consent(behavior),
            "consents": await consents_of(behavior, self._journal),
            "unsubscribed_at": _moment(behavior.unsubscribed_at),
            "address_confirmed_at": _confirmed_at(behavior),
            "confirmation_asked_at": _confirmation_asked_at(behavior),
            "probabilities": await self._predicted(visitor, behavior),
        }

    async def _scored(self, behavior: Any) -> dict[str, float]:
        """Return the scores as the rules see them now: faded, and cut at their caps."""
        rules = await self._scores() if self._scores is not None else {}
        now = self._now().timestamp() if self._now is not None else None
        found = {}
        for name, points in behavior.scores.items():
            rule, value = rules.get(name), points.value
            if rule is not None and now is not None:
                value = standing(value, points.at, rule, now)
            found[name] = round(value, 3)
        return found

    async def _predicted(self, visitor: str, behavior: Any) -> dict[str, Any]:
        """Return a lead's probabilities; who is an opportunity already has none of becoming one."""
        if self._now is None:
            return {}
        told = await self._predictions.of(behavior, self._now())
        if OPPORTUNITY in told and await self._is_opportunity(visitor):
            del told[OPPORTUNITY]
        return told

    async def _is_opportunity(self, visitor: str) -> bool:
        match = {"visitor": visitor, "kind": "stage.reached"}
        rows = await self._store.rows("story", match, limit=TIMELINE_MAX)
        return any(row["detail"]["opportunity"] for row in rows)

    async def timeline(self, id_: str) -> list[dict[str, Any]] | None:
        """Return one visitor's story, oldest first: events, decisions, what was planned, sent and refused."""
        visitor = await self.find(id_)
        if visitor is None:
            return None
        behavior = await self._state("behavior", visitor)
        lines: list[dict[str, Any]] = [
            {
                "at": datetime.fromtimestamp(at, UTC),
                "bot": "behavior",
                "kind": "event",
                "what": what,
            }
            for at, what in behavior.recent
        ]
        lines += moves_of(behavior)
        for table, bot in (
            ("story", ""),
            ("decisions", "rules"),
            ("sends", "email"),
            ("alerts", "rules"),
            ("engagements", "engagement"),
            (QUARANTINE, ""),
        ):
            for row in await self._rows(table, [visitor, *behavior.absorbed]):
                row.pop("visitor", None)
                if table == QUARANTINE:
                    row = told_aside(row)  # noqa: PLW2901 - what an error says may name anybody
                kind = row.pop("kind", table)
                lines.append({"bot": bot, **row, "kind": f"{table}: {kind}"})
        return ordered(lines)

    async def _rows(self, table: str, people: list[str]) -> list[dict[str, Any]]:
        """Return the newest rows of a visitor and of those who were merged into them, the newest first."""
        found: list[dict[str, Any]] = []
        for visitor in people:
            found += await self._store.rows(table, {"visitor": visitor}, limit=TIMELINE_MAX)
        found.sort(key=lambda row: (row["at"], row["id"]), reverse=True)
        return found[:TIMELINE_MAX]

    async def page(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return visitors by visitor id, those after `after`; tombstones are left out."""
        return await self.summaries(await self._store.visitors("behavior", after, limit))

    async def of_cohort(self, cohort: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return the visitors of a cohort, by visitor id, those after `after`."""
        return await self.summaries(
            await self._store.members("behavior", [cohort_group(cohort)], after, limit)
        )

    async def at_stage(self, path: str, stage: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return the visitors who stand at a stage of a path now, by visitor id, those after `after`."""
        return await self.summaries(
            await self._store.members("rules", stage_groups(path, stage), after, limit)
        )

    async def counted(self, *, cohort: str = "", path: str = "", stage: str = "") -> int:
        """Return how many are in a cohort, or stand at a stage of a path: the sums of the last commits."""
        groups = [cohort_group(cohort)] if cohort else stage_groups(path, stage)
        figures = await self._store.figures("behavior" if cohort else "rules")
        return int(sum(figures.get(group, 0) for group in groups))

    async def summaries(self, ids: list[str]) -> list[dict[str, Any]]:
        """Return these visitors as a list shows them; tombstones are left out."""
        bodies = await self._store.load("behavior", ids)
        found = []
        for visitor in ids:
            if visitor not in bodies:  # erased a moment ago
                continue
            held = self._codecs["behavior"].decode(bodies[visitor])
            if not held.moved:
                state = held.state
                found.append(
                    {
                        "visitor_id": visitor,
                        "email": state.address or None,
                        "cohorts": _written(state.cohorts),
                        "counters": _counters(state),
                    }
                )
        return found

    async def stats(self) -> dict[str, Any]:
        """Return counts of the whole system."""
        return await totals.stats(self._store)

    async def counts(self) -> dict[str, Any]:
        """Return what the overview counts."""
        return await totals.counts(self._store)

    async def addresses(self, visitors: list[str]) -> dict[str, str]:
        """Return visitor -> e-mail address, of those who have one."""
        bodies = await self._store.load("behavior", visitors)
        found = {v: self._codecs["behavior"].decode(body).state for v, body in bodies.items()}
        return {visitor: state.address for visitor, state in found.items() if state.address}

    async def experiments(self) -> list[dict[str, Any]]:
        """Return every split test that is published or was ever begun, the published ones first."""
        return await tested.experiments(self._store)

    async def policies_held(self) -> int:
        """Return of how many policies what was learned last is held, so that an older one acts."""
        return sum("held" in each.arrays for each in await choosing(self._store))

    async def likely(self, visitors: list[str]) -> dict[str, dict[str, Any]]:
        """Return visitor -> how likely they buy within the horizon, as `probabilities` has it; unknown: left out."""
        if self._now is None:
            return {}
        bodies = await self._store.load("behavior", visitors)
        found = {}
        for visitor, body in bodies.items():
            told = await self._predictions.of(
                self._codecs["behavior"].decode(body).state, self._now()
            )
            if CUSTOMER in told:
                found[visitor] = told[CUSTOMER]
        return found

    async def unwritable(self, id_: str) -> str:
        """Return in words why the Rules Manager sends a visitor no marketing e-mail; empty: it may."""
        visitor = await self.find(id_)
        rules = await self._state("rules", visitor) if visitor is not None else None
        if visitor is None or rules is None or (rules.may_email and rules.owns_mailbox):
            return ""
        behavior = await self._state("behavior", visitor)
        if behavior.unsubscribed_at:
            return "they unsubscribed"
        if not behavior.address:
            return "nobody knows their address"
        if behavior.address in behavior.unreachable:
            return "their address bounced"
        return "they have not agreed" if rules.owns_mailbox else "their mailbox is somebody else's"

    async def stages(self, version: int | None = None) -> dict[str, list[str]]:
        """Return path -> names of its stages, over all kept versions, or of where a run of this one may go on."""
        return await self._stages.names(version)

    async def paths(self) -> list[str]:
        """Return the paths of every version that is or was published, by name."""
        return await self._stages.paths()

    async def versions_with(self, path: str) -> list[int]:
        """Return the versions that have a path, the newest first."""
        return await self._stages.versions_with(path)

    async def _held(self, bot: str, visitor: str) -> Held | None:
        body = (await self._store.load(bot, [visitor])).get(visitor)
        return None if body is None else self._codecs[bot].decode(body)

    async def _state(self, bot: str, visitor: str) -> Any:
        held = await self._held(bot, visitor)
        return None if held is None else held.state


def _consent(state: Any) -> dict[str, Any]:
    """Return category -> yes or no as it stands: who unsubscribed has taken back what they said before."""
    said = {name: stamp.value for name, stamp in state.consents.items()}
    return said | {"email": False} if state.unsubscribed_at else said


def _written(cohorts: list[str]) -> list[str]:
    """Return the cohorts that a marketer wrote."""
    return [name for name in cohorts if not is_hidden(name)]


def _counters(state: Any) -> dict[str, int]:
    """Return how often each event was taken; of the machine's own upkeep nothing."""
    return {name: count for name, count in state.counters.items() if name not in UPKEEP}


def _confirmed_at(state: Any) -> datetime | None:
    """Return when the owner of the present address confirmed it (double opt-in)."""
    return _moment(state.confirming.confirmed_at) if is_confirmed(state) else None


def _confirmation_asked_at(state: Any) -> datetime | None:
    """Return since when the owner of the present address is asked to confirm it, and has not."""
    held = state.confirming
    is_open = held is not None and held.address == state.address and not held.confirmed_at
    return _moment(held.asked_at) if is_open else None


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _run(run: Any) -> dict[str, Any]:
    last = run.last_try()
    return {
        "path": run.path,
        "version": run.version,
        "run": run.run,
        "stage": run.stage,
        "step": last.step if last is not None else "",
        "attempt": run.attempts,
        "status": run.status,
        "entered_at": run.entered_at,
        "planned_at": run.planned_at,
        "holdout": run.holdout,
    }


def _send(row: dict[str, Any]) -> dict[str, Any]:
    kept = (
        *("template", "status", "reason", "until", "at"),
        *("path", "run", "stage", "attempt", "success"),
    )
    return {"message_id": row["id"], **{name: row.get(name) for name in kept}}


def _engagement(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("interaction", "interaction_type", "status", "reason", "at", "shown_at")
    return {"engagement_id": row["id"], **{name: row.get(name) for name in kept}}
