"""Say a decision in plain words: what was chosen, how likely that was, and what was not allowed by which rule."""

from __future__ import annotations

from typing import Any

from messaging.gateway.moments import DAYS
from scripts.counting import counted
from scripts.lead_words import because
from scripts.reasons import not_offered, why

Row = dict[str, Any]


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PARTS_OF_DAY = (
    (5, "night"),
    (11, "morning"),
    (14, "midday"),
    (18, "afternoon"),
    (23, "evening"),
    (24, "night"),
)
"""Until which hour a part of the day lasts."""

NAMED_MAX = 4
"""So many refused choices are named; of more, how many."""


def decided(row: Row, *, brief: bool = False) -> str:
    """Return what a decision chose, of what; `brief` leaves out how likely it was and what was refused.

    >>> decided(
    ...     {
    ...         "kind": "decisions: send_hour",
    ...         "arm": "86",
    ...         "step": "invitation",
    ...         "probabilities": [0.95, 0.05],
    ...         "candidates": [["86", ""], ["87", ""], ["70", "quiet_hours"]],
    ...         "policy": "send_time",
    ...     }
    ... )
    'chose Thu 14:00 (their time) for the e-mail "invitation" (95 %, of 2 hours allowed); not Wed 22:00: quiet hours'
    >>> decided(
    ...     {
    ...         "kind": "decisions: template",
    ...         "arm": "a",
    ...         "step": "invitation",
    ...         "probabilities": [0.62, 0.38],
    ...         "candidates": [["a", ""], ["b", ""]],
    ...         "because": ["cohort keen"],
    ...     }
    ... )
    'chose template "a" for the e-mail "invitation" (62 %, of 2 templates allowed), by what is known of them: is "keen"'
    """
    kind = row["kind"].rpartition(" ")[2]
    if kind == "interaction":
        said = f'chose to offer "{row["arm"]}" on the site'
    else:
        of = f" of {row['path']}" if row.get("path") else ""
        said = f'chose {arm_words(kind, row["arm"])} for the e-mail "{row["step"]}"{of}'
    if brief:
        return said
    said += f" ({how_likely(row)})"
    if whose := whose_hours(row):
        said += f" by {whose}"
    if reason := because(row):
        said += f", {reason}"
    refused = "; ".join(f"{arms}: {rule}" for rule, arms in refusals(row))
    return said + (f"; not {refused}" if refused else "")


def whose_hours(row: Row) -> str:
    """Return by whose hours an e-mail's hour was chosen; empty where it was not learned, or older rows do not say.

    >>> hour = {"kind": "send_hour", "policy": "send_time"}
    >>> whose_hours(hour | {"leaning": [9, 43]}), whose_hours(hour | {"leaning": []})
    ('their own hours: mostly Tuesday evening, from 9 weeks', "everybody's hours")
    """
    is_learned = row["kind"].rpartition(" ")[2] == "send_hour" and row.get("policy") == "send_time"
    if not is_learned or row.get("holdout") or row.get("leaning") is None:
        return ""
    if not row["leaning"]:
        return "everybody's hours"
    weeks, mostly = row["leaning"]
    day, at = divmod(mostly, 24)
    part = next(name for until, name in PARTS_OF_DAY if at < until)
    return f"their own hours: mostly {WEEKDAYS[day % 7]} {part}, from {counted(weeks, 'weeks')}"


def how_likely(row: Row) -> str:
    """Return how likely a choice was, and among how many.

    >>> how_likely(
    ...     {"kind": "template", "candidates": [["a", ""]], "probabilities": [1.0], "arm": "a"}
    ... )
    'the only template allowed'
    """
    kind = row["kind"].rpartition(" ")[2]
    if row.get("holdout"):
        return "as the rules say: held out from learning"
    allowed = [arm for arm, refused in row["candidates"] if not refused]
    many = {"send_hour": "hours", "interaction": "interactions"}.get(kind, "templates")
    if len(allowed) == 1:
        return f"the only {many.removesuffix('s')} allowed"
    chance = dict(zip(allowed, row["probabilities"], strict=False)).get(row["arm"], 0.0)
    return f"{percent(chance)}, of {len(allowed)} {many} allowed"


def refusals(row: Row) -> list[tuple[str, str]]:
    """Return (rule in words, what it refused) of a decision, the rule that refused most first.

    >>> refusals({"kind": "template", "candidates": [["a", ""], ["b", "cohort"]]})
    [('it is meant for another cohort', '"b"')]
    """
    kind = row["kind"].rpartition(" ")[2]
    by_rule: dict[str, list[str]] = {}
    for arm, rule in row["candidates"]:
        if rule:
            by_rule.setdefault(
                not_offered(rule) if kind == "interaction" else why(rule), []
            ).append(arm_words(kind, arm, short=True))
    most_first = sorted(by_rule.items(), key=lambda each: (-len(each[1]), each[0]))
    return [(rule, _some(arms, kind)) for rule, arms in most_first]


def _some(arms: list[str], kind: str) -> str:
    if kind == "send_hour" and len(arms) > 1:
        return f"{len(arms)} hours"
    if len(arms) <= NAMED_MAX:
        return ", ".join(arms)
    return f"{', '.join(arms[:NAMED_MAX])} and {len(arms) - NAMED_MAX} more"


def arm_words(kind: str, arm: str, *, short: bool = False) -> str:
    """Return one choice in words.

    >>> arm_words("template", "hello"), arm_words("send_hour", "86")
    ('template "hello"', 'Thu 14:00 (their time)')
    """
    if kind == "send_hour":
        return hour(arm) if short else f"{hour(arm)} (their time)"
    return f'"{arm}"' if short or kind != "template" else f'template "{arm}"'


def policy_words(policy: str) -> str:
    """Return a policy's name in words.

    >>> policy_words("send_time"), policy_words("next_best/lead-to-customer/opened")
    ('“send time”', '“next best e-mail” of lead-to-customer, stage opened')
    >>> policy_words("on_site/notice_bar"), policy_words("split_test/leads/opened/words/5f1")
    ('“on site” for the notice bar', '“split test words” of leads, stage opened')
    >>> policy_words("probability/customer")
    '“probability to become a customer”'
    """
    name, _, place = policy.partition("/")
    if name == "split_test":
        path, stage, test, _ = place.split("/")
        return f"“split test {test}” of {path}, stage {stage}"
    if not place:
        return f"“{name.replace('_', ' ')}”"
    if name == "on_site":
        return f"“on site” for the {place.replace('_', ' ')}"
    if name == "probability":
        article = "an" if place[:1] in "aeiou" else "a"
        return f"“probability to become {article} {place}”"
    path, _, stage = place.rpartition("/")
    return f"“{name.replace('_', ' ')} e-mail” of {path}, stage {stage}"


def percent(share: float) -> str:
    """Return a share in per cent, small ones with a decimal.

    >>> percent(0.954), percent(0.0042)
    ('95 %', '0.4 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.1f} %"


def hour(slot: str) -> str:
    """Return an hour of the week as people say it.

    >>> hour("86"), hour("0")
    ('Thu 14:00', 'Mon 00:00')
    """
    day, at = divmod(int(slot), 24)
    return f"{DAYS[day % 7]} {at:02}:00"
