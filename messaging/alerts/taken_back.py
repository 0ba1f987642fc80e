"""Say in words that a policy was taken back, by what evidence, and what to do. Pure."""

from __future__ import annotations

from typing import Any

MEASURES = {
    "response": ("answers", "fewer"),
    "goal": ("goals reached", "fewer"),
    "unsubscribe": ("unsubscribes", "more"),
    "complaint": ("complaints", "more"),
}
"""Measure -> (what is counted, which way is harm)."""

ENOUGH = 20
"""Evidence, shared over the measures, at which learning is taken back (`learning.evaluation.guardrail`)."""

TO_DO = (
    "The rules decide for everybody now, and go on doing so. Look for what went wrong (a template that cannot be read, "
    "a broken link, hours at which nobody reads), and mend it. Resume turns learning on again; Close leaves it to the "
    "rules."
)


def words_of_policy(policy: str) -> str:
    """Return what a policy chooses.

    >>> words_of_policy("send_time"), words_of_policy("next_best/to-customer/invited")
    ('the hour of e-mails', 'the e-mail at stage invited of path to-customer')
    >>> words_of_policy("on_site/notice_bar"), words_of_policy("new/kind")
    ('the notice bar on the site', 'new/kind')
    """
    kind, _, place = policy.partition("/")
    path, _, stage = place.rpartition("/")
    match kind:
        case "send_time":
            return "the hour of e-mails"
        case "next_best":
            return f"the e-mail at stage {stage} of path {path}"
        case "on_site":
            return f"the {place.replace('_', ' ')} on the site"
        case _:
            return policy


def what_happened(policy: str) -> str:
    """Return one sentence on a policy that was taken back.

    >>> what_happened("send_time")
    'Learning was taken back for the hour of e-mails: it did worse than the rules do for held-out visitors'
    """
    what = words_of_policy(policy)
    return (
        f"Learning was taken back for {what}: it did worse than the rules do for held-out visitors"
    )


def by_measure(row: dict[str, Any]) -> str:
    r"""Return a measure of such an alert's history in words, empty for a line of another's.

    >>> row = {
    ...     "measure": "response",
    ...     "learned": 40,
    ...     "learned_of": 1900,
    ...     "rules": 30,
    ...     "rules_of": 100,
    ...     "evidence": 91.0,
    ... }
    >>> by_measure(row)
    'answers: 40 of 1,900 (2.1\xa0%) with learning, 30 of 100 (30\xa0%) by the rules; evidence of harm 91'
    """
    if "measure" not in row or "evidence" not in row:
        return ""
    name, _ = MEASURES.get(str(row["measure"]), (str(row["measure"]), ""))
    learned = _share(row["learned"], row["learned_of"])
    rules = _share(row["rules"], row["rules_of"])
    return f"{name}: {learned} with learning, {rules} by the rules; evidence of harm {evidence_words(row['evidence'])}"


def evidence_words(evidence: float) -> str:
    """Return evidence in few digits.

    >>> evidence_words(91.3), evidence_words(0.42), evidence_words(1e9)
    ('91', '0.4', 'over 1,000,000')
    """
    if evidence > 1e6:
        return "over 1,000,000"
    return f"{evidence:,.0f}" if evidence >= 10 else f"{evidence:.1f}"


def _share(yes: int, of: int) -> str:
    if not of:
        return "nobody"
    percent = f"{100 * yes / of:.1f}".removesuffix(".0")
    return f"{yes:,} of {of:,} ({percent}\u00a0%)"
