"""Turn each condition into its two functions (`agents.rules.parts`).

Rules
1. A condition names the kinds of events that can change it; whatever is not named costs nothing.
2. A cohort named in a condition is asked, not looked up: the order of cohorts changes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from agents.protocol.draw import share
from agents.rules.compiled import BORN, PROBABILITY
from agents.rules.condition_models import (
    CampaignIs,
    CartIs,
    Condition,
    OrdersAre,
    PageSeen,
    ProbabilityIn,
    RespondedWith,
    ScoreIn,
    SessionIs,
    ShareOf,
    SocialIs,
)
from agents.rules.countries import country_key
from agents.rules.did import (
    compile_event,
    compile_not_event,
    compile_sequence,
    compile_unfinished,
    happened,
    since_entry,
)
from agents.rules.event_models import EventLike, PageLike
from agents.rules.facts import LISTS, Facts
from agents.rules.fading import fades_at
from agents.rules.keeping import CART, PAGE, VIEWS, turns_of
from agents.rules.operators import value_test
from agents.rules.parts import (
    ACTIVITY,
    DEPTHS,
    EMAIL,
    ORDERS,
    SESSION,
    WHO,
    Around,
    Part,
    bound_kind,
    counted,
    depth_kind,
    every,
    negated,
    some,
)
from agents.rules.value_models import PropertyIs, TraitIs
from agents.rules.values import plain, same
from agents.rules.watches import page_asked, views_asked
from agents.rules.when import compile_clock, compile_date

CART_EVENT = "Product Added"
CART_EVENTS = frozenset({"track:Product Added", "track:Product Removed"})
CART_DAYS = 7
"""A cart that was not touched for so long is no sign of buying any more."""


def compile_condition(condition: Condition, around: Around) -> Part:
    """Return the condition's functions; what it refers to must exist (`agents.rules.checks`)."""
    operator = condition.operator
    return _COMPILERS[operator](getattr(condition, operator), around)


# ----------------------------------------------------------------------------- all, any, not


def _all(conditions: list[Condition], around: Around) -> Part:
    return every([compile_condition(condition, around) for condition in conditions])


def _any(conditions: list[Condition], around: Around) -> Part:
    return some([compile_condition(condition, around) for condition in conditions])


def _not(condition: Condition, around: Around) -> Part:
    return negated(compile_condition(condition, around))


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

    return replace(part, test=test, until=until if ends is not None else None)


# ------------------------------------------------------------------------------- who they are


def _lifecycle(wanted: str, around: Around) -> Part:
    needs = ORDERS if wanted == "customer" else frozenset()
    return Part(lambda facts, _: facts.lifecycle == wanted, None, WHO | around.purchases, needs)


def _known(what: str, _: Around) -> Part:
    if what == "email":
        return Part(lambda facts, _: facts.email_known, None, WHO, EMAIL)
    return Part(lambda facts, _: facts.user_id_known, None, WHO)


def _may_email(*, wanted: bool) -> Part:
    needs = EMAIL if wanted else frozenset()
    return Part(lambda facts, _: facts.may_email == wanted, None, WHO, needs)


def _trait(trait: TraitIs, around: Around) -> Part:
    name = trait.name
    kinds = frozenset({f"trait:{name}"}) if name != "email" else WHO
    if trait.changed is not None:
        around.turning.add(name)
        return _changed(name, trait.changed.hours, kinds)
    holds = value_test(trait)
    needs = EMAIL if name == "email" else frozenset({("trait", name)})
    if trait.exists is False:
        needs = frozenset()
    return Part(lambda facts, _: holds(facts.trait(name)), None, kinds, needs)


def _changed(name: str, hours: int | None, kinds: frozenset[str]) -> Part:
    """Hold from a change on, to the end of the window's bucket it lies in."""

    def count(facts: Facts, since: datetime | None) -> int:
        at = facts.changed_at(name)
        return int(at is not None and (since is None or at >= since))

    return counted(count, 1, hours, kinds | {turns_of(name)})


def _in_list(name: str, _: Around) -> Part:
    """A static list is asked for as a trait: only the API writes it, and it goes with the person it is about."""
    trait = f"{LISTS}{name}"
    kinds, needs = frozenset({f"trait:{trait}"}), frozenset({("trait", trait)})
    return Part(lambda facts, _: same(facts.trait(trait), True), None, kinds, needs)


def _social(social: SocialIs, _: Around) -> Part:
    """Ask for presence, profile and activity; an awaited presence becomes an unknown one by time alone."""
    traits = {"social_profile": social.profile, "social_activity": social.activity}
    wanted = {name: value for name, value in traits.items() if value is not None}

    def test(facts: Facts, now: datetime) -> bool:
        if social.presence is not None and facts.presence(now) != social.presence:
            return False
        return all(facts.trait(name) == value for name, value in wanted.items())

    is_timed = social.presence in ("awaited", "unknown")
    found = {f"trait:{name}" for name in ("social_presence", *traits)}
    kinds = WHO | found | {"social"}
    return Part(test, (lambda facts, now: facts.presence_until(now)) if is_timed else None, kinds)


def _country(wanted: str, _: Around) -> Part:
    kinds = frozenset({"place:country", "trait:country", "trait:address.country"})
    key = country_key(wanted)
    return Part(lambda facts, _: country_key(facts.place("country")) == key, None, kinds)


def _place(field: str) -> Callable[[PropertyIs, Around], Part]:
    """Return the compiler of what is asked of a place; one that is not known is none."""

    def compile_place(asked: PropertyIs, _: Around) -> Part:
        holds = value_test(asked)
        kinds = frozenset({f"place:{field}", f"trait:{field}", f"trait:address.{field}"})
        return Part(lambda facts, _: holds(facts.place(field) or None), None, kinds)

    return compile_place


def _locale(wanted: str, _: Around) -> Part:
    """Take `pt` for `pt-BR` as well: who asks for a language means all its countries."""
    language = plain(wanted).replace("_", "-")

    def test(facts: Facts, _: datetime) -> bool:
        locale = plain(facts.place("locale")).replace("_", "-")
        return locale == language or locale.startswith(language + "-")

    return Part(test, None, frozenset({"place:locale", "trait:locale"}))


def _device(wanted: str, _: Around) -> Part:
    return Part(
        lambda facts, _: facts.place("device") == wanted,
        None,
        frozenset({"place:device"}),
        frozenset({("place", "device")}),
    )


def _campaign(campaign: CampaignIs, _: Around) -> Part:
    asked = list(campaign.model_dump(exclude_none=True).items())
    return Part(
        lambda facts, _: all(same(facts.campaign(field), value) for field, value in asked),
        None,
        frozenset({"place:campaign"}),
        frozenset({("place", "campaign")}),
    )


def _share(part: ShareOf, _: Around) -> Part:
    salt, start, end = part.salt, part.start, part.end
    return Part(lambda f, _: start <= share(salt, f.visitor_id) < end, None, frozenset({BORN}))


# ----------------------------------------------------------------------------- what they did


def _responded(answer: RespondedWith, around: Around) -> Part:
    if answer.since_entry:
        name = f"mail_{answer.kind}"
        if answer.to != "email":
            name = f"engagement_{answer.kind}:{answer.to}"
        return since_entry(EventLike(name=name), answer.at_least, around)
    if answer.to != "email":
        kind = f"engagement_{answer.kind}"
        event = f"{kind}:{answer.to}"
        return happened(event, answer.at_least, answer.hours, frozenset({kind}))
    event, least = f"mail_{answer.kind}", answer.at_least
    if answer.by == "machine":
        return Part(lambda facts, _: facts.machine(event) >= least, None, frozenset({"machine"}))
    return happened(event, least, answer.hours)


def _page(page: PageSeen, around: Around) -> Part:
    if page.seconds_at_least is None and page.since_entry:
        path = PageLike(starts_with=page.starts_with, contains=page.contains)
        return since_entry(EventLike(page=path), page.at_least, around)
    if page.seconds_at_least is not None:
        return compile_event(page.looks, around)
    text = page.starts_with or page.contains or ""
    asked = page_asked(text, prefix=page.starts_with is not None)
    kind = PAGE + asked.id
    around.pages[kind] = asked.means
    return counted(
        lambda facts, since: facts.looked(asked, since),
        page.at_least,
        page.hours,
        frozenset({kind}),
        frozenset({("page", asked.id)}),
    )


def _session(session: SessionIs, around: Around) -> Part:
    least, depth = session.number_at_least or 0, session.depth_at_least or 0
    most = float("inf") if session.number_at_most is None else session.number_at_most
    views = views_asked(session.pages_contain) if session.pages_contain else None
    pages = session.pages_at_least
    seconds = (session.minutes_at_least or 0) * 60
    is_numbered = session.number_at_least is not None or session.number_at_most is not None

    def test(facts: Facts, _: datetime) -> bool:
        # What is not asked for is not looked up: this is asked several times at each page.
        if depth and facts.session_depth < depth:
            return False
        if is_numbered and not least <= facts.session_number <= most:
            return False
        if seconds and facts.session_seconds < seconds:
            return False
        return views is None or facts.session_pages(views) >= pages

    # Within a session a page changes the depth by one, and a track call nothing.
    kinds = {DEPTHS, depth_kind(depth)} if depth else set()
    if is_numbered or seconds or views is not None:
        kinds.add(SESSION)
    if views is not None:
        around.pages[VIEWS + views.id] = views.means
        kinds |= {"page", "screen", VIEWS + views.id}
    return Part(test, None, frozenset(kinds) | (ACTIVITY if seconds else frozenset()))


def _orders(orders: OrdersAre, around: Around) -> Part:
    least, most = orders.at_least or 0, _or_no_limit(orders.at_most)
    low, high = orders.value_at_least or 0.0, _or_no_limit(orders.value_at_most)
    is_by_value = orders.value_at_least is not None or orders.value_at_most is not None

    def holds(facts: Facts, _: datetime) -> bool:
        if not least <= facts.orders <= most:
            return False
        return not is_by_value or low <= facts.order_value <= high

    return Part(
        holds,
        None,
        around.purchases,
        ORDERS if least or low else frozenset(),
    )


def _or_no_limit(bound: float | None) -> float:
    return float("inf") if bound is None else bound


def _cart(cart: CartIs, around: Around) -> Part:
    """Ask for the contents while there is a cart at all."""
    contains = value_test(cart.contains) if cart.contains is not None else None
    items, low = cart.items_at_least or 0, cart.value_at_least or 0.0
    high = _or_no_limit(cart.value_at_most)

    def holds(facts: Facts, _: datetime) -> bool:
        found = facts.cart
        if found.items < max(items, 1) or not low <= found.value <= high:
            return False
        return contains is None or any(contains(word) for word in found.words)

    around.keeping.add("cart")
    filled = _in_cart(wanted=True, around=around)
    return every([filled, Part(holds, None, filled.kinds | CART_EVENTS | {CART})])


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
        frozenset({("seen", CART_EVENT)}) if wanted else frozenset(),
    )


# --------------------------------------------------------------------------- what that makes


def _score(score: ScoreIn, around: Around) -> Part:
    name, rule = score.name, around.scores[score.name]
    start, end, half_life = score.start, score.end, rule.half_life_days
    low = float("-inf") if start is None else start
    high = float("inf") if end is None else end

    asked_for = {(name, bound) for bound in (start, end) if bound is not None}
    around.bounds.update(asked_for)

    def until(facts: Facts, now: datetime) -> datetime | None:
        return fades_at(facts.score(name, now), [start, end], half_life, now)

    return Part(
        lambda facts, now: low <= facts.score(name, now) < high,
        until if half_life is not None else None,
        frozenset(bound_kind(*asked) for asked in asked_for),
        frozenset({("score", name)}) if low > 0 else frozenset(),
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
    "event": compile_event,
    "not_event": compile_not_event,
    "sequence": compile_sequence,
    "unfinished": compile_unfinished,
    "date": compile_date,
    "clock": compile_clock,
    "cohort": _cohort,
    "score": _score,
    "session": _session,
    "page": _page,
    "orders": _orders,
    "campaign": _campaign,
    "in_cart": lambda wanted, around: _in_cart(wanted=wanted, around=around),
    "cart": _cart,
    "referrer": _place("referrer"),
    "search_term": _place("search_term"),
    "country": _country,
    "city": _place("city"),
    "in_list": _in_list,
    "locale": _locale,
    "device": _device,
    "share": _share,
    "responded": _responded,
    "probability": _probability,
}
"""Operator -> its compiler; a test holds the two lists of operators equal."""
