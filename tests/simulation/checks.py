"""Check, when all is over, what may never be true: by the ledger, the server's own list and the clients' own.

Rules
1. Safety is looked at for the whole run, faults included; progress only after they stopped.
2. A check knows the promise, not the code that keeps it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.behavior_bot.state import BehaviorState
from agents.learner_bot.state import PolicyState
from agents.rules.compiled import PURCHASE_EVENTS
from agents.rules_manager.broadcast_rule import name_of
from agents.rules_manager.context import inputs_of
from agents.runtime.broadcaster import BROADCASTS, CANCELLED
from agents.runtime.eraser import DONE, ERASURES
from agents.runtime.filler import DONE as FILLED
from agents.runtime.filler import FILLINGS
from agents.runtime.held import Codec, Stored
from agents.runtime.mover import MOVES
from agents.runtime.registry import WIRING, senders_of
from agents.runtime.replay import Replayer
from agents.social_bot.state import SocialState
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryStore
from messaging.vocabulary.events import AlertSettled, Engaged, decode_event
from messaging.vocabulary.figures import summed
from messaging.vocabulary.ids import derive, message_hash, policy_key
from tests.simulation.awaited import every_email_has_its_reward, every_open_alert_has_its_run
from tests.simulation.harm import only_rules_decide_where_learning_was_taken_back
from tests.simulation.moved import everybody_became_what_was_chosen
from tests.simulation.reports import every_report_is_known
from tests.simulation.scan import needle, places
from tests.simulation.smtp import Mail
from tests.simulation.story import Story, active_runs
from tests.simulation.witness import ENDED_ON_SITE, FINAL, attempts_max
from tests.simulation.world import SESSIONS, World

CAPS = ((1, timedelta(hours=20)), (4, timedelta(days=14)))
"""(touches, window) of the shipped routine."""

SHOWN_A_DAY_MAX = 3
"""Engagements of one visitor in any 24 hours."""

SHOWN_A_SESSION_MAX = 1
"""Of these, of one type in one session."""

OVER_BOUND = "visitor over its bound"
"""Why the learner takes no more rewards of a visitor this week."""

CENT = 0.01

STOPS = {
    "a person decided",
    "address bounced",
    "another version was published",
    "cannot be sent",
    "cohort",
    "complained",
    "consent",
    "goal reached",
    "mailbox_of_another_visitor",
    "suppressed",
    "unsubscribed",
}
"""Why a run may be stopped."""

OF_A_POLICY = "alert_settled of a policy"

WINDOW = timedelta(hours=72)
GRACE = timedelta(hours=7)
"""An answer that was journaled within its window may be taken after a gap of faults and a sweep."""

REFUSED, ERASED = "5.7.1", "erased"
"""In the reason of a send that a server refused for what it is, and of one whose visitor was erased."""

WENT_OUT = ("handed over", "uncertain", "delivered", "bounced", "complained")
_stored = msgspec.msgpack.Decoder(Stored)
_behavior = msgspec.msgpack.Decoder(BehaviorState)
_policy = msgspec.msgpack.Decoder(PolicyState)
_social = msgspec.msgpack.Decoder(SocialState)


async def check_everything(world: World, story: Story) -> None:
    """Run every check; what is wrong is told to the witness."""
    everything_was_taken(world)
    nothing_is_due(world)
    every_event_counted_once(world, story)
    every_send_ended(world)
    the_server_agrees(world)
    caps_held(world)
    no_bounced_mailbox_is_written_to(world)
    every_report_is_known(world, story)
    every_offer_ended(world)
    caps_held_on_site(world)
    attempts_were_limited(world)
    every_reward_joined_once(world)
    every_email_has_its_reward(world)
    every_offer_that_was_seen_has_its_reward(world)
    the_learner_was_told_of_all(world)
    only_rules_decide_where_learning_was_taken_back(world)
    every_answer_says_of_whom_it_is(world)
    one_success_mail_per_order(world)
    one_alert_per_run(world)
    every_open_alert_has_its_run(world)
    lost_thanks_call_a_person(world)
    every_run_ended(world)
    every_run_was_moved(world)
    every_group_became_what_was_chosen(world)
    every_filling_came_to_its_end(world)
    every_trait_was_told_once(world)
    every_broadcast_came_to_its_end(world)
    every_run_stopped_for_a_reason(world)
    await figures_are_exact(world)
    every_look_up_ended(world)
    nothing_is_left_of_the_erased(world, story)
    await replayed_equals_live(world)


# Progress


def everything_was_taken(world: World) -> None:
    """Once faults stop, every queue empties."""
    database, broken = world.database, world.witness.broken
    for bot in WIRING:
        for index in range(world.plan.shards.get(bot, 0)):
            name = f"{bot}-{index}"
            positions = database.shards[name].positions if name in database.shards else {}
            for sender in senders_of(bot, world.plan.shards):
                tail = len(database.outbox.get((sender, name), ()))
                if positions.get(sender, 0) != tail:
                    broken("queue", f"{name} took {positions.get(sender, 0)}/{tail} of {sender}")
            if not WIRING[bot].reads_journal:
                continue
            for number, records in enumerate(database.streams, 1):
                taken = positions.get(f"journal:{number}", 0)
                if records and taken < records[-1].position:
                    broken("journal", f"{name} did not take all of stream {number}")


def nothing_is_due(world: World) -> None:
    """Every wake-up that came due has fired."""
    now = world.clock.now()
    for bot, states in world.database.states.items():
        for visitor, due in states.dues.items():
            if due <= now - timedelta(minutes=1):
                world.witness.broken("wake-up", f"{bot} {visitor} due {due}")


def every_run_ended(world: World) -> None:
    """A lead is won, alerted, closed or stopped in the end; nobody stands still on the way."""
    for visitor, run in active_runs(world.database):
        about = f"{visitor} {run.path} {run.run}: {run.status}"
        world.witness.broken("run stands still", about)


def every_look_up_ended(world: World) -> None:
    """Nobody waits for an answer any more, and who refuses has nothing kept of them."""
    if "social" not in world.database.states:
        return
    for visitor, body in world.database.states["social"].bodies.items():
        stored = _stored.decode(body)
        state = _social.decode(stored.state)
        if state.asking is not None and not stored.moved:
            world.witness.broken("look-up not ended", visitor)
        if not state.may_look_up and state.findings and not stored.moved:
            world.witness.broken("kept though refused", visitor)


# Events


def every_event_counted_once(world: World, story: Story) -> None:
    """Each acknowledged event counts once in some visitor (also over the bound), or is in quarantine.

    An order is one however often it is told: by the browser, and by the shop's server.
    """
    witness, database = world.witness, world.database
    for message_id in story.acknowledged:
        if message_hash(message_id, b"") not in database.message_ids:
            witness.broken("acknowledged and lost", message_id)
    journaled: Counter[str] = Counter()
    seen: set[str] = set()
    for records in database.streams:
        for record in records:
            known_by = {record.message_id, *_order_of(record.raw)}
            if not record.is_erased and seen.isdisjoint(known_by):
                journaled[_name(record.raw)] += 1
            if not record.is_erased:
                seen |= known_by
    counted: Counter[str] = Counter()
    for body in database.states["behavior"].bodies.values():
        stored = _stored.decode(body)
        if not stored.moved:
            counted.update(_behavior.decode(stored.state).counters)
    unreadable = journaled.pop("", 0)
    journaled.pop(OF_A_POLICY, 0)  # nobody's: Behavior makes no visitor of it
    quarantined = len(database.tables.get("quarantine", {}))
    if quarantined != unreadable:
        witness.broken("quarantine", f"{quarantined} rows, {unreadable} unreadable events")
    for name in sorted(journaled.keys() | counted.keys()):
        if journaled[name] != counted[name]:
            witness.broken("counted", f"{name}: {counted[name]} of {journaled[name]}")


def _name(raw: bytes) -> str:
    try:
        event = decode_event(raw)
    except msgspec.DecodeError:
        return ""
    if isinstance(event, Engaged):
        return f"engagement_{event.response}:{event.interaction_type}"
    if isinstance(event, AlertSettled) and event.policy:
        return OF_A_POLICY
    name: str = getattr(event, "event", "") or str(type(event).__struct_config__.tag)
    return name


def _order_of(raw: bytes) -> list[str]:
    """Return the order that an event tells of, by its name in this world; none where it tells of none."""
    if _name(raw) not in PURCHASE_EVENTS:
        return []
    order: str = msgspec.json.decode(raw).get("properties", {}).get("order_id", "")
    return [f"order {order}"] if order else []


# Sends


def every_send_ended(world: World) -> None:
    """Each send ends in exactly one of its final statuses."""
    for send, row in world.witness.sends.items():
        if row["status"] not in FINAL:
            world.witness.broken("send not ended", f"{send}: {row['status']}")


def the_server_agrees(world: World) -> None:
    """SMTP got each mail at most once; what it got stands in the ledger; few are uncertain."""
    witness, server = world.witness, world.server
    arrived = Counter(mail.send_id for mail in server.mails)
    for send, count in arrived.items():
        if count > 1:
            witness.broken("arrived twice", f"{send}: {count}")
        row = witness.sends.get(send)
        if row is None or row["status"] not in WENT_OUT:
            witness.broken("arrived and not in the ledger", f"{send}: {row and row['status']}")
    for send, row in witness.sends.items():
        if row["status"] == "handed over" and send not in arrived:
            witness.broken("in the ledger and not arrived", send)
    uncertain = sum(
        any(status == "uncertain" for _, status in history) for history in witness.history.values()
    )
    bound = SESSIONS * world.email_deaths + server.silent
    if uncertain > bound:
        witness.broken("uncertain", f"{uncertain} sends, at most {bound} can be")


def caps_held(world: World) -> None:
    """No window holds more marketing for a mailbox than its cap."""
    by_mailbox: dict[str, list[Mail]] = defaultdict(list)
    for mail in world.server.mails:
        # Whoever was erased and comes back is somebody else: nothing is known of what they got.
        is_marketing = not (mail.success or mail.confirms)
        if is_marketing and world.witness.root(mail.visitor) not in world.witness.erased:
            by_mailbox[mail.recipient].append(mail)
    for mails in by_mailbox.values():
        times = sorted(mail.at for mail in mails)
        for count, window in CAPS:
            for first, last in zip(times, times[count:], strict=False):
                if last - first < window:
                    who = {world.witness.root(mail.visitor) for mail in mails}
                    world.witness.broken(
                        "cap", f"{count + 1} in {last - first} from {first}, visitors {who}"
                    )


def no_bounced_mailbox_is_written_to(world: World) -> None:
    """A mailbox that is not there is suppressed for everybody; that nothing goes to those is looked at each commit."""
    for send, row in world.witness.sends.items():
        if row["status"] != "bounced" or REFUSED in row["reason"] or row["reason"] == ERASED:
            continue
        if row["mailbox"] not in world.database.suppressed:
            world.witness.broken("bounced, and not suppressed", send)


def every_offer_ended(world: World) -> None:
    """Nothing stands open on the site when nobody is there any more."""
    for id_, row in world.witness.offers.items():
        if row["status"] not in ENDED_ON_SITE and row["visitor"] not in world.witness.erased:
            world.witness.broken("offer not ended", f"{id_}: {row['status']}")


def caps_held_on_site(world: World) -> None:
    """No visitor saw more in a day, or of a type in a session, than the cap.

    What was on its way when it was taken back is counted apart.
    """
    seen: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in world.witness.offers.values():
        if row["shown_at"] is not None and row["reason"] != "seen all the same":
            seen[row["visitor"]].append((row["shown_at"], row["interaction_type"]))
    for visitor, shown in seen.items():
        if visitor in world.witness.merged.values():
            continue  # whoever took another in has seen what that one had seen as well
        times = sorted(at for at, _ in shown)
        for first, last in zip(times, times[SHOWN_A_DAY_MAX:], strict=False):
            if last - first < timedelta(hours=24):
                what = f"{SHOWN_A_DAY_MAX + 1} in {last - first} from {first}"
                world.witness.broken("cap on the site", f"{visitor}: {what}")
        visits = sorted(world.witness.visits.get(visitor, ()))
        of_type = Counter((bisect_right(visits, at), type_) for at, type_ in shown)
        for (number, type_), count in of_type.items():
            if count > SHOWN_A_SESSION_MAX:
                what = f"{count} {type_} in session {number}"
                world.witness.broken("cap on the site", f"{visitor}: {what}")


def attempts_were_limited(world: World) -> None:
    """The ledger holds no more attempts of a visitor's run than its path allows."""
    went: Counter[tuple[str, str, str]] = Counter()
    for send, row in world.witness.sends.items():
        plan = world.witness.plans.get(send)
        if row["status"] in ("handed over", "uncertain", "delivered") and plan is not None:
            went[row["visitor"], plan.path, plan.run] += 1
    for (visitor, path, run), count in went.items():
        # Whoever took another in has that one's sends as well: the witness looks at those.
        if visitor in world.witness.merged.values():
            continue
        if count > attempts_max(path):
            world.witness.broken("attempts", f"{count} of {visitor} {path} run {run}")


def one_success_mail_per_order(world: World) -> None:
    """An order is thanked for once."""
    thanked: Counter[tuple[str, str]] = Counter()
    for send, row in world.witness.sends.items():
        if row["success"] and row["status"] in WENT_OUT:
            thanked[world.witness.root(row["visitor"]), row["run"]] += 1
            if thanked[world.witness.root(row["visitor"]), row["run"]] > 1:
                world.witness.broken("success mail twice", f"{send} order {row['run']}")


def one_alert_per_run(world: World) -> None:
    """A person is called once for a run; an alert that its own batch closed again (a purchase) is one row, closed."""
    for alert, statuses in world.witness.alerts.items():
        if statuses == ["closed"]:
            continue
        if statuses.count("open") > 1 or statuses[0] != "open":
            world.witness.broken("alert", f"{alert}: {statuses}")


def lost_thanks_call_a_person(world: World) -> None:
    """A success e-mail that no server took, or perhaps none, has an alert, but where there is no such mailbox."""
    for send, row in world.witness.sends.items():
        status, reason = row["status"], row["reason"]
        is_lost = status in ("uncertain", "given up") or (status == "bounced" and REFUSED in reason)
        is_told = derive("alert", send, "uncertain") in world.witness.alerts
        if row["success"] and is_lost and reason != ERASED and not is_told:
            world.witness.broken("alert", f"{send} is {status}, and nobody was called")


def every_run_stopped_for_a_reason(world: World) -> None:
    """Nothing but these ends a lead's path without a person being called or an order."""
    for row in world.database.tables["story"].values():
        reason = row["detail"].get("reason")
        if row["kind"] == "run.stopped" and reason not in STOPS:
            world.witness.broken("stopped", f"{row['visitor']}: {reason}")


def every_run_was_moved(world: World) -> None:
    """A publication's move comes to its end; who enters after that enters by the new version."""
    for move in world.database.tables.get(MOVES, {}).values():
        if move["status"] != DONE:
            world.witness.broken("move not done", str(move["version"]))
            continue
        for row in world.database.tables["story"].values():
            is_entry = row["kind"] == "run.entered" and row["detail"]["run"] == "1"
            late = row["at"] > move["completed_at"]
            if is_entry and late and row["detail"]["version"] != move["version"]:
                world.witness.broken("entered by an old version", row["visitor"])


def every_group_became_what_was_chosen(world: World) -> None:
    """Whoever was on a path when another version was published became what was chosen for their group."""
    if world.choices is None:
        return
    moves = world.database.tables.get(MOVES, {}).values()
    done_at = [move["completed_at"] for move in moves if move["status"] == DONE]
    completed_at = max(done_at, default=world.clock.now())
    everybody_became_what_was_chosen(world.choices, world.database, world.witness, completed_at)


def every_filling_came_to_its_end(world: World) -> None:
    """A publication's cohorts are filled, and nobody lacks anything of what its rules look at."""
    for number, filling in world.database.tables.get(FILLINGS, {}).items():
        if filling["status"] != FILLED:
            world.witness.broken("filling not done", f"{number}: {filling['status']}")
    for visitor, body in world.database.states["behavior"].bodies.items():
        stored = _stored.decode(body)
        if not stored.moved and (lacks := _behavior.decode(stored.state).lacks):
            world.witness.broken("never filled", f"{visitor}: {lacks}")


def every_trait_was_told_once(world: World) -> None:
    """Behavior is told of each step that sets a trait, once for each time that a run took it."""
    witness = world.witness
    took, told = witness.stories["step.reached traits"], witness.traits_told
    if took != told:
        witness.broken("traits told", f"{told} times, steps taken {took} times")


def every_broadcast_came_to_its_end(world: World) -> None:
    """Its pass is over, and what became of it is said of everybody whom it came to."""
    recipients = world.database.tables.get("recipients", {}).values()
    for id_, job in world.database.tables.get(BROADCASTS, {}).items():
        if job["status"] not in (DONE, CANCELLED):
            world.witness.broken("broadcast not done", f"{id_}: {job['status']}")
        for row in recipients:
            is_left = row["broadcast"] == id_ and row["status"] == "planned"
            if is_left and row["visitor"] not in world.witness.merged:
                world.witness.broken("broadcast still planned", f"{id_} for {row['visitor']}")


# Erasures


def nothing_is_left_of_the_erased(world: World, story: Story) -> None:
    """Every erasure came to its end; no stored byte names whom it was about, by whatever id nobody else has now.

    An address or a browser may be of two people, and lead to the one who was erased: the other one keeps it.
    """
    jobs = world.database.tables.get(ERASURES, {})
    of_two = _addresses(world) | _browsers_of_two(story) if story.erasures else set()
    for receipt, (visitor, keys) in story.erasures.items():
        if jobs[receipt]["status"] != DONE:
            world.witness.broken("erasure not done", receipt)
            continue
        person = world.witness.root(visitor)
        names = [
            v for v in {visitor, person, *world.witness.merged} if world.witness.root(v) == person
        ]
        lost = sorted(keys - world.database.identity.keys())
        unowned = [key[2:] for key in lost if key[2:] not in of_two]
        for place in places(world.database, needle(sorted(names), whole=unowned)):
            world.witness.broken("left of an erased visitor", f"{visitor}: {place}")


def _addresses(world: World) -> set[str]:
    """Return the addresses of everybody who is still there."""
    found = [_stored.decode(body) for body in world.database.states["behavior"].bodies.values()]
    return {_behavior.decode(each.state).address for each in found if not each.moved}


def _browsers_of_two(story: Story) -> set[str]:
    """Return the browsers that more than one person used."""
    used = Counter(browser for person in story.audience.people for browser in person.browsers)
    return {browser for browser, people in used.items() if people > 1}


# Learning


def every_reward_joined_once(world: World) -> None:
    """Each reward belongs to a decision, comes after it, and an answer comes inside its window."""
    witness = world.witness
    decisions = world.database.tables.get("decisions", {})
    sent = {
        (row["visitor"], plan.path, plan.run, plan.attempt): row
        for send, row in witness.sends.items()
        if (plan := witness.plans.get(send)) is not None
    }
    for reward in world.database.tables.get("rewards", {}).values():
        decision = decisions.get(reward["decision_id"])
        if decision is None:
            witness.broken("reward", f"no decision {reward['decision_id']}")
            continue
        if reward["at"] < decision["at"]:
            witness.broken("reward", f"before its decision {reward['decision_id']}")
        key = (decision["visitor"], decision["path"], decision["run"], decision["attempt"])
        row = sent.get(key)
        if row is None or reward["kind"] == "purchase" or not reward["value"]:
            continue
        handed = row.get("handed_over_at")
        if handed is not None and reward["at"] > handed + WINDOW + GRACE:
            witness.broken("reward", f"after its window {reward['decision_id']}")


def every_offer_that_was_seen_has_its_reward(world: World) -> None:
    """What was seen has one answer or none, by how it ended; what nobody saw, or saw too late, has no reward."""
    tables, witness = world.database.tables, world.witness
    rewards = tables.get("rewards", {})
    joined: Counter[str] = Counter()
    for id_, row in witness.offers.items():
        if world.witness.root(row["visitor"]) in witness.erased or row["visitor"] in witness.erased:
            continue
        decision = row["decision_id"]
        joined[decision] += 1
        if decision not in tables["decisions"]:
            witness.broken("offer without a decision", id_)
        counts = row["shown_at"] is not None and row["reason"] != "seen all the same"
        wanted = [float(row["status"] in ("clicked", "submitted"))] if counts else []
        reward = rewards.get(f"{decision}:response")
        if ([reward["value"]] if reward else []) != wanted:
            got = reward and reward["value"]
            witness.broken("reward of an offer", f"{id_} {row['status']}: {got}, not {wanted}")
    for decision, count in joined.items():
        if count > 1:
            witness.broken("decision on the site", f"{decision} is joined by {count} offers")


def the_learner_was_told_of_all(world: World) -> None:
    """Each policy's state counts the decisions and the rewards of the log, no more and no fewer."""
    tables = world.database.tables
    told: dict[str, list[int]] = {}
    policies: dict[str, str] = {}
    for id_, row in tables.get("decisions", {}).items():
        if row["path"].startswith(name_of("")):
            continue  # a broadcast has one template: nothing is learned
        policy = policies[id_] = policy_key(_policy_of(row))
        told.setdefault(policy, [0, 0])[0] += 1
    for row in tables.get("rewards", {}).values():
        if row["decision_id"] in policies:
            told[policies[row["decision_id"]]][1] += 1
    for policy, (decisions, rewards) in told.items():
        state = _policy.decode(
            _stored.decode(world.database.states["learner"].bodies[policy]).state
        )
        over_bound = state.refused.get(OVER_BOUND, 0)
        if (decisions, rewards) != (state.decisions, state.rewards + over_bound):
            got = f"{state.decisions} and {state.rewards + over_bound} {state.refused}"
            what = f"{state.policy}: {got}, of {decisions} and {rewards}"
            world.witness.broken("learner", what)


def every_answer_says_of_whom_it_is(world: World) -> None:
    """What the learner hears of a lead with the answer is what the decision was made by, and is logged with it."""
    decisions = world.database.tables.get("decisions", {})
    for decision, told in world.witness.answered.items():
        row = decisions.get(decision)
        if row is not None and row["context"] and told != inputs_of(row["context"]):
            world.witness.broken("answer of another moment", decision)


def _policy_of(row: dict[str, Any]) -> str:
    """Return the policy that a decision teaches, by what the log says of it."""
    if row["kind"] == "interaction":
        return f"on_site/{row['step']}"
    return "send_time" if row["kind"] == "send_hour" else f"next_best/{row['path']}/{row['stage']}"


# Figures


async def figures_are_exact(world: World) -> None:
    """What the shards' commits summed up is what a count of all stored states gives."""
    store = MemoryStore(world.database)
    for bot, states in world.database.states.items():
        codec = Codec(WIRING[bot].make())
        counted = summed(codec.decode(body).figures.items() for body in states.bodies.values())
        kept = await store.figures(bot)
        for name in counted.keys() | kept.keys():
            if abs(counted.get(name, 0) - kept.get(name, 0)) > CENT:
                about = f"{bot} {name}: {kept.get(name, 0)}, counted {counted.get(name, 0)}"
                world.witness.broken("figures", about)


# Replay


async def replayed_equals_live(world: World) -> None:
    """A bot's state is the fold of its batch records, byte for byte; two bots a seed, in turn."""
    turn = world.plan.seed % len(WIRING)
    chosen = {name: WIRING[name] for name in (list(WIRING) * 2)[turn : turn + 2]}
    store, journal = MemoryStore(world.database), MemoryJournal(world.database)
    world.publish()
    for bot, wiring in chosen.items():
        states: dict[str, bytes] = {}
        for index in range(world.plan.shards.get(bot, 0)):
            replayer = Replayer(
                wiring.make(), (index, world.plan.shards[bot]), store, journal, world.view_at
            )
            try:
                await replayer.advance()
            except Exception as error:  # noqa: BLE001 - what cannot be replayed at all is as wrong
                what = f"{bot}-{index}: {type(error).__name__}: {error}"
                world.witness.broken("replay", what)
            states.update(replayer.bodies())
        live = world.database.states[bot].bodies if bot in world.database.states else {}
        for visitor in sorted(live.keys() | states.keys()):
            if live.get(visitor) != states.get(visitor):
                # A visitor who was only looked at, and never written, is in neither.
                if visitor not in live and _is_untouched(states[visitor]):
                    continue
                world.witness.broken("replay", f"{bot} {visitor}")
                break


def _is_untouched(body: bytes) -> bool:
    stored = _stored.decode(body)
    return not stored.wakes and not stored.moved
