"""Find out whether somebody may enter a cohort by the end of a visit alone: only then strangers' visits are watched.

Rules
1. The end makes every question for the present session false. So a cohort is entered by it only where such a question
   stands under an odd number of `not`, and only if the rest can hold without any session.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.rules.condition_models import Condition, SessionIs
from agents.rules.models import Cohort


def entered_by_its_end(cohorts: Mapping[str, Cohort]) -> bool:
    """Say whether any cohort may be entered by the end of a session alone."""
    return any(
        _is_negated(cohort.when, cohorts, negated=False)
        and _without_visit(cohort.when, cohorts) is not False
        for cohort in cohorts.values()
    )


def _is_negated(condition: Condition, cohorts: Mapping[str, Cohort], *, negated: bool) -> bool:
    """Say whether a question for the present session stands under an odd number of `not`."""
    if condition.session is not None:
        return negated and _is_of_now(condition.session)
    if condition.none_of is not None:
        return _is_negated(condition.none_of, cohorts, negated=not negated)
    if condition.cohort is not None:
        return _is_negated(cohorts[condition.cohort].when, cohorts, negated=negated)
    inner = condition.all_of or condition.any_of or []
    return any(_is_negated(each, cohorts, negated=negated) for each in inner)


def _without_visit(condition: Condition, cohorts: Mapping[str, Cohort]) -> bool | None:
    """Return what a condition says while there is no session; None: it depends (Kleene's logic)."""
    if condition.session is not None:
        return False if _is_of_now(condition.session) else None
    if condition.none_of is not None:
        said = _without_visit(condition.none_of, cohorts)
        return None if said is None else not said
    if condition.cohort is not None:
        return _without_visit(cohorts[condition.cohort].when, cohorts)
    inner = condition.all_of or condition.any_of
    if not inner:
        return None
    decides = (
        condition.all_of is None
    )  # one that holds decides `any`, one that does not decides `all`
    answers = {_without_visit(each, cohorts) for each in inner}
    if decides in answers:
        return decides
    return None if None in answers else not decides


def _is_of_now(session: SessionIs) -> bool:
    """Say whether the present session is asked about, and not only the number of all."""
    return (session.depth_at_least, session.pages_contain, session.minutes_at_least) != (
        None,
        None,
        None,
    )
