"""Decide whether a newly trained model takes the place of the one that acts.

Rules
1. While there are few conversions (`early`) the newest model acts: it learned from the same rows and more, and too
   few are left to compare by. A champion that learned from many stays as long as the rows reach back to what it saw.
2. Else the challenger has to say later rows better (lower log-loss) than the champion does. Both are asked of rows
   that neither learned from: later than all of the champion's, and a horizon after those of the challenger.
3. Where too few got there on such rows nothing can be told, and the champion stays.
4. A champion that cannot be read, or that was trained on other features, has no say.
"""

from __future__ import annotations

from learning.evaluation.calibration import log_loss
from learning.serving.probability import HORIZON_DAYS, Model, model_of, probabilities
from learning.training.lesson import CONVERSIONS_MIN, Lesson, Taught
from learning.training.probabilities import (
    DAY_SECONDS,
    LEARNED_TO,
    Judged,
    learn,
    mature,
    published,
)
from messaging.vocabulary.records import Snapshot


def teach(lesson: Lesson, horizon_days: int = HORIZON_DAYS) -> Taught:
    """Train on a lesson, and compare with the champion. The same lesson comes to the same."""
    rows = mature(lesson.examples, horizon_days)
    learned = learn(rows, horizon_days)
    if learned is None:
        return Taught("too little")
    trained = published(lesson.policy, 1, learned, horizon_days)
    champion = _read(lesson.champion)
    if champion is None or lesson.champion is None:
        return Taught("first", trained)
    learned_to_days = lesson.champion.learned_to.get(LEARNED_TO, 0) / DAY_SECONDS
    if learned.judged is None:
        stays = not champion.is_early and learned_to_days >= rows.at[0]
        return Taught("champion kept") if stays else Taught("early", trained)
    if champion.is_early:
        return Taught("early", trained)
    if _is_better(learned.judged, champion, learned_to_days):
        return Taught("better", trained)
    return Taught("champion kept")


def _read(snapshot: Snapshot | None) -> Model | None:
    try:
        return None if snapshot is None else model_of(snapshot)
    except ValueError:
        return None


def _is_better(judged: Judged, champion: Model, learned_to_days: float) -> bool:
    """Return whether the challenger said the rows better that the champion has not seen."""
    unseen = judged.rows.at > learned_to_days + 1.0 / DAY_SECONDS  # whole seconds were kept
    rows = judged.rows.where(unseen)
    if rows.conversions < CONVERSIONS_MIN or rows.y.all():
        return False
    said = probabilities(champion, rows.X)
    return log_loss(judged.chances[unseen], rows.y) < log_loss(said, rows.y)
