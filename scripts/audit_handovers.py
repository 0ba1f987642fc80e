"""Count what Email handed over: each send once, and one thank-you for an order.

Rules
1. A send goes to a server again only where its first hand-over surely did not arrive (the server said *later*), or
   where its template says that twice is better than never and the outcome was uncertain.
2. No more hand-overs are reported than were committed: what one commit allowed is carried out once.
3. An order is thanked for once by the paths that share its goal, whoever of those who are one by now it was for. What
   two had been thanked for before it was known that they are one could not be helped.
4. Shards are looked at one after the other, and a send may go on to another shard with its visitor: all is counted
   together, and told at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.email_bot.state import EmailState
from agents.runtime.fold import Folded, Work
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import MailOutcome, StateMerged
from scripts.counting import counted

GoalsOf = Callable[[int, str], Awaitable[frozenset[str]]]
"""(rules version, path) -> the events that are its goal."""

BEFORE = datetime.min.replace(tzinfo=UTC)

ARRIVED, LATER, UNCERTAIN = "handed over", "deferred", "uncertain"

NOT_SENT = frozenset({LATER, "refused"})
"""Outcomes after which nobody has been thanked."""


class Thanks(msgspec.Struct):
    """Hold one success e-mail that was handed over."""

    send_id: str
    visitor: str
    path: str
    rules_version: int
    at: datetime


class HandOvers:
    """Watch Email's batches, those of all shards.

    Args:
        found: is told (rule, what) of what should not be.
    """

    def __init__(self, found: Callable[[str, str], None]) -> None:
        self._found = found
        self._begun: Counter[str] = Counter()
        """Send -> hand-overs committed."""
        self._resent: set[str] = set()
        """Sends that may go again after an uncertain outcome."""
        self._ends: dict[str, set[tuple[datetime, str]]] = {}
        """Send -> outcomes taken; one that followed its visitor to another shard is the same."""
        self._thanks: dict[str, list[Thanks]] = {}
        """Order -> thanks for it."""
        self._merges: dict[str, list[tuple[datetime, str]]] = {}
        """Visitor -> (when, who) became one with them."""
        self._before = 0
        """Hand-overs of before a checkpoint."""

    @property
    def seen(self) -> int:
        """Return how many hand-overs were seen."""
        return self._begun.total() - self._before

    def begin(
        self,
        rows: Iterable[dict[str, Any]],
        states: Iterable[tuple[str, EmailState]],
        until: datetime,
    ) -> None:
        """Take what was handed over before a checkpoint: rows of the ledger, and Email's states as they were kept.

        What was open then is settled behind it, and counted there.
        """
        open_then: set[str] = set()
        for visitor, state in states:
            open_then |= state.open.keys()
            for younger in state.absorbed:
                self._merges.setdefault(visitor, []).append((BEFORE, younger))
        for row in rows:
            at, send = row.get("handed_over_at"), row["id"]
            if at is None or at > until or send in open_then:
                continue
            self._before += 1
            self._begun[send] += 1
            outcome = UNCERTAIN if row["status"] == UNCERTAIN else ARRIVED
            self._ends.setdefault(send, set()).add((at, outcome))
            if row["success"]:
                thanks = Thanks(send, row["visitor"], row["path"], row["rules_version"], at)
                self._thanks.setdefault(row["run"], []).append(thanks)

    def observe(self, now: datetime, works: list[Work], folded: Folded) -> None:
        """Take a batch: when it was, what it took, and what it wanted."""
        for visitor, act in folded.acts:
            if isinstance(act, HandOver):
                self._note(visitor, act)
        for work in works:
            message = work.message
            if isinstance(message, MailOutcome):
                end = (message.at, message.outcome)
                self._ends.setdefault(message.send_id, set()).add(end)
            elif isinstance(message, StateMerged):
                self._merges.setdefault(message.visitor, []).append((now, message.younger))

    async def end(self, goals_of: GoalsOf) -> None:
        """Say what was handed over too often."""
        for send, count in self._begun.items():
            self._count(send, count)
        for order, thanks in self._thanks.items():
            sent = [each for each in thanks if not self._is_not_sent(each.send_id)]
            if len(sent) > 1:
                await self._order(order, sent, goals_of)

    def _note(self, visitor: str, act: HandOver) -> None:
        plan = act.plan
        self._begun[plan.send_id] += 1
        if plan.on_uncertain == "resend":
            self._resent.add(plan.send_id)
        if plan.success and self._begun[plan.send_id] == 1:
            thanks = Thanks(plan.send_id, visitor, plan.path, plan.rules_version, act.at)
            self._thanks.setdefault(plan.run, []).append(thanks)

    def _is_not_sent(self, send: str) -> bool:
        outcomes = {outcome for _, outcome in self._ends.get(send, ())}
        return bool(outcomes) and outcomes <= NOT_SENT

    def _count(self, send: str, count: int) -> None:
        outcomes = Counter(outcome for _, outcome in self._ends.get(send, ()))
        again = outcomes[LATER] + (outcomes[UNCERTAIN] if send in self._resent else 0)
        if count > 1 + again:
            times = counted(again, "times")
            self._found("once", f"send {send} was handed over {count} times, {times} rightly again")
        if outcomes[ARRIVED] > 1:
            self._found("once", f"send {send} arrived {outcomes[ARRIVED]} times")

    async def _order(self, order: str, thanks: list[Thanks], goals_of: GoalsOf) -> None:
        """Find each success e-mail that went out where its visitor had been thanked for the order already."""
        goals = {each.send_id: await goals_of(each.rules_version, each.path) for each in thanks}
        thanks.sort(key=lambda each: (each.at, each.send_id))
        for number, late in enumerate(thanks):
            known = self._are_one(late.visitor, late.at)
            for first in thanks[:number]:
                is_same = late.path == first.path or goals[late.send_id] & goals[first.send_id]
                if first.visitor in known and is_same:
                    what = (
                        f"order {order} was thanked for by {first.send_id}, and by {late.send_id}"
                    )
                    self._found("success", what)
                    break

    def _are_one(self, visitor: str, before: datetime) -> set[str]:
        """Return a visitor and who became one with them before a moment."""
        known, left = {visitor}, [visitor]
        while left:
            joined = self._merges.get(left.pop(), ())
            new = {younger for at, younger in joined if at < before} - known
            known |= new
            left += new
        return known
