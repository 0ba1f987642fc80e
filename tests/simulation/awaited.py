"""Check that no answer is lost: each e-mail that left has its reward in the end, and each open alert a run."""

from __future__ import annotations

from collections import Counter

import msgspec

from agents.rules_manager.broadcast_rule import name_of
from agents.rules_manager.state import RulesState
from agents.runtime.held import Stored
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS
from tests.simulation.world import World

LEFT = ("handed over", "delivered")

_stored = msgspec.msgpack.Decoder(Stored)
_rules = msgspec.msgpack.Decoder(RulesState)


def every_email_has_its_reward(world: World) -> None:
    """Each choice of an e-mail that left has one reward, however its run ended; of a broadcast nothing is learned."""
    tables, witness = world.database.tables, world.witness
    decided, rewards = tables.get("decisions", {}), tables.get("rewards", {}).values()
    joined = Counter(each["decision_id"] for each in rewards if each["kind"] == "response")
    for send, row in witness.sends.items():
        plan = witness.plans.get(send)
        if plan is None or row["status"] not in LEFT or plan.path.startswith(name_of("")):
            continue
        # No decision is logged any more of who was erased.
        if plan.decision_id in decided and joined[plan.decision_id] != 1:
            witness.broken("e-mail without its reward", f"{send}: {joined[plan.decision_id]}")


def every_open_alert_has_its_run(world: World) -> None:
    """A person can settle each alert that is open: a run holds it, and goes by the answer."""
    bodies = world.database.states["rules"].bodies.values()
    states = [_rules.decode(_stored.decode(body).state) for body in bodies]
    held = {run.alert_id for state in states for run in state.runs.values()}
    for alert, row in world.database.tables.get("alerts", {}).items():
        is_a_runs = row["kind"] != UNCERTAIN_SUCCESS and not row.get("policy")
        if row["status"] == "open" and is_a_runs and alert not in held:
            world.witness.broken("alert that no run holds", alert)
