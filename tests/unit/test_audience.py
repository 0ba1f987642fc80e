"""The synthetic audience: seeded, alive, and closed to whoever learns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from learning.audience.audience import SCANNER, Act, Audience, Mail
from learning.audience.chance import Chance
from learning.audience.people import Person, make_person
from learning.serving.human import human_probability
from messaging.vocabulary.events import MailClicked, MailOpened, decode_event
from scripts.simulating import record_of

LINKS = tuple(f"https://shop.example/offer/{number}" for number in range(4))

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAYS = 40
SEEN_OF_CALLS = {
    "type",
    "anonymousId",
    "userId",
    "event",
    "properties",
    "traits",
    "context",
    "messageId",
    "timestamp",
}
SEEN_DEEPER = {
    "properties": {"product_id", "price", "value", "order_id", "total", "currency"},
    "traits": {"email", "timezone"},
    "context": {"timezone", "page", "consent"},
}


def an_audience(seed: int = 1, count: int = 60) -> Audience:
    return Audience(seed, count, START, DAYS)


def a_mail(number: int, at: datetime, send: str = "s", template: str = "invite-hello") -> Mail:
    address = f"person-{number}@example.com"
    return Mail(address, at, template, f"{send}-{number}", f"{number:032x}", f"m{number}", LINKS)


def lived(
    audience: Audience,
    mails: list[Mail] = [],  # noqa: B006 - only read
    offers: list[dict[str, Any]] = [],  # noqa: B006 - only read
) -> list[Act]:
    """Let an audience live to its end, delivering each mail at its time; these offers stand open throughout."""
    acts, waiting = [], sorted(mails, key=lambda mail: mail.at)
    while (due := audience.due()) is not None or waiting:
        if waiting and (due is None or waiting[0].at <= due):
            audience.deliver(waiting.pop(0))
        elif (act := audience.next()) is not None:
            if act.look is not None and offers:
                audience.answer(act, offers)
            acts.append(act)
    return acts


def told_of(acts: list[Act]) -> list[Act]:
    """Return the acts that tell something: to look up is to ask."""
    return [act for act in acts if act.look is None]


def test_the_same_seed_lives_the_same_life_and_another_seed_another():
    mails = [a_mail(number, START + timedelta(days=20)) for number in range(60)]
    first, again = lived(an_audience(), mails), lived(an_audience(), mails)
    assert first == again
    assert first != lived(an_audience(seed=2), mails)


def test_acts_come_in_order_of_time_within_the_days_and_each_once():
    acts = lived(an_audience(), [a_mail(n, START + timedelta(days=30)) for n in range(60)])
    times = [act.at for act in acts]
    assert times == sorted(times)
    assert times[-1] < START + timedelta(days=DAYS)
    told = told_of(acts)
    assert len({act.message_id for act in told}) == len(told)


def test_the_bots_see_only_what_http_would_carry():
    """Every byte that leaves is a Segment call of a known shape, or a fact with a token and a user agent."""
    acts = lived(an_audience(), [a_mail(n, START + timedelta(days=30)) for n in range(60)])
    for number, act in enumerate(told_of(acts), 1):
        record = record_of(act, number)
        decode_event(record.raw)
        fields = msgspec.json.decode(record.raw)
        if act.fact is not None:
            seen = {"type", "visitor", "send_id", "user_agent", "method", "link", "mailbox"}
            assert set(fields) <= seen
        else:
            assert set(fields) <= SEEN_OF_CALLS
            for name, deeper in SEEN_DEEPER.items():
                assert set(fields.get(name, {})) <= deeper
        assert record.tagged == ""


def test_no_truth_about_a_person_is_in_what_is_sent():
    """The numbers that make a person appear nowhere in the bytes, not even as text."""
    acts = lived(an_audience(), [a_mail(n, START + timedelta(days=30)) for n in range(60)])
    sent = b"\n".join(record_of(act, n).raw for n, act in enumerate(told_of(acts), 1))
    told = {"number", "zone", "joins_at", "is_scanned", "is_prefetched"}
    for number in range(60):
        person = make_person(1, number, START, timedelta(days=0.6 * DAYS))
        for name in set(Person.__struct_fields__) - told:
            assert str(getattr(person, name))[:8].encode() not in sent, name


def test_a_mail_does_not_change_when_people_come_by_themselves():
    """Two arms of a comparison differ by what was done to people, not by luck."""

    def own_visits(acts: list[Act]) -> list[tuple[str, datetime]]:
        return [
            (a.message_id, a.at)
            for a in acts
            if a.message_id.endswith("-0") and "-own-" in a.message_id
        ]

    mails = [a_mail(n, START + timedelta(days=d), f"s{d}") for n in range(60) for d in (25, 30)]
    without, with_mails = lived(an_audience()), lived(an_audience(), mails)
    assert len(with_mails) > len(without)
    assert own_visits(with_mails) == own_visits(without)


def opens_of(acts: list[Act]) -> list[MailOpened]:
    return [act.fact for act in acts if isinstance(act.fact, MailOpened)]


def test_whoever_is_written_to_every_day_opens_less_and_leaves_more():
    def shares(days: range) -> tuple[float, int]:
        mails = [
            a_mail(n, START + timedelta(days=26 + d), f"s{d}") for n in range(200) for d in days
        ]
        acts = lived(Audience(1, 200, START, DAYS), mails)
        human = [fact for fact in opens_of(acts) if "Proxy" not in fact.user_agent]
        left = sum(type(act.fact).__name__ == "Unsubscribed" for act in acts)
        return len(human) / len(mails), left

    seldom, left_seldom = shares(range(0, 12, 6))
    daily, left_daily = shares(range(12))
    assert daily < 0.85 * seldom
    assert left_daily > left_seldom


def test_when_a_mail_goes_out_matters_to_whether_it_is_read():
    def opened(hours_after: float) -> int:
        """Count opens of an e-mail that goes out so long after each one's own hour of a day."""
        audience = Audience(1, 500, START, DAYS)
        mails = []
        for number in range(500):
            person = audience.person_at(f"person-{number}@example.com")
            assert person is not None
            at = datetime(2026, 4, 7, tzinfo=ZoneInfo(person.zone))
            at += timedelta(hours=person.workday_hour + hours_after)
            mails.append(a_mail(number, at.astimezone(UTC)))
        return sum("Proxy" not in fact.user_agent for fact in opens_of(lived(audience, mails)))

    assert opened(-1.0) > 1.15 * opened(4.0)


def test_machines_act_on_mails_and_are_told_from_people():
    acts = lived(
        an_audience(count=200), [a_mail(n, START + timedelta(days=30)) for n in range(200)]
    )
    fetched = [fact for fact in opens_of(acts) if "Proxy" in fact.user_agent]
    assert len(fetched) > 20
    for fact in fetched:
        assert not human_probability(
            method=fact.method, user_agent=fact.user_agent, seconds_since_hand_over=60.0
        )
    scanned = [
        a.fact for a in acts if isinstance(a.fact, MailClicked) and a.fact.user_agent == SCANNER
    ]
    assert len({fact.link for fact in scanned}) == len(LINKS)


def test_chance_is_uniform_and_belongs_to_its_names():
    numbers = [Chance(1, "a", n).uniform() for n in range(2000)]
    assert 0.47 < sum(numbers) / len(numbers) < 0.53
    long = Chance(1, "long")
    drawn = [long.uniform() for _ in range(100)]
    assert len(set(drawn)) == 100
    assert Chance(1, "a").uniform() != Chance(1, "b").uniform()


def test_a_mail_to_a_stranger_is_lost():
    audience = an_audience()
    due = audience.due()
    audience.deliver(a_mail(10_000, START))
    assert audience.due() == due


FORM = {
    "id": "e1",
    "type": "opinion_form",
    "trigger": "now",
    "name": "opinion",
    "content": {"fields": [{"name": "helps", "kind": "choice", "options": ["price", "size"]}]},
}
BYE = {"id": "e2", "type": "exit_offer", "trigger": "exit", "name": "leaving", "content": {}}


def test_what_the_site_offers_is_answered_once_a_visit_by_some_and_not_by_others():
    acts = lived(an_audience(), offers=[FORM, BYE])
    said = [act.said for act in acts if act.said is not None]
    shown = [each for each in said if each.response == "shown"]
    assert len({(each.browser, each.offer) for each in shown}) > 60
    assert {each.response for each in said} == {"shown", "clicked", "submitted", "dismissed"}
    answers = [each.answers for each in said if each.response == "submitted"]
    assert {tuple(each) for each in answers} == {("helps",)}
    assert {each["helps"] for each in answers} == {"price", "size"}
    assert all(each.offer == "e2" for each in said if each.response == "clicked")


def test_who_sees_an_offer_at_another_page_answers_it_alike():
    """A system that is a little late shows it a page later: the answer is the same."""

    def said(skips: int) -> dict[str, str]:
        audience, found, looks = an_audience(), {}, dict[str, int]()
        while audience.due() is not None:
            act = audience.next()
            if act is not None and act.look is not None:
                where = f"{act.look.browser} {act.look.occasion}"
                looks[where] = looks.get(where, 0) + 1
                audience.answer(act, [FORM | {"id": where}] if looks[where] > skips else [])
            elif act is not None and act.said is not None and act.said.response != "shown":
                found[act.said.offer] = f"{act.said.response} {act.said.answers}"
        return found

    early, late = said(0), said(1)
    assert late
    assert late.items() <= early.items()
