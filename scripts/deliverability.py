"""Sum up how e-mails are taken, and say what to do where that is badly.

Rules
1. Sums over a month of sends cost what there were of them: they are made at most a tenth of the time, and whoever
   looks meanwhile gets the last ones, with the moment they are of.
2. A share is judged only where there are enough e-mails to have one.
3. The limits are the mailbox providers' own: complaints under 0.1 %, never 0.3 % (Google's and Yahoo's rules for bulk
   senders, 2024); what comes back above 2 % costs reputation, above 5 % deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from agents.behavior_bot.bot import ANSWERS
from messaging.gateway.console.delivered import Advice, Answers, DeliveredNow, Refused, Taken
from messaging.gateway.late import late_said
from messaging.ports import Clock, Store
from scripts.choices import percent
from scripts.counting import counted
from scripts.reasons import why
from scripts.refused import LINES_MAX, failing, refused
from scripts.resting import Resting
from scripts.visible import shown
from scripts.wording import moment

DAYS = 30
DOMAINS_MAX = 15
OTHERS = "all others"
ENOUGH = 100
"""E-mails below which a share says nothing."""

LIMITS = {
    "bounced": (0.02, 0.05),
    "complained": (0.001, 0.003),
    "left": (0.005, 0.01),
    "uncertain": (0.005, 0.02),
}
"""Field of `Taken` -> shares from which it is worth a look, and wrong."""

FIELDS = ("day", "domain", "status", "left", "opened", "clicked")

Sums = dict[tuple[Any, ...], int]


class Deliverability:
    """Sum up what became of e-mails. Parameters: where the ledger is, and the clock."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._resting = Resting(self._sum_up, clock)

    async def now(self) -> DeliveredNow:
        """Return the sums as they were a moment ago; who comes first waits for them."""
        return await self._resting.now()

    async def _sum_up(self) -> DeliveredNow:
        now = self._clock.now()
        least = f"{now - timedelta(days=DAYS - 1):%Y-%m-%d}"
        sums = await self._store.tallies("sends", FIELDS, least)
        figures = await self._store.figures("behavior")
        reasons = await self._store.suppression_reasons()
        lines = refused(await self._store.refusals(datetime.fromisoformat(f"{least}T00:00+00:00")))
        found = delivered(sums, figures, reasons, now, lines)
        found.mail_waits = await late_said(self._store)
        return found


def delivered(
    sums: Sums,
    figures: dict[str, float],
    reasons: dict[str, int],
    now: datetime,
    lines: Sequence[Refused] = (),
) -> DeliveredNow:
    """Return what the sums say at a moment of world time.

    `sums`: values of `FIELDS` -> e-mails. `lines`: what was refused by us, the failing templates and the most first.
    """
    days = {f"{now - timedelta(days=back):%Y-%m-%d}": None for back in reversed(range(DAYS))}
    by_day = _taken(sums, lambda day, _: day)
    by_domain = _taken(sums, lambda _, domain: domain)
    domains = _domains(by_domain)
    whole = _added("all", by_day.values())
    return DeliveredNow(
        as_of=moment(now),
        at=now,
        whole=_judged(whole),
        days=[by_day.get(day) or Taken(name=day) for day in days],
        domains=[_judged(each) for each in domains],
        answers=[
            Answers(
                name="opened" if kind.endswith("opened") else "clicked",
                every=int(figures.get(every, 0)),
                by_people=int(figures.get(by_people, 0)),
            )
            for kind, (every, by_people) in ANSWERS.items()
        ],
        reasons=[(why(reason), count) for reason, count in sorted(reasons.items())],
        advice=[*failing(lines), *_advice(whole), *_advice_of_domains(whole, domains)],
        refused=list(lines[:LINES_MAX]),
        refused_count=sum(each.number for each in lines),
    )


def _taken(sums: Sums, key: Callable[[str, str], str]) -> dict[str, Taken]:
    found: dict[str, Taken] = {}
    for (day, domain, status, left, opened, clicked), count in sums.items():
        name = key(str(day), str(domain or "unknown"))
        taken = found.setdefault(name, Taken(name=shown(name)))
        taken.sent += count
        taken.left += count if left else 0
        taken.opened += count if opened else 0
        taken.clicked += count if clicked else 0
        match status:
            case "handed over":
                taken.handed += count
            case "bounced":
                taken.bounced += count
            case "complained":
                taken.complained += count
            case _:
                taken.uncertain += count
    return found


def _domains(by_domain: dict[str, Taken]) -> list[Taken]:
    """Return the domains that most e-mails go to, and the others as one."""
    order = sorted(by_domain.values(), key=lambda each: (-each.sent, each.name))
    if len(order) <= DOMAINS_MAX + 1:
        return order
    return [*order[:DOMAINS_MAX], _added(OTHERS, order[DOMAINS_MAX:])]


def _added(name: str, parts: Iterable[Taken]) -> Taken:
    whole = Taken(name=name)
    for part in parts:
        for field in ("sent", "handed", "opened", "clicked", *LIMITS):
            setattr(whole, field, getattr(whole, field) + getattr(part, field))
    return whole


def _level(taken: Taken, field: str) -> str:
    """Return how bad something is: empty, `look` or `wrong`.

    >>> [_level(Taken(name="x", sent=1_000, bounced=n), "bounced") for n in (19, 20, 50)]
    ['', 'look', 'wrong']
    """
    look, wrong = LIMITS[field]
    share = getattr(taken, field) / taken.sent if taken.sent >= ENOUGH else 0.0
    return "wrong" if share >= wrong else "look" if share >= look else ""


def _judged(taken: Taken) -> Taken:
    taken.wrong = [field for field in LIMITS if _level(taken, field)]
    return taken


_WORDS = {
    "bounced": "come back",
    "complained": "are called spam",
    "left": "lead to an unsubscribe",
    "uncertain": "have an uncertain end",
}

_DO = {
    "bounced": "Addresses are old or mistyped. Import only those that asked for e-mails, and let owners confirm theirs "
    "(`MDMA_CONSENT=double-opt-in`). What bounced for good is not written to again.",
    "complained": "Readers did not expect these e-mails. Write less often (the path's caps), only to who asked, and "
    "say in the first lines why they get it. From 0.3 % on, providers put everything into the spam folder.",
    "left": "What is sent is not what was promised, or too often. Compare the templates under Experiments, lengthen "
    "the path's caps, and look at who enters it.",
    "uncertain": "The server's answer was lost after the e-mail's last dot: look at the connection to it. They are not "
    "sent again by themselves.",
}


def _advice(whole: Taken) -> list[Advice]:
    found = []
    for field in LIMITS:
        level = _level(whole, field)
        if level:
            count = getattr(whole, field)
            what = (
                f"{percent(count / whole.sent)} of {counted(whole.sent, 'e-mails')} {_WORDS[field]}"
            )
            found.append(Advice(level=level, what=what, do=_DO[field]))
    return found


def _advice_of_domains(whole: Taken, domains: list[Taken]) -> list[Advice]:
    """Say which domain alone takes our e-mails badly: then it is not the list, but how they see us."""
    found = []
    for domain in domains:
        bad = [field for field in ("bounced", "complained") if _level(domain, field) == "wrong"]
        if domain.name == OTHERS or not bad or any(_level(whole, field) for field in bad):
            continue
        words = " and ".join(_WORDS[field] for field in bad)
        do = (
            "Others take them: this is about how they see the sender. Check that SPF, DKIM and DMARC pass there, look "
            "at their postmaster page, and send fewer to them for some days."
        )
        found.append(Advice(level="wrong", what=f"Too many to {domain.name} {words}", do=do))
    return found
