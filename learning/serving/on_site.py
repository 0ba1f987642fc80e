"""Choose what is offered on the site, of one type, among what the rules hold for equally good.

It is the choice of a template over again (`next_best`): each interaction's rate of answers has a Beta posterior, and
its probability of being the best is computed, floored and drawn from. All cohorts of a type are one policy, for an
interaction is meant for one cohort: its arm's counts are that cohort's, and a new one starts at its type's rate.
"""

from __future__ import annotations

from collections.abc import Mapping

from learning.serving.next_best import choose_template
from learning.serving.policy import Choice, Draws
from messaging.vocabulary.records import Snapshot

_OF_TYPES = "on_site/"


def policy_name(type_: str) -> str:
    """Return the name under which a type of interaction learns.

    >>> policy_name("notice_bar")
    'on_site/notice_bar'
    """
    return _OF_TYPES + type_


def is_policy(name: str) -> bool:
    """Say whether this is the name of a type's policy."""
    return name.startswith(_OF_TYPES)


def choose_interaction(
    snapshot: Snapshot | None,
    allowed: list[str],
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str,
) -> Choice:
    """Return the interaction to offer, drawn among `allowed` less `refused` (interaction -> rule).

    `policy` names the policy while nothing is published (`policy_name`). Raise ValueError if none is left.
    """
    return choose_template(snapshot, allowed, draw, refused=refused, policy=policy)
