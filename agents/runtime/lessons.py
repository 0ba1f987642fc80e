"""Gather what a probability is learned from: the moments that are kept, and what came of them.

Rules
1. A moment is what Behavior kept as time passed. Where it led is looked up when it is learned from: a customer in
   Sales' states, an opportunity in the Rules Manager's. Who bought was an opportunity, by the order at the latest,
   whatever stages they came by: an order that only a webhook tells passes none.
2. Moments are taken week by week, the newest whose horizon is over first, so many of each: what is read is bounded,
   and no week outweighs another. Within a week everybody has a time of their own by a hash, so a part of it is a
   fair sample.
3. A visitor who was merged is looked up where they went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.behavior_bot.moments import MONDAY_SECONDS, WEEK_SECONDS
from agents.rules.compiled import CompiledRules
from agents.rules_manager.state import RulesState
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from agents.sales_bot.state import SalesState
from learning.serving.moment import FEATURES
from learning.serving.probability import CUSTOMER, HORIZON_DAYS, policy_of
from learning.training.lesson import Example, Lesson
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot

WEEKS = 12
WEEK_ROWS_MAX = 2_000
"""24,000 rows in all: a training of some seconds, and more rows taught nothing that could be told from luck."""
LOADED_AT_ONCE = 500
FOLLOW_MAX = 64

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]
"""A row of `moments`: visitor, at, week, inputs."""

ReachedAt = Callable[[str], datetime | None]
"""Visitor -> when they got there, None if they did not."""


async def gather(store: Store, rules: CompiledRules, policy: str, now: datetime) -> Lesson:
    """Return what a training at `now` learns from, with the model that acts. Raise `Unavailable`."""
    rows = await _moments(store, now)
    visitors = {row["visitor"] for row in rows}
    in_sales = await _states(store, "sales", visitors)
    in_rules = await _states(store, "rules", visitors) if policy != policy_of(CUSTOMER) else {}

    def reached_at(visitor: str) -> datetime | None:
        return got_there_at(policy, in_rules.get(visitor), in_sales.get(visitor), rules)

    return Lesson(policy, examples_of(rows, reached_at, now), await newest_snapshot(store, policy))


def examples_of(rows: Iterable[Row], reached_at: ReachedAt, now: datetime) -> list[Example]:
    """Return the moments at which a visitor was not there yet, with what is known of them now."""
    examples = []
    for row in rows:
        at, there_at = row["at"], reached_at(row["visitor"])
        if len(row["inputs"]) != len(FEATURES) or (there_at is not None and there_at <= at):
            continue
        is_there = there_at is not None and there_at <= now
        after = (there_at - at) / DAY if is_there and there_at is not None else None
        followed = (now - at) / DAY
        moment_at = (at - EPOCH) / DAY
        examples.append(Example(moment_at, row["inputs"], after, followed, row["visitor"]))
    return examples


async def newest_snapshot(store: Store, policy: str) -> Snapshot | None:
    """Return what acts for a policy, None if nothing was published. Raise `Unavailable`."""
    rows = await store.rows("snapshots", {"policy": policy}, limit=1)
    if not rows:
        return None
    row = rows[0]
    return Snapshot(
        policy=policy,
        version=row["version"],
        learned_to=row["learned_to"],
        arms=row["arms"],
        arrays=row["arrays"],
    )


def got_there_at(
    policy: str, in_rules: RulesState | None, in_sales: SalesState | None, rules: CompiledRules
) -> datetime | None:
    """Return when a visitor got where a probability is of, None if they did not."""
    bought = customer_at(in_sales)
    if policy == policy_of(CUSTOMER):
        return bought
    found = (opportunity_at(in_rules, rules), bought)
    return min((each for each in found if each is not None), default=None)


def opportunity_at(state: RulesState | None, rules: CompiledRules) -> datetime | None:
    """Return when a run first reached a stage that the marketer calls an opportunity, None if none did."""
    found = [
        at
        for run in (state.runs.values() if state is not None else ())
        for stage, at in run.reached.items()
        if stage in _opportunities(rules, run.path)
    ]
    return min(found, default=None)


def customer_at(state: SalesState | None) -> datetime | None:
    """Return when a visitor first bought, as far as Sales remembers, None if they did not."""
    orders = state.orders.values() if state is not None else ()
    return min((order.at for order in orders if order.counted), default=None)


def _opportunities(rules: CompiledRules, path: str) -> set[str]:
    rule = rules.paths.get(path)
    return {stage.name for stage in rule.stages if stage.opportunity} if rule is not None else set()


def weeks_at(now: datetime) -> range:
    """Return the weeks that a training learns from, the newest first."""
    newest = int((now - HORIZON_DAYS * DAY).timestamp() - MONDAY_SECONDS) // WEEK_SECONDS
    return range(newest, newest - WEEKS, -1)


async def _moments(store: Store, now: datetime) -> list[Row]:
    rows: list[Row] = []
    for week in weeks_at(now):
        rows += await store.rows("moments", {"week": week}, limit=WEEK_ROWS_MAX)
    return rows


async def _states(store: Store, bot: str, visitors: set[str]) -> Mapping[str, Any]:
    """Return visitor -> one bot's state, for those it knows."""
    codec = Codec(WIRING[bot].make())
    found: dict[str, Any] = {}
    asked = {visitor: visitor for visitor in sorted(visitors)}
    for _ in range(FOLLOW_MAX):
        held = await _held(store, codec, bot, sorted(set(asked.values())))
        found |= {who: held[at].state for who, at in asked.items() if at in held}
        asked = {who: held[at].moved for who, at in asked.items() if at in held and held[at].moved}
        if not asked:
            break
    return found


async def _held(store: Store, codec: Codec, bot: str, visitors: list[str]) -> dict[str, Held]:
    held: dict[str, Held] = {}
    for first in range(0, len(visitors), LOADED_AT_ONCE):
        bodies = await store.load(bot, visitors[first : first + LOADED_AT_ONCE])
        held |= {visitor: codec.decode(body) for visitor, body in bodies.items()}
    return held
