"""Name what Behavior keeps of events only where rules ask for it, so that it is known what an older version did not.

Whatever is counted by its name is kept for good, whoever asks. Six kinds of things are kept only for rules that ask:

    mark:<watch>   the newest events of a watch          turn:<trait>   when a trait changed
    cart:kept      what was put into the cart            score:<name>   the points of a score
    page:<id>      how often such pages were seen        views:<id>     how many of them in each session

Rules
1. Each has a signature: a score that gives other points, or lets them fade otherwise, is another one. Bands and caps
   only cut what is read.
2. By the kinds that touch a cohort it is known what it is decided by: kinds reach whoever asks for another cohort.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agents.rules.compiled import ScoreRule
from messaging.vocabulary.ids import short_hash

CART = "cart:kept"
MARK, TURN, SCORE, PAGE, VIEWS = "mark:", "turn:", "score:", "page:", "views:"


def turns_of(trait: str) -> str:
    """Return what is kept of a trait's changes."""
    return TURN + trait


def kept_for(
    watches: Collection[str],
    pages: Collection[str],
    turning: Collection[str],
    keeping: Collection[str],
    scores: Mapping[str, ScoreRule],
) -> dict[str, str]:
    """Return what is kept -> its signature."""
    found = {MARK + watch: "" for watch in watches}
    found |= dict.fromkeys(pages, "")
    found |= {turns_of(trait): "" for trait in turning}
    if "cart" in keeping:
        found[CART] = ""
    for name, rule in scores.items():
        written = f"{rule.half_life_days!r}:{sorted(rule.points_by_kind.items())!r}"
        found[SCORE + name] = short_hash("points", written)
    return found


def kept_by(kinds: Collection[str]) -> frozenset[str]:
    """Return what a condition is decided by, of the kinds that touch it.

    >>> sorted(kept_by({"page", "mark:ab12", "score:interest:2.0"}))
    ['mark:ab12', 'score:interest']
    """
    by_name = (MARK, TURN, PAGE, VIEWS)
    found = {kind for kind in kinds if kind.startswith(by_name) or kind == CART}
    return frozenset(found | {kind.rpartition(":")[0] for kind in kinds if kind.startswith(SCORE)})


def new_in(now: Mapping[str, str], before: Mapping[str, str]) -> frozenset[str]:
    """Return what is kept now and was not before.

    >>> sorted(new_in({"cart:kept": "", "score:a": "x"}, {"score:a": "y"}))
    ['cart:kept', 'score:a']
    """
    return frozenset(name for name, said in now.items() if before.get(name) != said)
