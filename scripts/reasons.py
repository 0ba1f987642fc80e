"""Say in plain words why something was refused, ended or taken back: the bots write rules by their names."""

from __future__ import annotations

from typing import Any

from scripts.counting import counted

REASONS = {
    "a person decided": "a person decided so",
    "address bad": "the address does not work",
    "address bounced": "the address does not work",
    "after_visit": "they are left alone for a while after a visit",
    "attempts used": "all attempts were used",
    "archived": "the path is archived",
    "answer": "the visitor answered",
    "by_rules": "the rules name another one first",
    "cannot be sent": "it cannot be sent",
    "cap": "a cap of the path is reached",
    "cap_then_quiet_hours": "a cap of the path is reached, and then quiet hours",
    "cap_day": "enough was shown today",
    "cap_total": "enough came on all channels together",
    "awaits_history": "what keeps it from them is not known yet: history is being filled in",
    "cap_session": "one of its kind was shown in this visit",
    "cohort": "it is meant for another cohort",
    "complained": "the visitor complained",
    "consent": "the visitor has not agreed to it",
    "consent withdrawn": "the visitor has taken the consent back",
    "different_subject": "an e-mail had this subject before",
    "older address": "it had gone to an older address of theirs",
    "another address": "their address is another one than it was decided for",
    "different_hour": "an e-mail came at that hour before",
    "entry": "they came again",
    "goal": "the goal was reached",
    "goal reached": "the goal was reached",
    "goal_reached": "the goal was reached",
    "open_runs": "so many runs of it are open already",
    "no_such_template": "the template is not in this version",
    "no_such_path": "the path is not in this version",
    "no_key": "the event names no key",
    "made room": "something that matters more took its place",
    "merge": "the alert of the same visitor's other half stays",
    "mailbox_of_another_visitor": "the address belongs to another visitor",
    "no address": "no address is known",
    "no consent": "the visitor has not agreed to it",
    "not_published": "the published rules have it no more",
    "not_on_site": "the visitor is not on the site",
    "outvalued": "an e-mail of more value went before it",
    "priority": "another one matters more",
    "quiet_hours": "quiet hours",
    "sample ratio mismatch": "visitors do not come by the shares",
    "learning does harm": "learning did worse than the rules, and was taken back",
    "taken_back": "learning was taken back, so the rules decide",
    "send_time": "the hour that was picked for it",
    "sent_before": "it was sent before",
    "session over": "the visit was over",
    "split_test": "it is not part of the split test",
    "split_test_lost": "it lost the split test",
    "suppressed": "the address is never written to again",
    "uncertain success mail": "a success e-mail may not have arrived",
    "unsubscribed": "the visitor unsubscribed",
}
"""A rule's name, as bots write it -> what it means. What is not here is said by its own words."""

BY_CAPS = {"cap": "", "cap_then_quiet_hours": ", and then quiet hours"}
"""A rule that is about some cap of a path's -> what is said behind the cap, where it is known."""

OF_CHANNELS = {"email": "e-mails", "total": "touches on all channels together"}
DAY_HOURS = 24

USED_UP = " (attempts used)"
"""Stands behind a marketer's own title of an alert, which says as much."""

ENTERED, LEFT = "entered ", "left "

FAILED = "template: "
"""Stands before what went wrong when a template was filled in for a reader."""
FAILED_SAID = "the template failed: "


def not_offered(rule: str) -> str:
    """Return why nothing was offered: the rule may be the name of a cohort that is left alone.

    >>> not_offered("cap_day"), not_offered("in-cart")
    ('enough was shown today', 'the visitor is "in-cart"')
    """
    return why(rule) if rule in REASONS else f'the visitor is "{rule}"'


def why(reason: Any) -> str:
    """Return a reason in words.

    >>> why("quiet_hours"), why("weekly_cap"), why("entered in-cart")
    ('quiet hours', 'weekly cap', 'the visitor is now "in-cart"')
    >>> why("template: divided_by: can't divide by 0")
    "the template failed: divided_by: can't divide by 0"
    """
    said = str(reason).removesuffix(USED_UP)
    if said.startswith(FAILED):
        return FAILED_SAID + said.removeprefix(FAILED)
    if said.startswith(ENTERED):
        return f'the visitor is now "{said.removeprefix(ENTERED)}"'
    if said.startswith(LEFT):
        return f'the visitor is no longer "{said.removeprefix(LEFT)}"'
    return REASONS.get(said) or said.replace("_", " ")


def why_capped(reason: Any, cap: dict[str, Any] | None) -> str:
    """Return a reason in words, with the cap that it is about; older rows name none.

    >>> four = {"channel": "email", "count": 4, "hours": 14 * 24}
    >>> why_capped("cap", four), why_capped("cap", None), why_capped("quiet_hours", None)
    ('4 e-mails in 14 days are the limit', 'a cap of the path is reached', 'quiet hours')
    """
    if not cap or reason not in BY_CAPS:
        return why(reason)
    touches = counted(cap["count"], OF_CHANNELS.get(cap["channel"], f"{cap['channel']}s"))
    days, left = divmod(cap["hours"], DAY_HOURS)
    long = counted(cap["hours"], "hours") if left or days < 2 else counted(days, "days")
    is_are = "is" if cap["count"] == 1 else "are"
    return f"{touches} in {long} {is_are} the limit{BY_CAPS[reason]}"
