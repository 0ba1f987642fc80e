"""Try what a site tracks under a name of the product's own facts: it is the site's event, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.facts import VisitorFacts
from agents.rules.naming import FACTS, counted_as, own_event
from messaging.vocabulary.events import Engaged, Event, Track, VisitorErased
from scripts.story import sentence
from scripts.wording import did
from tests.behavior_builders import START, Ann, a_page, a_track, a_view_of

DAY = timedelta(days=1)

OURS = [
    "page",
    "mail_opened",
    "mail_clicked",
    "unsubscribed",
    "bounced",
    "rules_filled",
    "engagement_clicked:notice_bar",
    "…other",
]


@pytest.mark.parametrize("name", OURS)
def test_an_event_called_like_a_fact_is_counted_as_the_sites_own(name: str) -> None:
    asked = {"event": {"name": name}}
    own = {"event": {"name": f"track:{name}", "within_days": 7}}
    marked = {"event": {"name": f"track:{name}", "properties": {"of": "us"}}}
    ann = Ann(a_view_of([asked, own, marked]))
    ann.sees(a_track(1, name, properties={"of": "us"}))
    assert ann.state.counters == {f"track:{name}": 1}
    assert ann.state.cohorts == ["c1", "c2"]


def test_a_fact_is_no_event_of_the_sites() -> None:
    ann = Ann(a_view_of([{"event": {"name": "page"}}, {"event": {"name": "track:page"}}]))
    ann.sees(a_page(1))
    assert ann.state.cohorts == ["c0"]


def test_points_for_it_are_those_of_a_track_call() -> None:
    ann = Ann(a_view_of([]))
    ann.sees(a_track(1, "page"))
    assert ann.state.scores == {}, "page: 1 is for pages"


def test_it_is_no_answer_to_an_e_mail() -> None:
    ann = Ann()
    ann.sees(*(a_track(n, "mail_clicked", at=START + n * DAY) for n in range(1, 12)))
    figures = BehaviorBot().figures(ann.state)
    assert not [name for name in figures if name.startswith("answers")]
    facts = VisitorFacts(ann.visitor, ann.state, ann.now.timestamp(), {}, "explicit")
    assert facts.machine("mail_clicked") == 0
    assert facts.counter("track:mail_clicked") == 11


@pytest.mark.parametrize("name", ["Order Completed", "purchase", "mail_sent", "track:x", "Page"])
def test_any_other_name_is_counted_as_it_came(name: str) -> None:
    assert counted_as(name) == name
    assert own_event(name) is None


def test_every_fact_that_is_counted_has_a_name_of_ours() -> None:
    others = {Track, Engaged, VisitorErased}
    tags = {each.__struct_config__.tag for each in Event.__args__ if each not in others}
    assert tags <= FACTS


def test_the_story_says_what_the_site_called_it() -> None:
    assert did("track:mail_clicked") == 'did "mail_clicked"'
    assert did("opened") == 'did "opened"'
    assert did("mail_page") == 'did "mail_page"'
    assert did("mail_clicked") == "clicked in an e-mail"
    assert sentence({"kind": "event", "what": "track:bounced"}) == 'did "bounced"'
    moved = {"kind": "cohorts.moved", "entered": ["keen"], "left": [], "by": "track:mail_opened"}
    assert sentence(moved).endswith('did "mail_opened"')
