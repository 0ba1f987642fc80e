"""Learn who a visitor is from what events carry: ids, address, traits, consent, place; tell peers when it changed.

Rules
1. A refusal stands: an unsubscribe or a complaint is not undone by a trait that a site repeats.
2. Traits of `group` are the company's, not the visitor's.
3. Peers are told only of visitors whose address is or was known: nobody writes to the others. But anybody may refuse
   to be spoken to on the site.
4. Others are asked about an address (Social) unless its owner refused that, or e-mail, or has left.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from agents.behavior_bot.greeting import greeting, spoken
from agents.behavior_bot.identity import address_of, text_id
from agents.behavior_bot.state import (
    ANONYMOUS_IDS_MAX,
    CONSENTS_MAX,
    DAY_SECONDS,
    LISTS_MAX,
    TRAIT_CHARACTERS_MAX,
    TRAIT_NAME_CHARACTERS_MAX,
    TRAITS_CHARACTERS_MAX,
    TRAITS_MAX,
    USER_IDS_MAX,
    BehaviorState,
    Stamped,
    Turn,
    keep_turn,
    note_id,
    put,
    trim,
)
from agents.protocol.bot import View
from agents.rules.countries import zone_of_country
from agents.rules.devices import device_of
from agents.rules.facts import LISTS
from agents.rules.values import plain
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.events import PEOPLE_IMPORTED, Aliased, Call, Context, Identify
from messaging.vocabulary.ids import derive
from messaging.vocabulary.messages import (
    Identified,
    ProfileSeen,
    SiteConsent,
    TraitsSet,
    TraitValue,
)

DOUBLE_OPT_IN = "double-opt-in"
"""The setting under which an address is written to only once its owner confirmed it."""

CONSENT_SETTINGS = ("assumed", "opt-in", DOUBLE_OPT_IN)
"""What `MDMA_CONSENT` may be, the laxest first."""

CAME_BY_CHARACTERS_MAX = 96
QUERY_FIELDS_MAX = 32
SEARCH_FIELDS = ("q", "query", "p", "text", "wd")
"""Under which search engines carry what was searched for, where they tell it at all."""

AWAIT_SOCIAL = timedelta(minutes=10)
"""World time for which a new lead's social presence counts as awaited; after that it is unknown."""

PRESENCE, PROFILE, ACTIVITY = "social_presence", "social_profile", "social_activity"
"""Traits that hold what Social found."""

CONSENT_TRAITS = {"email_consent": "email", "social_consent": "social"}
"""Trait by which a site tells of a consent -> the category it is about."""

DECIDING = ("email", "site", "social")
"""Categories of consent that decide whether we may write to somebody, speak to them on the site, or ask about them."""

_PLACE_TRAITS = {
    "country": ("country", "address.country"),
    "city": ("city", "address.city"),
    "zone": ("timezone",),
    "referrer": (),
    "search_term": (),
    "device": (),
}
"""Traits that tell a place; what is not named here is told by the trait of its name."""

_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})


def learn(
    state: BehaviorState,
    event: Call,
    at: float,
    position: int,
    *,
    member: bool,
    turning: frozenset[str],
) -> list[str]:
    """Take what a call says of the visitor; return the kinds of what changed (`who`, `place:<field>`, `trait:<name>`).

    `turning`: traits of which it is kept when they changed.
    """
    kinds: list[str] = []
    if event.user_id is not None:
        user = text_id(event.user_id)
        if user and note_id(state.user_ids, user, at, USER_IDS_MAX):
            kinds.append("who")
    if event.anonymous_id is not None:
        anonymous = text_id(event.anonymous_id)
        if anonymous:
            note_id(state.anonymous_ids, anonymous, at, ANONYMOUS_IDS_MAX)
    if isinstance(event, Aliased):
        note_id(state.anonymous_ids, text_id(event.previous_id), at, ANONYMOUS_IDS_MAX)
    context = event.context
    traits = event.traits if isinstance(event, Identify) else None
    if context is not None:
        kinds += _learn_context(state, context, at, position)
        state.imported |= traits is not None and context.library == PEOPLE_IMPORTED
        if context.traits:
            kinds += _learn_traits(state, context.traits, at, position, turning)
    if traits:
        kinds += _learn_traits(state, traits, at, position, turning)
    told_traits = traits or (context is not None and context.traits)
    if told_traits and _learn_address(state, address_of(event), at, position, owns=not member):
        kinds.append("who")
    return kinds


def learn_refusals(state: BehaviorState, event: Call, at: float, position: int) -> bool:
    """Take only what a call refuses, for one that is over the bound: nobody's no is lost to a flood in their name."""
    changed = False
    context = event.context
    for traits in (
        event.traits if isinstance(event, Identify) else None,
        context.traits if context is not None else None,
    ):
        for name, category in CONSENT_TRAITS.items():
            if traits and _yes_or_no(traits.get(name)) is False:
                changed |= put(state.consents, category, False, at, position)
    consent = context.consent if context is not None else None
    for category in DECIDING:
        if consent is not None and (consent.category_preferences or {}).get(category) is False:
            changed |= put(state.consents, category, False, at, position)
    return changed


def trait_of(state: BehaviorState, name: str) -> Any:
    """Return a trait, or whether the visitor stands on a list; None if it is not known."""
    if name == "email":
        return state.address or None
    stamp = state.traits.get(name) or state.lists.get(name)
    return stamp.value if stamp is not None else None


def place_of(state: BehaviorState, field: str) -> str:
    """Return `zone`, `country`, `city`, `locale`, …: traits first, then the last context; empty if unknown."""
    names = _PLACE_TRAITS.get(field, (field,))
    for name in names:
        stamp = state.traits.get(name)
        if stamp is not None and stamp.value:
            return str(stamp.value)
    stamp = state.places.get(field)
    return str(stamp.value) if stamp is not None and stamp.value else ""


def zone_of(state: BehaviorState) -> str:
    """Return the visitor's time zone, by the country if nothing else is known; empty if unknown."""
    for stamps, name in ((state.traits, "timezone"), (state.places, "zone")):
        stamp = stamps.get(name)
        if stamp is not None and is_zone(str(stamp.value)):
            return str(stamp.value)
    return zone_of_country(place_of(state, "country"))


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Say whether this is the name of a time zone.

    >>> is_zone("Europe/Rome"), is_zone("../etc/passwd"), is_zone("America")
    (True, False, False)
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return bool(name)


def may_email(state: BehaviorState, consent: str) -> bool:
    """Say whether marketing may be written to the address, by the consent setting in force."""
    address = state.address
    if not address or state.unsubscribed_at or address in state.unreachable:
        return False
    stamp = state.consents.get("email")
    if consent == "assumed":
        return stamp is None or stamp.value is not False
    if stamp is None or stamp.value is not True:
        return False
    return consent != DOUBLE_OPT_IN or is_confirmed(state)


def is_confirmed(state: BehaviorState) -> bool:
    """Say whether the owner of the present address said that it is theirs."""
    held = state.confirming
    return held is not None and held.confirmed_at > 0 and held.address == state.address


def may_show_to(state: BehaviorState) -> bool:
    """Say whether the visitor may be spoken to on the site: yes, unless they said no."""
    stamp = state.consents.get("site")
    return stamp is None or stamp.value is not False


def may_look_up(state: BehaviorState, consent: str) -> bool:
    """Say whether others may be asked about the address: yes, unless its owner refused anything or has left.

    Where addresses are confirmed, one that is not may be somebody else's.
    """
    address = state.address
    if not address or not state.owns_mailbox:
        return False
    if consent == DOUBLE_OPT_IN and not is_confirmed(state):
        return False
    if state.unsubscribed_at or address in state.unreachable:
        return False
    stamps = (state.consents.get(category) for category in ("email", "social"))
    return all(stamp is None or stamp.value is not False for stamp in stamps)


def learn_profile(
    state: BehaviorState, message: ProfileSeen, at: float, turning: frozenset[str]
) -> list[str]:
    """Take what Social found as traits, nothing is awaited any more; return the kinds of what changed."""
    kinds = ["social"]
    state.social_until = min(state.social_until, at)
    found = {PRESENCE: message.presence, PROFILE: message.profile, ACTIVITY: message.activity}
    for name, value in found.items():
        old = state.traits.get(name)
        # Of two that are taken in one batch the second is the newer.
        position = old.position + 1 if old is not None else 0
        if _learn_trait(state, name, value or None, at, position, turning):
            kinds.append(f"trait:{name}")
    return kinds + _let_go(state)


def presence_of(state: BehaviorState, now: float) -> str:
    """Return `found`, `none`, `awaited` or `unknown`."""
    known = trait_of(state, PRESENCE)
    if known is not None:
        return str(known)
    return "awaited" if now < state.social_until else "unknown"


def learn_answers(
    state: BehaviorState,
    answers: Mapping[str, TraitValue],
    at: float,
    position: int,
    turning: frozenset[str],
) -> list[str]:
    """Take the answers of a form as traits; return the kinds of what changed."""
    return _learn_traits(state, dict(answers), at, position, turning)


def learn_set(state: BehaviorState, message: TraitsSet, turning: frozenset[str]) -> list[str]:
    """Take the traits that a step of a path sets; return the kinds of what changed."""
    at, kinds = message.at.timestamp(), []
    for name, value in message.traits.items():
        old = state.traits.get(name)
        # Of two that are set in one moment the second is the newer.
        position = old.position + 1 if old is not None else 0
        if _learn_trait(state, name, value, at, position, turning):
            kinds.append(f"trait:{name}")
    return kinds + _let_go(state)


def changed_at(state: BehaviorState, trait: str) -> float | None:
    """Return since when a trait has another value than before, None if that is not known.

    It is when the present value was first told after the last day, or the last time that day, another one was.
    """
    name, present = number_of(trait), number_of(trait_of(state, trait))
    turns = [turn for turn in state.turns if turn.trait == name]
    before = max((turn.at for turn in turns if turn.value != present), default=None)
    if before is None:
        return None
    since = (turn.at for turn in turns if turn.value == present and turn.at >= before)
    return min(since, default=before)


def number_of(value: Any) -> int:
    """Return a number by which a trait's values, or names, are told apart."""
    return 0 if value is None else zlib.crc32(plain(value).encode())


def tell_who(
    state: BehaviorState, visitor: str, now: datetime, view: View, *, again: bool = False
) -> list[Effect]:
    """Tell Rules, Email and Social (if it runs) what is now known of a visitor, if it differs from what was told."""
    if not state.address and not state.told:
        return []
    message = Identified(
        visitor=visitor,
        at=now,
        address=state.address,
        may_email=may_email(state, view.consent),
        owns_mailbox=state.owns_mailbox,
        zone=zone_of(state),
        orders=state.orders_count,
        user_id=min(state.user_ids, key=lambda each: (state.user_ids[each], each), default=""),
        traits=greeting({name: stamp.value for name, stamp in state.traits.items()}, spoken(view)),
        may_look_up=view.social and may_look_up(state, view.consent),
        may_email_by=[each for each in CONSENT_SETTINGS if may_email(state, each)],
        may_look_up_by=[
            each for each in CONSENT_SETTINGS if view.social and may_look_up(state, each)
        ],
        bounced=state.address in state.unreachable and not state.unsubscribed_at,
    )
    flags = f"{message.may_email}{message.owns_mailbox}{message.orders}{message.may_look_up}"
    flags += f"{message.may_email_by}{message.may_look_up_by}"
    words = [text for pair in message.traits.items() for text in pair]
    told = derive("told", message.address, flags, message.zone, message.user_id, *words)
    if told == state.told and not again:
        return []
    state.told = told
    effects: list[Effect] = [Tell("rules", message), Tell("email", message)]
    if view.social:
        if message.may_look_up and not state.social_until:
            state.social_until = (now + AWAIT_SOCIAL).timestamp()
        effects.append(Tell("social", message))
    return effects


def tell_site_consent(
    state: BehaviorState, visitor: str, now: datetime, *, again: bool = False
) -> list[Effect]:
    """Tell Rules whether a visitor may be spoken to on the site, if it differs from what was told."""
    may_show = may_show_to(state)
    if may_show == state.told_may_show and not again:
        return []
    state.told_may_show = may_show
    return [Tell("rules", SiteConsent(visitor, now, may_show))]


def trim_all(state: BehaviorState) -> None:
    """Let the oldest written traits, lists and consents go until the bounds hold."""
    trim(state.traits, TRAITS_MAX, TRAITS_CHARACTERS_MAX)
    trim(state.lists, LISTS_MAX)
    _trim_consents(state)


def _learn_context(state: BehaviorState, context: Context, at: float, position: int) -> list[str]:
    kinds: list[str] = []
    found: list[tuple[str, Any]] = []
    if context.timezone:
        found.append(("zone", context.timezone[:64]))
    if context.locale:
        found.append(("locale", context.locale[:16]))
    if device := device_of(context.user_agent, context.device):
        found.append(("device", device))
    for field in ("country", "city") if context.location else ():
        value = context.location.get(field) if context.location else None
        if isinstance(value, str) and value:
            found.append((field, value[:64]))
    if context.campaign and (came_by := _campaign(context.campaign)):
        found.append(("campaign", came_by))
    if context.page is not None and context.page.referrer:
        found += came_from(context.page.referrer, context.page.url)
    for field, value in found:
        if put(state.places, field, value, at, position):
            kinds.append(f"place:{field}")
    consent = context.consent
    if consent is not None and consent.category_preferences:
        for category, value in list(consent.category_preferences.items())[:CONSENTS_MAX]:
            name = category[:TRAIT_NAME_CHARACTERS_MAX]
            if put(state.consents, name, value, at, position):
                kinds.append("who")
        _trim_consents(state)
    return kinds


def _campaign(campaign: dict[str, Any]) -> dict[str, str]:
    return {
        field: str(value)[:CAME_BY_CHARACTERS_MAX]
        for field in ("source", "medium", "name", "term", "content")
        if (value := campaign.get(field)) is not None
    }


@lru_cache(maxsize=4_096)
def came_from(referrer: str, url: str | None) -> list[tuple[str, str]]:
    """Return `referrer` (host and path) and `search_term` where a page was come to from another site; else nothing.

    >>> came_from("https://www.example.com/find?q=red+lamp", "https://shop.example/")
    [('referrer', 'www.example.com/find'), ('search_term', 'red lamp')]
    >>> came_from("https://shop.example/lamps", "https://shop.example/")
    []
    """
    try:
        there, here = urlsplit(referrer), urlsplit(url or "")
        host = there.hostname or ""
        if not host or host == here.hostname:
            return []
        asked = parse_qs(there.query, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        return []
    found = [("referrer", f"{host}{there.path}"[:CAME_BY_CHARACTERS_MAX])]
    words = next((asked[name][0] for name in SEARCH_FIELDS if name in asked), "")
    return [*found, ("search_term", words[:CAME_BY_CHARACTERS_MAX])] if words else found


def _trim_consents(state: BehaviorState) -> None:
    """Let the oldest categories go, but never those that decide whether we may write, or ask about somebody."""
    if len(state.consents) > CONSENTS_MAX:
        deciding = [name for name in DECIDING if name in state.consents]
        kept = {name: state.consents.pop(name) for name in deciding}
        trim(state.consents, CONSENTS_MAX - len(kept))
        state.consents.update(kept)


def _learn_traits(
    state: BehaviorState,
    traits: dict[str, Any],
    at: float,
    position: int,
    turning: frozenset[str],
) -> list[str]:
    kinds: list[str] = []
    for name, value in traits.items():
        if name == "email":
            continue
        if name in CONSENT_TRAITS:
            yes = _yes_or_no(value)
            if yes is not None and put(state.consents, CONSENT_TRAITS[name], yes, at, position):
                kinds.append("who")
            continue
        parts = {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else None
        for each, part in (parts if parts is not None else {name: value}).items():
            known_as = each[:TRAIT_NAME_CHARACTERS_MAX]
            if _learn_trait(state, known_as, part, at, position, turning):
                kinds.append(f"trait:{known_as}")
    return kinds + _let_go(state) if kinds else kinds


def _let_go(state: BehaviorState) -> list[str]:
    """Let the oldest traits go; return the kinds of those that are not known any more."""
    return [f"trait:{name}" for name in trim(state.traits, TRAITS_MAX, TRAITS_CHARACTERS_MAX)]


def _learn_trait(
    state: BehaviorState, name: str, value: Any, at: float, position: int, turning: frozenset[str]
) -> bool:
    if name.startswith(LISTS):
        return False  # whoever has the public write key could put anybody on a list
    if isinstance(value, list):
        value = ", ".join(str(each) for each in value[:16] if isinstance(each, str | int | float))
    if isinstance(value, str):
        value = value[:TRAIT_CHARACTERS_MAX]
    elif isinstance(value, dict):
        return False
    changed = put(state.traits, name, value, at, position)
    if name in turning:
        day = int(at // DAY_SECONDS)
        changed |= keep_turn(state, Turn(day, number_of(name), number_of(value), at))
    return changed


def _learn_address(
    state: BehaviorState, address: str | None, at: float, position: int, *, owns: bool
) -> bool:
    if address is None:
        return False
    old = state.email
    if old is not None and (at, position) <= (old.at, old.position):
        return False
    state.email = Stamped(address, at, position)
    changed = old is None or old.value != address or state.owns_mailbox != owns
    state.owns_mailbox = owns
    return changed


def _yes_or_no(value: Any) -> bool | None:
    text = str(value).strip().lower()
    if text in _YES:
        return True
    return False if text in _NO else None
