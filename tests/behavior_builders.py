"""Build records, views and a small world of Behavior shards in one dictionary, for tests of Behavior and Sales."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.identity import Resolver, further_keys, keys_of
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.rules.compiled import CompiledRules
from agents.rules.compiler import compile_rules
from agents.rules.models import CohortsFile, ScoresFile
from agents.rules.ruleset import COHORTS, SCORES, RuleSet
from config.load import DEFAULTS, compile_folder
from messaging.vocabulary.effects import CancelWake, Effect, Moved, Tell, WakeAt
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position
from messaging.vocabulary.messages import Arrived, MergedInto, Message, Woke

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
ANN = "a" * 24
HUMAN_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@cache
def default_rules() -> CompiledRules:
    """Return the routine that ships, compiled."""
    return compile_folder(DEFAULTS, 1)


def a_view(**changes: Any) -> View:
    """Return a view of the default rules."""
    fields: dict[str, Any] = {
        "rules": default_rules(),
        "rules_version": 1,
        "pinned": {1: default_rules()},
        "snapshots": {},
    }
    return View(**(fields | changes))


def a_view_of(trees: list[dict[str, Any]]) -> View:
    """Return a view of cohorts `c0`, `c1`, … with these conditions, and one score."""
    cohorts = {"known": {"known": "email"}} | {
        f"c{number}": tree for number, tree in enumerate(trees)
    }
    points = {"page": 1.0, "track:Product Added": 5.0}
    score = {"half_life_days": 7.0, "points": points}
    rules = RuleSet()
    rules.models[COHORTS] = CohortsFile.model_validate(
        {"cohorts": {name: {"when": tree} for name, tree in cohorts.items()}}
    )
    rules.models[SCORES] = ScoresFile.model_validate({"scores": {"interest": score}})
    compiled = compile_rules(rules, 1)
    return View(compiled, 1, {1: compiled}, {})


def a_record(
    number: int,
    at: datetime | None = None,
    tagged: str = "",
    taken: datetime | None = None,
    **event: Any,
) -> Record:
    """Return a journaled event; `event` holds its JSON keys."""
    at = at or START + number * SECOND
    raw = json.dumps({"messageId": f"m{number}", **event}).encode()
    return Record(position(1, number), f"m{number}", 0, at, taken or at, tagged, raw)


def a_page(number: int, anonymous: str = "a1", path: str = "/", **more: Any) -> Record:
    """Return a page view."""
    context = {"page": {"path": path}} | more.pop("context", {})
    return a_record(number, type="page", anonymousId=anonymous, context=context, **more)


def a_track(number: int, event: str, anonymous: str = "a1", **more: Any) -> Record:
    """Return a track call."""
    return a_record(number, type="track", event=event, anonymousId=anonymous, **more)


def an_identify(number: int, user: str | None = None, **more: Any) -> Record:
    """Return an identify call; `email` and `traits` are traits, the rest are keys of the call."""
    traits = more.pop("traits", {})
    if "email" in more:
        traits = traits | {"email": more.pop("email")}
    if user is not None:
        more["userId"] = user
    return a_record(number, type="identify", traits=traits, **more)


def a_listing(number: int, user: str, /, *, at: datetime | None = None, **lists: bool) -> Record:
    """Return what the gateway journals of who is put on lists, or taken off."""
    return a_record(number, at, type="listed", userId=user, lists=lists)


class Ann:
    """Step Behavior for one visitor, and keep her wake-ups as the runtime does."""

    def __init__(self, view: View | None = None, visitor: str = ANN) -> None:
        self.visitor = visitor
        self.view = view or a_view()
        self.bot = BehaviorBot()
        self.state: BehaviorState = self.bot.fresh(visitor)
        self.wakes: dict[str, datetime] = {}
        self.now = START

    def take(self, message: Message, now: datetime | None = None) -> list[Effect]:
        """Take one message."""
        self.now = now or max(self.now, message.at)
        effects = self.bot.step(self.state, message, self.now, self.view, Draw)
        for effect in effects:
            if isinstance(effect, WakeAt):
                self.wakes[effect.key] = effect.at
            elif isinstance(effect, CancelWake):
                self.wakes.pop(effect.key, None)
        return effects

    def sees(self, *records: Record, member: bool = False) -> list[Effect]:
        """Take events as they came."""
        effects: list[Effect] = []
        for record in records:
            arrived = Arrived(self.visitor, max(self.now, record.at), record, member)
            effects += self.take(arrived)
        return effects

    def wakes_until(self, until: datetime) -> list[Effect]:
        """Fire what comes due until a moment."""
        effects: list[Effect] = []
        while due := sorted((at, key) for key, at in self.wakes.items() if at <= until):
            at, key = due[0]
            del self.wakes[key]
            moment = max(at, self.now)
            effects += self.take(Woke(self.visitor, moment, key, at, ""), moment)
        self.now = max(self.now, until)
        return effects


def told(effects: list[Effect], kind: type[Message], bot: str = "") -> list[Any]:
    """Return the messages of one type among effects, to one bot or to any."""
    return [
        e.message
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, kind) and (not bot or e.bot == bot)
    ]


class World:
    """Resolve and fold a journal in batches, all visitors in one place, as the runtime would."""

    def __init__(self, *, steps: bool = True) -> None:
        self.steps = steps
        self.rows: dict[str, tuple[str, int]] = {}
        self.states: dict[str, BehaviorState] = {}
        self.tombstones: dict[str, str] = {}
        self.resolved: list[tuple[str, bool]] = []
        self.merges: list[tuple[str, str]] = []
        self.bot = BehaviorBot()
        self.view = a_view()

    def batch(self, records: list[Record], now: datetime) -> None:
        """Take one batch: resolve all, write the rows, step all, carry letters around at once."""
        events = [record.event for record in records]
        resolver = Resolver(self._known(records, events))
        letters: list[Message] = []
        for record, event in zip(records, events, strict=True):
            found = resolver.resolve(record, event)
            self.resolved.append((found.visitor, found.member))
            self.merges += found.merges
            letters.append(Arrived(found.visitor, now, record, found.member))
            letters += [MergedInto(younger, now, older) for younger, older in found.merges]
        for write in resolver.writes():
            held = self.rows.get(write.key)
            assert write.expected == held
            self.rows[write.key] = (write.visitor, write.born)
        while letters and self.steps:
            letters = [m for letter in letters for m in self._deliver(letter, now)]

    def owner(self, key: str) -> str:
        """Return whom a key leads to in the end."""
        return self.living(self.rows[key][0])

    def living(self, visitor: str) -> str:
        """Return whom a visitor was merged into in the end."""
        while (row := self.rows.get("v:" + visitor)) is not None and row[0] != visitor:
            visitor = row[0]
        return visitor

    def _known(self, records: list[Record], events: list[Any]) -> dict[str, tuple[str, int]]:
        groups = [keys_of(record, event) for record, event in zip(records, events, strict=True)]
        known: dict[str, tuple[str, int]] = {}
        asked: set[str] = set()
        wanted = {key for keys in groups for key in keys}
        while wanted:
            known |= {key: self.rows[key] for key in wanted if key in self.rows}
            asked |= wanted
            wanted = set(further_keys(groups, known, asked))
        return known

    def _deliver(self, message: Message, now: datetime) -> list[Message]:
        while message.visitor in self.tombstones:
            message.visitor = self.tombstones[message.visitor]
        state = self.states.setdefault(message.visitor, BehaviorState())
        effects = self.bot.step(state, message, now, self.view, Draw)
        for effect in effects:
            if isinstance(effect, Moved):
                self.tombstones[message.visitor] = effect.into
        return [e.message for e in effects if isinstance(e, Tell) and e.bot == "behavior"]
