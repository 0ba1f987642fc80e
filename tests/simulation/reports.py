"""What mailbox providers reported, and was acknowledged, is known to the ledger, to the bots, and for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.story import Story
    from tests.simulation.world import World


def every_report_is_known(world: World, story: Story) -> None:
    """Its mailbox is suppressed, its e-mail has that status, and who complained has left."""
    witness = world.witness
    for send, fact in story.reported.items():
        if fact.mailbox not in world.database.suppressed:
            witness.broken("reported, and not suppressed", send)
        row, whose = witness.sends[send], witness.root(fact.visitor)
        if whose in witness.erased or fact.visitor in witness.erased or row["visitor"] == "":
            continue
        # One that was tried twice may have bounced after it had arrived.
        if row["status"] not in (fact.kind, "bounced"):
            witness.broken("reported, and not known", f"{send}: {row['status']}, not {fact.kind}")
        if fact.kind == "complained" and whose not in witness.left:
            witness.broken("complained, and stays", whose)
