"""Say what the bots know of one visitor at one moment, as the probabilities read it; and what came of it.

Rules
1. Only states are read, so a moment of the past is what the states said then: whoever keeps examples takes
   them as time passes, never afterwards.
2. A person's truth is nowhere in here: an open is an open if a human probably did it, as Behavior judged.
"""

from __future__ import annotations

from datetime import datetime

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.knowing import may_email
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules_manager.state import RulesState
from agents.sales_bot.state import SalesState
from learning.serving.moment import NEVER, Moment

DAY = 86_400.0

ASSIST = ("specification", "wish-list", "help", "returns", "delivery", "size")
"""Parts of the paths of pages that help to decide."""
ADDED, CHECKOUT, LOOKED = "Product Added", "Checkout Started", "Product Viewed"


def moment_of(
    visitor: str, behavior: BehaviorState, rules: RulesState | None, view: View, now: datetime
) -> Moment:
    """Return what is known of a visitor now."""
    at = now.timestamp()
    compiled: CompiledRules = view.rules
    facts = VisitorFacts(visitor, behavior, at, compiled.scores, view.consent)
    depths = [span.depth for span in behavior.sessions]

    def since(event: str) -> float:
        last = facts.last(event)
        return NEVER if last is None else max(0.0, (now - last).total_seconds()) / DAY

    def pages_of(days: int) -> float:
        first = int((at - days * DAY) // DAY)
        tally = behavior.tallies.get("page")
        return float(sum(n for day, n in tally.days.items() if day > first)) if tally else 0.0

    seen = max((span.last for span in behavior.sessions), default=0.0)
    return Moment(
        days_known=max(0.0, at - behavior.first_seen) / DAY if behavior.first_seen else NEVER,
        days_since_seen=max(0.0, at - seen) / DAY if seen else NEVER,
        days_since_opened=since("mail_opened"),
        days_since_clicked=since("mail_clicked"),
        days_since_cart=since(ADDED),
        days_since_sent=_days_since_sent(rules, now),
        sessions=facts.session_number,
        pages=facts.counter("page"),
        pages_7_days=pages_of(7),
        pages_30_days=pages_of(30),
        products=facts.counter(LOOKED),
        assist_pages=sum(any(part in path for part in ASSIST) for _, path in behavior.pages),
        carts=facts.counter(ADDED),
        checkouts=facts.counter(CHECKOUT),
        depth_last=depths[-1] if depths else 0,
        depth_max=max(depths, default=0),
        opens=facts.counter("mail_opened"),
        clicks=facts.counter("mail_clicked"),
        sends=sum(run.attempts for run in rules.runs.values()) if rules is not None else 0,
        score=sum(facts.score(name, now) for name in compiled.scores),
        cohorts=len(behavior.cohorts),
        stage=_stage(rules, compiled),
        may_email=may_email(behavior, view.consent),
    )


def is_lead(behavior: BehaviorState) -> bool:
    """Return whether a visitor is known and has bought nothing yet: of nobody else a probability is told."""
    known = behavior.email is not None or bool(behavior.user_ids)
    return known and not behavior.orders_count


def opportunity_at(rules: RulesState | None, compiled: CompiledRules) -> datetime | None:
    """Return when a run first reached a stage that the marketer calls an opportunity, None if none did."""
    found = [
        at
        for run in (rules.runs.values() if rules is not None else ())
        for stage, at in run.reached.items()
        if stage in _opportunities(compiled, run.path)
    ]
    return min(found, default=None)


def customer_at(sales: SalesState | None) -> datetime | None:
    """Return when a visitor first bought, as far as Sales remembers, None if they did not."""
    orders = sales.orders.values() if sales is not None else ()
    return min((order.at for order in orders if order.counted), default=None)


def _opportunities(compiled: CompiledRules, path: str) -> set[str]:
    rule = compiled.paths.get(path)
    return {stage.name for stage in rule.stages if stage.opportunity} if rule is not None else set()


def _days_since_sent(rules: RulesState | None, now: datetime) -> float:
    touches = rules.touches if rules is not None else []
    sent = [touch.at for touch in touches if touch.channel == "email" and not touch.open]
    return max(0.0, (now - max(sent)).total_seconds()) / DAY if sent else NEVER


def _stage(rules: RulesState | None, compiled: CompiledRules) -> float:
    """Return how far the furthest run is, 0 to 1."""
    furthest = 0.0
    for run in rules.runs.values() if rules is not None else ():
        rule = compiled.paths.get(run.path)
        names = [stage.name for stage in rule.stages] if rule is not None else []
        if run.stage in names and len(names) > 1:
            furthest = max(furthest, names.index(run.stage) / (len(names) - 1))
    return furthest
