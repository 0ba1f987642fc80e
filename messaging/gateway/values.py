"""Name all that a filter of the admin API can be, where that is closed: path of the route -> name -> values."""

from __future__ import annotations

from messaging.alerts.channels import DELIVERED, FAILED, UNCERTAIN
from messaging.alerts.notice import CHANNELS
from messaging.alerts.notifier import OFF, SETTLED, TELLING, WAITING
from messaging.gateway.broadcasts import STATUSES as OF_RECIPIENTS
from messaging.gateway.console import trials
from messaging.store.tables import BOTS
from messaging.vocabulary.quarantine import DROPPED, OPEN, REPLAYED
from messaging.webhooks import caller

OF_SENDS = (
    "planned",
    "waiting",
    "handing over",
    "deferred",
    "handed over",
    "delivered",
    "bounced",
    "complained",
    "uncertain",
    "refused",
    "cancelled",
    "given up",
    "moved",
)
OF_ENGAGEMENTS = (
    "offered",
    "shown",
    "clicked",
    "submitted",
    "dismissed",
    "withdrawn",
    "expired",
    "refused",
)
OF_EXPERIMENTS = ("running", "winner", "no difference", "alarm", "ended")
"""As `learning.serving.split_test.VERDICTS` and `agents.runtime.tested.ENDED`; what is served knows nothing of them."""
OF_ALERTS = ("open", "resumed", "changed", "closed")
OF_TRIALS = (trials.WAITING, trials.RUNNING, trials.DONE, trials.FAILED, trials.CANCELLED)
OF_NOTICES = (WAITING, TELLING, DELIVERED, FAILED, UNCERTAIN, OFF, SETTLED)
OF_WEBHOOKS = (caller.WAITING, caller.CALLING, caller.ANSWERED, caller.FAILED)

VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "alerts": {"status": OF_ALERTS},
    "notices": {"status": OF_NOTICES, "channel": CHANNELS},
    "sends": {"status": OF_SENDS},
    "engagements": {"status": OF_ENGAGEMENTS},
    "decisions": {"kind": ("send_hour", "template", "interaction")},
    "experiments": {"verdict": OF_EXPERIMENTS},
    "tries": {"status": OF_TRIALS},
    "simulations": {"status": OF_TRIALS},
    "templates/{id}": {"of": ("newest", "published")},
    "webhooks": {"status": OF_WEBHOOKS},
    "recipients": {"status": OF_RECIPIENTS},
    "quarantine": {"status": (OPEN, REPLAYED, DROPPED), "bot": BOTS},
}
