"""Let one seed's month happen: clients send, readers answer, people settle alerts, and things break.

Clients keep trying until they are acknowledged: what was acknowledged must count, once.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import msgspec

from agents.rules_manager.state import ACTIVE, RulesState, Run
from agents.runtime.broadcaster import BROADCASTS, CANCELLING, ORDERED
from agents.runtime.eraser import ERASURES, asked
from agents.runtime.held import Stored
from messaging.gateway.acts import settlement
from messaging.ports import Commit
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.effects import HARM, UNCERTAIN_SUCCESS
from messaging.vocabulary.events import (
    Engaged,
    EntryAsked,
    MailReported,
    Unsubscribed,
    WebhookAnswered,
)
from messaging.vocabulary.ids import derive, visitor_id_for
from messaging.webhooks.caller import WEBHOOKS
from tests.simulation.audience import Audience, Maker, Person
from tests.simulation.gateway import SimGateway, ask
from tests.simulation.harm import do_harm, look
from tests.simulation.process import Process
from tests.simulation.readers import Answer, answers
from tests.simulation.smtp import Mail
from tests.simulation.witness import VIOLATIONS_MAX
from tests.simulation.world import ERASER, START, World

DAY = 86_400.0
LATE_DAYS = 21
"""Days more for the runs that are still under way when the quiet days are over."""


class Named(msgspec.Struct):
    """Read of a call only what it is called."""

    messageId: str  # noqa: N815 - as it is written in the call
    type: str
    event: str = ""


_named = msgspec.json.Decoder(Named)
_stored = msgspec.msgpack.Decoder(Stored)
_rules = msgspec.msgpack.Decoder(RulesState)


def active_runs(database: MemoryDatabase) -> list[tuple[str, Run]]:
    """Return (visitor, run) of every run that has not come to its end."""
    found = []
    for visitor, body in database.states["rules"].bodies.items():
        stored = _stored.decode(body)
        if not stored.moved:
            runs = _rules.decode(stored.state).runs.values()
            found += [(visitor, run) for run in runs if run.status in ACTIVE]
    return found


class Story:
    """Drive one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.audience: Audience = Maker(world.plan.seed, START, world.plan.days).make()
        self.acknowledged: dict[str, str] = {}
        """Message id -> name of what it counts as; empty for what counts nowhere."""
        self.sent: set[str] = set()
        self.reported: dict[str, MailReported] = {}
        """Send -> what was reported of it, and acknowledged."""
        self.answered: Counter[str] = Counter()
        self.erasures: dict[str, tuple[str, set[str]]] = {}
        """Receipt -> (visitor who asked, the keys that led to them then)."""
        self._people: dict[str, Person] = {}
        for person in self.audience.people:
            self._people.setdefault(person.address, person)
            self._people.setdefault(f"alt-{person.address}", person)
        self._closing = False
        world.server.bad_addresses = self.audience.bad_addresses
        world.server.on_mail = self._mail_arrived
        world.witness.on_request = self._at_the_worst_moment
        world.witness.on_offer = self._offered
        world.witness.on_decisions = self._decided

    async def run(self) -> None:
        """Live through the days with faults, heal, and let the rest of the time pass."""
        world, plan = self.world, self.world.plan
        world.start()
        tasks = [
            asyncio.ensure_future(each)
            for each in (
                self._clients(),
                self._faults(),
                self._settle_alerts(),
                self._let_in(),
                self._broadcasts(),
                self._webhooks(),
                self._publish(),
                self._erasures(),
                do_harm(world),
            )
        ]
        await self._days(plan.days)
        self._heal()
        await self._days(2)  # what clients and readers still try to say
        self._closing = True
        await self._days(plan.quiet_days - 2)
        for _ in range(LATE_DAYS):  # two runs that a person resumed share one cap of 4 in 14 days
            if active_runs(world.database):
                await self._days(1)
        for task in tasks:
            task.cancel()
        self._raise_errors(tasks)

    def _decided(self, commit: Commit) -> None:
        look(self.world.witness, commit, self.world.database.tables.get("snapshots", {}))

    async def _days(self, count: int) -> None:
        """Let days pass, unless so much is broken that only noise would follow."""
        for _ in range(count * 24):
            if len(self.world.witness.violations) < VIOLATIONS_MAX:
                await asyncio.sleep(DAY / 24)

    @staticmethod
    def _raise_errors(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]

    # Clients

    async def _clients(self) -> None:
        draw = self.world.chaos.dice("clients")
        for number, request in enumerate(self.audience.requests):
            await self._until(request.at)
            self._go(self._say(request.calls, tagged=""))
            if draw.random() < 0.05:
                # The same request again: the client did not hear the answer, or believes so.
                self._go(self._say(request.calls, tagged="", after=draw.random() * 2 * DAY))
            if number in (40, 160):
                self._go(self._say_unreadable(number))

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))

    def _go(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            self.world.witness.broken("client", f"{type(error).__name__}: {error}")

    async def _say(self, calls: list[bytes], *, tagged: str, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        names = {}
        for call in calls:
            read = _named.decode(call)
            names[read.messageId] = read.event or read.type
        self.sent.update(names)
        await self._insist(lambda gateway: gateway.calls(calls, tagged))
        self.acknowledged.update(names)

    async def _say_unreadable(self, number: int) -> None:
        message_id, visitor = f"broken-{number}", visitor_id_for("a:broken")
        raw = b'{"type": "page", "properties": 7}'
        await self._insist(lambda gateway: gateway.unreadable(message_id, raw, visitor))
        self.acknowledged[message_id] = ""

    async def _insist(self, say: Any) -> None:
        """Say it to some gateway until one has answered yes."""
        draw = self.world.chaos.dice("clients")
        while True:
            gateways = self.world.gateways()
            if gateways:
                gateway: SimGateway = draw.choice(gateways).inside
                if await ask(lambda g=gateway: say(g), 20.0):
                    return
            await asyncio.sleep(5 + draw.random() * 30)

    # Readers

    def _mail_arrived(self, mail: Mail) -> None:
        if self._closing:
            return
        loop = asyncio.get_running_loop()
        person = self._people.get(mail.recipient)
        for answer in answers(self.world.plan.seed, mail, person):
            loop.call_later(answer.after, self._answer_later, mail, answer)

    def _answer_later(self, mail: Mail, answer: Answer) -> None:
        if not self._closing:
            self._go(self._answer(mail, answer))

    async def _answer(self, mail: Mail, answer: Answer) -> None:
        self.answered[answer.kind] += 1
        if answer.calls:
            calls = []
            for number, call in enumerate(answer.calls):
                named = call | {"messageId": f"{mail.send_id}-{number}"}
                calls.append(msgspec.json.encode(named))
            await self._say(calls, tagged=mail.visitor)
            return
        if answer.mailbox:
            reason = getattr(answer.fact, "kind", "unsubscribed")
            await self._insist(lambda gateway: gateway.suppress(answer.mailbox, reason))
        link = getattr(answer.fact, "link", "")
        message_id = f"{answer.kind}-{mail.send_id}{link[-2:]}"
        await self._insist(lambda gateway: gateway.fact(answer.fact, message_id))
        if isinstance(answer.fact, MailReported):
            self.reported[mail.send_id] = answer.fact
        self.acknowledged[message_id] = ""

    def _at_the_worst_moment(self, visitor: str, send_id: str) -> None:
        """Let some buy, or leave, in the moment in which a mail to them is on its way."""
        if self.world.chaos.calm:
            return
        draw = random.Random(f"{self.world.plan.seed}/moment/{send_id}")
        kind, after = draw.random(), draw.choice((0.0, 0.0, draw.random() * 3, draw.random() * 60))
        if kind < 0.06:
            self._go(self._buy_now(visitor, send_id, after))
        elif kind < 0.1:
            self._go(self._leave_now(visitor, send_id, after))
        elif kind < 0.13:
            self._go(self._erase_now(visitor, after))

    async def _buy_now(self, visitor: str, send_id: str, after: float) -> None:
        await asyncio.sleep(after)
        self.answered["bought while a mail was on its way"] += 1
        bought = {"order_id": f"now-{send_id[:10]}", "total": 20.0, "currency": "EUR"}
        call = {
            "type": "track",
            "messageId": f"now-{send_id}",
            "anonymousId": f"b-now-{visitor}",
            "event": "Order Completed",
            "properties": bought,
        }
        await self._say([msgspec.json.encode(call)], tagged=visitor)

    async def _leave_now(self, visitor: str, send_id: str, after: float) -> None:
        await asyncio.sleep(after)
        mailbox = self.world.witness.mailbox_of.get(visitor)
        if mailbox is None:
            return
        self.answered["left while a mail was on its way"] += 1
        await self._insist(lambda gateway: gateway.suppress(mailbox, "unsubscribed"))
        fact = Unsubscribed(visitor=visitor, mailbox=mailbox)
        await self._insist(lambda gateway: gateway.fact(fact, f"leave-{send_id}"))
        self.acknowledged[f"leave-{send_id}"] = ""

    # Who wants to be forgotten

    async def _erase_now(self, visitor: str, after: float) -> None:
        await asyncio.sleep(after)
        self._ask_to_erase(visitor)

    async def _erasures(self) -> None:
        """Let some ask to be erased at any moment, and whoever carries it out be killed in the middle."""
        world, draw = self.world, self.world.chaos.dice("erasures")
        times = sorted(draw.random() * world.plan.days * DAY for _ in range(world.plan.erasures))
        for at in times:
            await self._until(at)
            if known := sorted(world.database.states["behavior"].bodies):
                self._ask_to_erase(draw.choice(known))

    def _ask_to_erase(self, visitor: str) -> None:
        """Write down that this visitor wants to be erased, as the command does."""
        world, draw = self.world, self.world.chaos.dice("erasures")
        held = world.database.states["behavior"].bodies.get(visitor)
        is_known = held is not None and not _stored.decode(held).moved
        if len(self.erasures) >= world.plan.erasures or not is_known:
            return
        receipt = derive("receipt", str(world.plan.seed), str(len(self.erasures)))
        erasures = world.database.tables.setdefault(ERASURES, {})
        erasures[receipt] = asked([visitor], world.clock.now())
        identity = world.database.identity.items()
        self.erasures[receipt] = (visitor, {k for k, row in identity if row[0] == visitor})
        eraser = world.network.current[ERASER]
        if draw.random() < 0.7 and not world.chaos.calm:
            after = draw.random() * 1200
            asyncio.get_running_loop().call_later(after, self._aim_at_eraser, eraser)

    def _aim_at_eraser(self, eraser: Process) -> None:
        if eraser.alive and not self.world.chaos.calm:
            self._aim(eraser, "kill.eraser")

    # Browsers

    def _offered(self, engagement_id: str) -> None:
        """Let a browser find what stands open on the site; not every one is there to look."""
        draw = random.Random(f"{self.world.plan.seed}/site/{engagement_id}")
        if not self._closing and draw.random() < 0.7:
            self._go(self._looks(engagement_id, draw))

    async def _looks(self, engagement_id: str, draw: random.Random) -> None:
        """Show it in one or two tabs, and answer or leave it."""
        await asyncio.sleep(0.5 + draw.random() * draw.choice((2, 60)))
        for tab in ("t1", "t2")[: draw.choice((1, 1, 2))]:
            if self.world.witness.offers[engagement_id]["status"] not in ("offered", "shown"):
                self.answered["came too late on the site"] += 1
                return
            await self._responds(engagement_id, "shown", tab, {})
        kinds = ("submitted", "dismissed", "")
        if self.world.witness.offers[engagement_id]["interaction_type"] != "opinion_form":
            kinds = ("clicked", "dismissed", "")
        response = draw.choice(kinds)
        await asyncio.sleep(1 + draw.random() * 90)
        if response:
            said = {"wants_help_with": draw.choice(("The price", "Just looking"))}
            await self._responds(
                engagement_id, response, "t1", said if response == "submitted" else {}
            )

    async def _responds(
        self, engagement_id: str, response: str, tab: str, answers: dict[str, str | int]
    ) -> None:
        row = self.world.witness.offers[engagement_id]
        fact = Engaged(
            visitor=row["visitor"],
            engagement_id=engagement_id,
            response=response,
            interaction=row["interaction"],
            interaction_type=row["interaction_type"],
            tab=tab,
            answers=answers,
        )
        self.answered[f"{response} on the site"] += 1
        message_id = derive("engaged", engagement_id, response)
        await self._insist(lambda gateway: gateway.fact(fact, message_id))
        self.acknowledged[message_id] = ""

    # People

    async def _settle_alerts(self) -> None:
        draw = self.world.chaos.dice("people")
        seen: set[str] = set()
        while not self._closing:
            await asyncio.sleep(DAY / 4)
            rows = self.world.database.tables.get("alerts", {})
            for alert_id, row in list(rows.items()):
                if row["status"] != "open" or alert_id in seen:
                    continue
                if draw.random() < 0.4:
                    seen.add(alert_id)
                    action = draw.choice(("resume", "close", "change", ""))
                    if action:
                        self._go(self._settle(alert_id, dict(row), action))

    async def _settle(self, alert_id: str, row: dict[str, Any], action: str) -> None:
        if row["kind"] == HARM:
            action = "close" if action == "close" else "resume"
        elif row["kind"] == UNCERTAIN_SUCCESS or row["policy"]:
            action = "close"  # the gateway takes nothing else
        stage = "visited" if action == "change" else ""
        fact = settlement({**row, "id": alert_id}, action, stage=stage)
        self.answered[f"alert {action}"] += 1
        message_id = f"alert-{alert_id}"
        await self._insist(lambda gateway: gateway.fact(fact, message_id))
        self.acknowledged[message_id] = ""

    async def _let_in(self) -> None:
        """Let some onto the path after an order by the API, for orders that were made elsewhere."""
        draw = self.world.chaos.dice("entries")
        for number in range(self.world.plan.days // 3):
            await asyncio.sleep(3 * DAY)
            known = sorted({row["visitor"] for row in self.world.witness.sends.values()})
            if not known:
                continue
            visitor, key = draw.choice(known), f"elsewhere-{number}"
            self.answered["let in"] += 1
            self._go(self._let_in_one(EntryAsked(visitor=visitor, path="after-order", key=key)))

    async def _broadcasts(self) -> None:
        """Send one template to all leads, and another that is called off half a day later."""
        jobs = self.world.database.tables.setdefault(BROADCASTS, {})
        for number in (1, 2):
            await asyncio.sleep(8 * DAY)
            jobs[f"b{number}"] = {
                "at": self.world.clock.now(),
                "by": "kim",
                "template": "invite-hello",
                "cohort": "addressable-lead",
                "path": "lead-to-customer",
                "version": 1,
                "priority": 0,
                "dry_run": False,
                "status": ORDERED,
                "after": "",
                "told": {},
            }
            self.answered["broadcast"] += 1
        await asyncio.sleep(DAY / 2)
        jobs["b2"]["status"] = CANCELLING

    async def _webhooks(self) -> None:
        """Answer what paths call: most with a trait, some not, and some too late."""
        draw = self.world.chaos.dice("webhooks")
        while True:
            await asyncio.sleep(DAY / 8)
            rows = self.world.database.tables.get(WEBHOOKS, {})
            for call_id, row in list(rows.items()):
                if row["status"] == "waiting":
                    rows[call_id] = {**row, "status": "calling"}
                    self._go(self._answer_call(call_id, row, draw.choice((0.0, 0.0, 0.5, 4.0))))

    async def _answer_call(self, call_id: str, row: dict[str, Any], days: float) -> None:
        await asyncio.sleep(days * DAY)
        fact = WebhookAnswered(
            visitor=row["visitor"],
            call_id=call_id,
            path=row["path"],
            run=row["run"],
            step=row["step"],
            outcome="failed" if days == 0.5 else "answered",
            traits={} if days == 0.5 else {"crm": "known"},
        )
        message_id = derive("webhook answered", call_id)
        await self._insist(lambda gateway: gateway.fact(fact, message_id))
        self.acknowledged[message_id] = ""
        self.answered[f"webhook {fact.outcome}"] += 1

    async def _let_in_one(self, fact: EntryAsked) -> None:
        message_id = derive("entry asked", fact.visitor, fact.key)
        await self._insist(lambda gateway: gateway.fact(fact, message_id))
        self.acknowledged[message_id] = ""

    async def _publish(self) -> None:
        world = self.world
        for number in range((world.plan.days + world.plan.quiet_days) * 2):
            await asyncio.sleep(DAY / 2)
            world.publish()
            if number == world.plan.days and world.plan.republish:
                world.republish()

    # Faults

    async def _faults(self) -> None:
        world, draw = self.world, self.world.chaos.dice("faults")
        times = sorted(draw.random() * world.plan.days * DAY for _ in range(world.plan.kills))
        for at in times:
            await self._until(at)
            if world.chaos.calm:
                return
            self._fault()

    def _fault(self) -> None:
        world, draw = self.world, self.world.chaos.dice("faults")
        kind = draw.random()
        others = ("gateway", ERASER)
        names = [name for name in world.network.current if not name.startswith(others)]
        name = draw.choice(names)
        if draw.random() < 0.3:
            name = draw.choice([n for n in names if n.startswith(("email", "rules"))])
        if kind < 0.45:
            self._aim(world.network.current[name], "kill")
        elif kind < 0.6:
            self._zombie(name)
        elif kind < 0.75:
            gateway = draw.choice([n for n in world.network.current if n.startswith("gateway")])
            self._aim(world.network.current[gateway], "kill.gateway")
        elif kind < 0.9:
            world.chaos.note("database.restart")
            longest = 200.0 if draw.random() < 0.2 else 40.0
            world.chaos.down_until = asyncio.get_running_loop().time() + draw.random() * longest
        elif kind < 0.95:
            world.chaos.note("kill.all")
            for process in list(world.network.current.values()):
                world.kill(process)
        else:
            world.chaos.note("kill.idle")
            world.kill(world.network.current[name])

    def _aim(self, process: Process, kind: str) -> None:
        draw = self.world.chaos.dice("faults")
        effect_first = draw.random() < 0.5
        detail = kind + (".after" if effect_first else ".before")

        def died(dead: Process) -> None:
            self.world.chaos.note(detail)
            self.world.died(dead)

        process.aim(draw.randrange(1, 12), effect_first=effect_first, then=died)

    def _zombie(self, name: str) -> None:
        """Start a successor in the middle of a call of the old one, which lives on until it is found out."""
        world, draw = self.world, self.world.chaos.dice("faults")

        def replaced(old: Process) -> None:
            if not old.alive or world.network.current[name] is not old or world.chaos.calm:
                return
            world.chaos.note("zombie")
            old.is_slow = draw.random() < 0.5
            world.start_shard(name)
            world.email_deaths += name.startswith("email")
            asyncio.get_running_loop().call_later(draw.random() * DAY, old.kill)

        in_commit = draw.random() < 0.6
        world.network.current[name].aim(
            draw.randrange(1, 3 if in_commit else 12),
            effect_first=False,
            then=replaced,
            fatal=False,
            only="commit" if in_commit else "",
        )

    def _heal(self) -> None:
        """End all faults: what is down comes back, what was aimed at is spared."""
        world = self.world
        world.chaos.calm = True
        world.chaos.down_until = 0.0
        for process in world.incarnations:
            process.disarm()
            if process.alive and world.network.current[process.name] is not process:
                process.kill()
