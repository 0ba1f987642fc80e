"""Say one alert in words: whom or what it is about, why it came, what was tried or seen, what is to be done. Pure."""

from __future__ import annotations

from typing import Any

from messaging.alerts.notice import NOT_BY_SHARES, by_share
from messaging.alerts.taken_back import TO_DO, by_measure, words_of_policy
from messaging.gateway.console.desk import AlertCard
from messaging.vocabulary.effects import HARM, UNCERTAIN_SUCCESS
from messaging.vocabulary.records import place_of_test
from scripts.reasons import why
from scripts.visible import shown
from scripts.wording import moment


def card_of(
    row: dict[str, Any], addresses: dict[str, str], stages: dict[str, list[str]]
) -> AlertCard:
    """Return the card of an alert's row.

    Args:
        row: of the table `alerts`, as it is shown (`scripts.visible.plain`).
        addresses: visitor -> e-mail address.
        stages: alert -> where a new run may begin.
    """
    policy, is_harm = row.get("policy", ""), row["kind"] == HARM
    visitor = row["visitor"]
    who = words_of(policy) or addresses.get(visitor) or f"visitor {visitor[:6]}"
    todo = TO_DO if is_harm else NOT_BY_SHARES
    return AlertCard(
        id=row["id"],
        at=moment(row["at"]),
        status=row["status"],
        visitor=visitor,
        who=shown(who),
        said=_sentence(row),
        place=_place(row),
        tried=_heading(row),
        history=[_tried(each) for each in row.get("history") or ()],
        todo=todo if policy and row["status"] == "open" else "",
        may_resume=is_harm or (row["kind"] != UNCERTAIN_SUCCESS and not policy),
        stages=stages.get(row["id"], []),
        page=page_of(row),
    )


def words_of(policy: str) -> str:
    """Return what an alert is about that is about no visitor, empty for one that is.

    >>> words_of("send_time"), words_of("split_test/to-customer/invited/words/5f1")
    ('What was learned of the hour of e-mails', 'Split test words')
    """
    return words_of_test(policy) or (
        f"What was learned of {words_of_policy(policy)}" if policy else ""
    )


def page_of(row: dict[str, Any]) -> str:
    """Return which page of the console is about what an alert is about, empty where it is about a visitor."""
    if row["kind"] == HARM:
        return "learning#guard-h"
    return "experiments?verdict=alarm" if row.get("policy") else ""


def words_of_test(policy: str) -> str:
    """Return which split test a policy is, empty where it is none.

    >>> words_of_test("split_test/to-customer/invited/words/5f1"), words_of_test("")
    ('Split test words', '')
    """
    _, _, name = place_of_test(policy)
    return f"Split test {name}" if name else ""


def _heading(row: dict[str, Any]) -> str:
    if row["kind"] == HARM:
        return "With learning, and by the rules"
    return "What was expected and seen" if row.get("policy") else "What was tried"


def _place(row: dict[str, Any]) -> str:
    """Return where on its path an alert is about, empty for no path."""
    if not row["path"] or row["kind"] == HARM:
        return ""
    _, stage, _ = place_of_test(row.get("policy", ""))
    return (
        f"path {row['path']}, stage {stage}" if stage else f"path {row['path']}, run {row['run']}"
    )


def _sentence(row: dict[str, Any]) -> str:
    said = why(row["kind"])
    said = said[:1].upper() + said[1:]
    if row["status"] == "open":
        return f"{said}."
    by = f" by {row['by']}" if row.get("by") else ""
    when = f", {moment(row['settled_at'])}" if row.get("settled_at") else ""
    return f"{said}: {row['status']}{by}{when}."


def _tried(entry: dict[str, Any]) -> str:
    """Return one line of an alert's history in words: an e-mail, what became of one, or a variant of a split test.

    >>> entry = {"template": "hello", "stage": "invited", "status": "handed over", "opened": True}
    >>> _tried({**entry, "clicked": False, "at": "2026-11-26T14:00:00Z"})
    '“hello” at stage invited: handed over Thu 26 Nov 2026, 14:00 UTC, opened'
    >>> _tried({"at": "2026-11-26T14:00:00Z", "reason": "did not arrive: 554 END: 5.7.1 no"})
    'Thu 26 Nov 2026, 14:00 UTC: did not arrive: 554 END: 5.7.1 no'
    """
    if compared := by_share(entry) or by_measure(entry):
        return compared
    if "template" not in entry:
        return f"{moment(entry.get('at'))}: {why(entry.get('reason'))}"
    came = [name for name in ("opened", "clicked") if entry.get(name)]
    answer = " and ".join(came) or "no answer"
    said = f"“{entry.get('template')}” at stage {entry.get('stage')}"
    return f"{said}: {entry.get('status')} {moment(entry.get('at'))}, {answer}"
