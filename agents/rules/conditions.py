"""Turn conditions into two functions each: does it hold now, and when may time alone change that.

Rules
1. A condition names the kinds of events that can change it; whatever is not named costs nothing.
2. A cohort named in a condition is asked, not looked up: the order of cohorts changes no result.
3. `until` may be early (the test is asked again and gives a later time); it is late by a second at
   most, and only for scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.protocol.draw import share
from agents.rules.compiled import ANY_TRACK, PROBABILITY, ScoreRule, Test, Until
from agents.rules.condition_models import (
    CampaignIs,
    Condition,
    EventDid,
    EventNone,
    OrdersAre,
    PageSeen,
    ProbabilityIn,
    RespondedWith,
    ScoreIn,
    SessionIs,
    ShareOf,
    SocialIs,
    TraitIs,
)
from agents.rules.facts import Facts
from agents.rules.fading import fades_at
from agents.rules.values import plain, same
from agents.rules.windows import leaves_at, window_start

OTHER_KINDS = frozenset(
    {
        "page",
        "screen",
        "identify",
        "group",
        "alias",
        "mail_opened",
        "mail_clicked",
        "unsubscribed",
        "bounced",
        "complained",
        "engagement_shown",
        "engagement_clicked",
        "engagement_dismissed",
        "engagement_submitted",
    }
)
"""What can happen besides track events (`agents.rules.facts`, rule 4)."""

WHO = frozenset({"identify", "alias", "unsubscribed", "bounced", "complained"})
CALLS = frozenset({"page", "screen", "identify", "group", "alias", ANY_TRACK})
CART_EVENT = "Product Added"
CART_DAYS = 7
"""A cart that was not touched for so long is no sign of buying any more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one compiled condition. `until` is None where time alone changes nothing."""

    test: Test
    until: Until | None
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Around:
    """Hold what conditions may refer to."""

    scores: Mapping[str, ScoreRule]
    purchase_events: frozenset[str]
    cohort: Callable[[str], Part]

    @property
    def purchases(self) -> frozenset[str]:
        """Return the kinds that count an order."""
        return frozenset(f"track:{name}" for name in self.purchase_events) | {"purchase"}


def compile_condition(condition: Condition, around: Around) -> Part:
    """Return the condition's functions; what it refers to must exist (`agents.rules.checks`)."""
    operator = condition.operator
    return _COMPILERS[operator](getattr(condition, operator), around)


def earliest(parts: list[Part]) -> Until | None:
    """Return a function that gives the earliest `until` of several parts."""
    untils = [part.until for part in parts if part.until is not None]
    if len(untils) <= 1:
        return untils[0] if untils else None

    def until(facts: Facts, now: datetime) -> datetime | None:
        times = [time for each in untils if (time := each(facts, now)) is not None]
        return min(times, default=None)

    return until


# ----------------------------------------------------------------------------- all, any, not


def _all(conditions: list[Condition], around: Around) -> Part:
    parts = [compile_condition(condition, around) for condition in conditions]
    tests = [part.test for part in parts]
    lasting = [part.test for part in parts if part.until is None]
    kinds = frozenset[str]().union(*(part.kinds for part in parts))
    first = earliest(parts)

    def until(facts: Facts, now: datetime) -> datetime | None:
        for each in lasting:
            if not each(facts, now):
                return None  # whatever time does to the others, this one stays as it is
        return first(facts, now) if first is not None else None

    def test(facts: Facts, now: datetime) -> bool:
        for each in tests:  # noqa: SIM110 - `all` over a generator takes twice as long, at each event
            if not each(facts, now):
                return False
        return True

    return Part(test, until if first is not None else None, kinds)


def _any(conditions: list[Condition], around: Around) -> Part:
    parts = [compile_condition(condition, around) for condition in conditions]
    tests = [part.test for part in parts]
    kinds = frozenset[str]().union(*(part.kinds for part in parts))

    def test(facts: Facts, now: datetime) -> bool:
        for each in tests:  # noqa: SIM110 - see `_all`
            if each(facts, now):
                return True
        return False

    return Part(test, earliest(parts), kinds)


def _not(condition: Condition, around: Around) -> Part:
    part = compile_condition(condition, around)
    test = part.test
    return Part(lambda facts, now: not test(facts, now), part.until, part.kinds)


def _cohort(name: str, around: Around) -> Part:
    """Ask another cohort, once in a moment: several may stand on the same one."""
    part = around.cohort(name)
    asked, ends = part.test, part.until

    def test(facts: Facts, now: datetime) -> bool:
        known = facts.asked.get(name)
        if known is None or known[0] is not now:
            known = facts.asked[name] = (now, asked(facts, now))
        return known[1]

    def until(facts: Facts, now: datetime) -> datetime | None:
        assert ends is not None, "only where time alone may change it"
        known = facts.ends.get(name)
        if known is None or known[0] is not now:
            known = facts.ends[name] = (now, ends(facts, now))
        return known[1]

    return Part(test, until if ends is not None else None, part.kinds)


# ------------------------------------------------------------------------------- who they are


def _lifecycle(wanted: str, around: Around) -> Part:
    return Part(lambda facts, _: facts.lifecycle == wanted, None, WHO | around.purchases)


def _known(what: str, _: Around) -> Part:
    if what == "email":
        return Part(lambda facts, _: facts.email_known, None, WHO)
    return Part(lambda facts, _: facts.user_id_known, None, WHO)


def _may_email(*, wanted: bool) -> Part:
    return Part(lambda facts, _: facts.may_email == wanted, None, WHO)


def _trait(trait: TraitIs, _: Around) -> Part:
    name = trait.name
    if trait.exists is not None:
        there = trait.exists
        return Part(lambda facts, _: (facts.trait(name) is not None) == there, None, WHO)
    if trait.contains is not None:
        piece = plain(trait.contains)
        return Part(lambda facts, _: piece in plain(_or_empty(facts.trait(name))), None, WHO)
    values = trait.one_of if trait.one_of is not None else [trait.equals]
    return Part(lambda facts, _: any(same(facts.trait(name), v) for v in values), None, WHO)


def _social(social: SocialIs, _: Around) -> Part:
    """Ask for presence, profile and activity; an awaited presence becomes an unknown one by time alone."""
    traits = {"social_profile": social.profile, "social_activity": social.activity}
    wanted = {name: value for name, value in traits.items() if value is not None}

    def test(facts: Facts, now: datetime) -> bool:
        if social.presence is not None and facts.presence(now) != social.presence:
            return False
        return all(facts.trait(name) == value for name, value in wanted.items())

    is_timed = social.presence in ("awaited", "unknown")
    return Part(test, (lambda facts, now: facts.presence_until(now)) if is_timed else None, WHO)


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _country(wanted: str, _: Around) -> Part:
    return Part(lambda facts, _: same(facts.place("country"), wanted), None, CALLS)


def _locale(wanted: str, _: Around) -> Part:
    """Take `pt` for `pt-BR` as well: who asks for a language means all its countries."""
    language = plain(wanted).replace("_", "-")

    def test(facts: Facts, _: datetime) -> bool:
        locale = plain(facts.place("locale")).replace("_", "-")
        return locale == language or locale.startswith(language + "-")

    return Part(test, None, CALLS)


def _campaign(campaign: CampaignIs, _: Around) -> Part:
    asked = [
        (field, value)
        for field, value in (
            ("source", campaign.source),
            ("medium", campaign.medium),
            ("name", campaign.name),
        )
        if value is not None
    ]
    return Part(
        lambda facts, _: all(same(facts.campaign(field), value) for field, value in asked),
        None,
        CALLS,
    )


def _share(part: ShareOf, _: Around) -> Part:
    salt, start, end = part.salt, part.start, part.end
    return Part(lambda f, _: start <= share(salt, f.visitor_id) < end, None, frozenset())


# ----------------------------------------------------------------------------- what they did


def _kinds_of(event: str) -> frozenset[str]:
    return frozenset({f"track:{event}"} | ({event} & OTHER_KINDS))


def _counted(
    count: Callable[[Facts, datetime | None], int],
    at_least: int,
    hours: int | None,
    kinds: frozenset[str],
) -> Part:
    if hours is None:
        return Part(lambda facts, _: count(facts, None) >= at_least, None, kinds)
    window = hours

    def until(facts: Facts, now: datetime) -> datetime | None:
        return leaves_at(lambda since: count(facts, since), at_least, now, window)

    return Part(
        lambda facts, now: count(facts, window_start(now, window)) >= at_least, until, kinds
    )


def _happened(
    event: str, at_least: int, hours: int | None, kinds: frozenset[str] | None = None
) -> Part:
    """Count an event in its buckets, the one that most rules need.

    What did not happen so often ever did not within a window: that is looked at first, without any clock.
    """

    def count(facts: Facts, since: datetime | None) -> int:
        return facts.counter(event) if since is None else facts.recent(event, since)

    kinds = kinds if kinds is not None else _kinds_of(event)
    part = _counted(count, at_least, hours, kinds)
    ends = part.until
    if ends is None:
        return part
    return Part(
        lambda facts, now: facts.counter(event) >= at_least and part.test(facts, now),
        lambda facts, now: ends(facts, now) if facts.counter(event) >= at_least else None,
        kinds,
    )


def _happened_with(event: EventNone, at_least: int) -> Part:
    name, properties = event.name, event.properties
    if not properties:
        return _happened(name, at_least, event.hours)
    return _counted(
        lambda facts, since: facts.recent_with(name, properties, since),
        at_least,
        event.hours,
        _kinds_of(name),
    )


def _event(event: EventDid, _: Around) -> Part:
    return _happened_with(event, event.at_least)


def _not_event(event: EventNone, _: Around) -> Part:
    part = _happened_with(event, 1)
    return Part(lambda facts, now: not part.test(facts, now), part.until, part.kinds)


def _responded(answer: RespondedWith, _: Around) -> Part:
    if answer.to != "email":
        kind = f"engagement_{answer.kind}"
        event = f"{kind}:{answer.to}"
        return _happened(event, answer.at_least, answer.hours, frozenset({kind}))
    return _happened(f"mail_{answer.kind}", answer.at_least, answer.hours)


def _page(page: PageSeen, _: Around) -> Part:
    prefix = page.starts_with is not None
    text = page.starts_with or page.contains or ""
    return _counted(
        lambda facts, since: facts.pages_matching(text, prefix=prefix, since=since),
        page.at_least,
        page.hours,
        CALLS,
    )


def _session(session: SessionIs, _: Around) -> Part:
    number, depth = session.number_at_least or 0, session.depth_at_least or 0
    texts, pages = tuple(session.pages_contain or ()), session.pages_at_least

    def test(facts: Facts, _: datetime) -> bool:
        if facts.session_depth < depth or facts.session_number < number:
            return False
        return not texts or facts.session_pages(texts) >= pages

    # A track call changes the number of sessions alone, and that is a kind of its own.
    views = {"page", "screen"} if depth or texts else set()
    return Part(test, None, frozenset(views | {"session"}))


def _orders(orders: OrdersAre, around: Around) -> Part:
    count, value = orders.at_least or 0, orders.value_at_least or 0.0
    return Part(
        lambda facts, _: facts.orders >= count and facts.order_value >= value,
        None,
        around.purchases,
    )


def _in_cart(*, wanted: bool, around: Around) -> Part:
    kept = timedelta(days=CART_DAYS)
    purchase_events = sorted(around.purchase_events)

    def filled_at(facts: Facts, now: datetime) -> datetime | None:
        added = facts.last(CART_EVENT)
        if added is None or now - added >= kept:
            return None
        bought = [facts.last(event) for event in purchase_events]
        return None if any(at is not None and at >= added for at in bought) else added

    def until(facts: Facts, now: datetime) -> datetime | None:
        added = filled_at(facts, now)
        return None if added is None else added + kept

    return Part(
        lambda facts, now: (filled_at(facts, now) is not None) == wanted,
        until,
        around.purchases | {f"track:{CART_EVENT}"},
    )


# --------------------------------------------------------------------------- what that makes


def _score(score: ScoreIn, around: Around) -> Part:
    name, rule = score.name, around.scores[score.name]
    start, end, half_life = score.start, score.end, rule.half_life_days
    low = float("-inf") if start is None else start
    high = float("inf") if end is None else end

    def until(facts: Facts, now: datetime) -> datetime | None:
        return fades_at(facts.score(name, now), [start, end], half_life, now)

    return Part(
        lambda facts, now: low <= facts.score(name, now) < high,
        until if half_life is not None else None,
        frozenset(kind for kind, points in rule.points_by_kind.items() if points),
    )


def _probability(asked: ProbabilityIn, _: Around) -> Part:
    """Hold for leads alone: of others, and before anything was learned, there is no probability."""
    of = asked.of
    low = 0.0 if asked.start is None else asked.start
    high = float("inf") if asked.end in (None, 1.0) else asked.end

    def test(facts: Facts, _: datetime) -> bool:
        value = facts.probability(of)
        return value is not None and low <= value < high

    return Part(test, None, frozenset({PROBABILITY}))


_COMPILERS: dict[str, Callable[..., Part]] = {
    "all_of": _all,
    "any_of": _any,
    "none_of": _not,
    "lifecycle": _lifecycle,
    "known": _known,
    "may_email": lambda wanted, _: _may_email(wanted=wanted),
    "trait": _trait,
    "social": _social,
    "event": _event,
    "not_event": _not_event,
    "cohort": _cohort,
    "score": _score,
    "session": _session,
    "page": _page,
    "orders": _orders,
    "campaign": _campaign,
    "in_cart": lambda wanted, around: _in_cart(wanted=wanted, around=around),
    "country": _country,
    "locale": _locale,
    "share": _share,
    "responded": _responded,
    "probability": _probability,
}
"""Operator -> its compiler; a test holds the two lists of operators equal."""
