"""Let one browser visit the site, all bots running in this process, and read what stands open for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from agents.engagement_bot.state import EngagementState, Offer
from agents.protocol.bot import View
from agents.rules_manager.state import RulesState
from agents.runtime.inprocess import InProcess
from config.load import DEFAULTS, compile_folder
from messaging.vocabulary.events import Engaged, Record
from messaging.vocabulary.ids import anonymous_key, partition_of, position, visitor_id_for

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ASSIST = "/specification/cup"
RULES = compile_folder(DEFAULTS, 1)


def default_view(**changes: Any) -> View:
    """Return a view of the routine that ships."""
    fields: dict[str, Any] = {"rules": RULES, "rules_version": 1, "pinned": {1: RULES}}
    return View(**({"snapshots": {}} | fields | changes))


class Site:
    """Run all bots for a few browsers on a clock that jumps."""

    def __init__(self, view: View | None = None) -> None:
        self.world = InProcess(view or default_view(), NOON)
        self.now = NOON
        self.number = 0

    def feed(self, raw: bytes, visitor: str = "", tagged: str = "") -> None:
        """Take an event now."""
        self.number += 1
        partition = partition_of(visitor) if visitor else 0
        self.world.feed(
            [
                Record(
                    position(1, self.number),
                    f"m{self.number}",
                    partition,
                    self.now,
                    self.now,
                    tagged,
                    raw,
                )
            ]
        )

    def pass_time(self, **time: float) -> None:
        """Let world time pass."""
        self.now += timedelta(**time)
        self.world.advance(self.now)


class Browser:
    """Be one browser."""

    def __init__(self, site: Site | None = None, name: str = "b1") -> None:
        self.site = site or Site()
        self.name = name
        self.visitor = visitor_id_for(anonymous_key(name))

    def calls(self, kind: str, *, tagged: str = "", **call: Any) -> None:
        """Send a call, ten seconds after the last one."""
        self.site.pass_time(seconds=10)
        body = {"type": kind, "anonymousId": self.name, **call}
        self.site.feed(json.dumps(body).encode(), tagged=tagged)

    def views(self, *paths: str) -> Browser:
        """View pages."""
        for path in paths:
            self.calls("page", context={"page": {"path": path}})
        return self

    def tracks(self, event: str, **properties: Any) -> None:
        """Do something."""
        self.calls("track", event=event, properties=properties)

    def answers(self, offer: Offer, response: str, tab: str = "t1", **answers: str | int) -> None:
        """Answer an offer, as the gateway journals it."""
        self.site.pass_time(seconds=5)
        fact = Engaged(
            visitor=self.visitor,
            engagement_id=offer.plan.engagement_id,
            response=response,
            interaction=offer.plan.interaction,
            interaction_type=offer.plan.interaction_type,
            tab=tab,
            answers=answers,
        )
        self.site.feed(msgspec.json.encode(fact), self.visitor)

    @property
    def engagement(self) -> EngagementState:
        """Return Engagement's state."""
        state: EngagementState = self.site.world.held("engagement", self.visitor).state
        return state

    @property
    def rules(self) -> RulesState:
        """Return the Rules Manager's state."""
        state: RulesState = self.site.world.held("rules", self.visitor).state
        return state

    @property
    def behavior(self) -> Any:
        """Return Behavior's state."""
        return self.site.world.held("behavior", self.visitor).state

    def open(self) -> list[str]:
        """Return the interactions that stand open, in their order."""
        return [offer.plan.interaction for offer in self.engagement.offers]

    def offer(self, interaction: str) -> Offer:
        """Return an open offer."""
        return next(o for o in self.engagement.offers if o.plan.interaction == interaction)

    def rows(self, table: str, **match: Any) -> list[dict[str, Any]]:
        """Return this visitor's rows of a table, as they stand."""
        rows = {
            row.id: row.fields
            for row in self.site.world.rows
            if row.table == table and row.fields.get("visitor") == self.visitor
        }
        return [r for r in rows.values() if all(r[name] == match[name] for name in match)]

    def refusals(self) -> list[tuple[str, str]]:
        """Return (type, rule) of what was refused."""
        told = self.rows("story", kind="offer.refused")
        return [(row["detail"]["type"], row["detail"]["rule"]) for row in told]
