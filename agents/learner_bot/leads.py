"""Learn what is known of leads: which of them answer which template, from answers that say whom they are of.

Rules
1. An answer with inputs is counted among its arm's, like any other (`step`), and its row is kept until it is ripe. Of
   a bundle the rows with the lowest hashes stay, whichever came first: a fair sample of yes and no, and a bound.
2. What is ripe waits in `pending` and is learned when something is published, or when it is many: what follows from
   the sums is solved then and at no other time.
3. Answers without a row (older ones, those beyond a bound) teach the arms' levels: that is what the arms' counts have
   more than the rows.
4. What is kept of all rows is sums, in single precision, faded as the counts are. The least used arm goes with its
   counts. Sums of fewer inputs than are told now begin anew.
5. What would differ between machines in its last bits is rounded before it is kept: a replay compares bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agents.learner_bot.shown import Bundle, Shown
from agents.learner_bot.state import Tally
from learning.serving.for_lead import values_of
from learning.training.earned import SHRUNK, Earned
from learning.training.ridge import Sums

ROWS_MAX = 256
"""Kept of one bundle, and learned at a time. A bundle is half a day: ten are ripening at most, and what there is beyond
sharpens ever less."""

INPUTS_MAX = 32
"""As many as a decision's context may hold; an answer of more is counted, and not read."""

WIRE = 128
"""Rewards are kept in parts of so many."""

LOST_DECIMALS = 4
KEPT_DECIMALS = 9
KEPT = np.dtype("<f4")

Vector = NDArray[np.float64]


def put(shown: Shown, bundle: int, number: int, arm: str, reward: float, inputs: bytes) -> None:
    """Keep an answer until its bundle is ripe; `number` is the reward's own hash."""
    if not 0 < len(inputs) <= INPUTS_MAX:
        return
    kept = shown.ripening.setdefault(bundle, Bundle())
    if len(kept.rows) >= ROWS_MAX:
        highest = max(kept.rows)
        if number >= highest:
            return
        del kept.rows[highest]
    if arm not in kept.arms:
        kept.arms.append(arm)
    row = (kept.arms.index(arm), round(reward * WIRE))
    kept.rows[number] = bytes(row) + inputs


def ripen(shown: Shown, bundle: int, tallies: Mapping[str, Tally]) -> None:
    """Take a ripe bundle's rows to be learned next; learn at once where they have become many."""
    kept = shown.ripening.pop(bundle, None)
    if kept is None:
        return
    for _, row in sorted(kept.rows.items()):
        shown.pending.append((kept.arms[row[0]], row[1:]))
        if len(shown.pending) >= ROWS_MAX:
            learn(shown, tallies)


def learn(shown: Shown, tallies: Mapping[str, Tally]) -> None:
    """Learn what is pending."""
    rows, shown.pending = shown.pending, []
    width = max((len(row) - 1 for _, row in rows), default=0)
    if width > shown.width:
        shown.width, shown.arms, shown.sums = width, [], b""
        shown.lost, shown.scored = [], 0.0
    arms = sorted(tallies)
    place = {arm: number for number, arm in enumerate(arms)}
    told = [(place[arm], row) for arm, row in rows if arm in place and len(row) == shown.width + 1]
    if not told:
        return
    chosen = np.asarray([arm for arm, _ in told])
    inputs = np.stack([values_of(row[1:]) for _, row in told])
    rewards = np.asarray([row[0] / WIRE for _, row in told])
    earned = earned_of(shown, tallies)
    # Arms have counted these already: they are not yet to be known when beliefs are asked what they foretell of them.
    np.subtract.at(earned.plain, chosen, np.stack([np.ones(len(told)), rewards], axis=1))
    earned.plain.clip(0.0, out=earned.plain)
    earned.learn(chosen, inputs, rewards)
    _keep(shown, arms, earned)


def fade(shown: Shown, by: float) -> None:
    """Let what was learned weigh less."""
    shown.fade *= by


def earned_of(shown: Shown, tallies: Mapping[str, Tally]) -> Earned:
    """Return what is known of arms, in their order by name: from the sums, and from what was counted beside them."""
    arms = sorted(tallies)
    earned = Earned(len(arms), shown.width)
    if shown.sums:
        rows = np.frombuffer(shown.sums, dtype=KEPT).astype(np.float64) * shown.fade
        rows = rows.reshape(len(shown.arms) + 1, -1)
        _unpack(rows[-1], earned.pooled, 0)
        place = {arm: at for at, arm in enumerate(arms)}
        for arm, row in zip(shown.arms, rows, strict=False):
            if arm in place:
                _unpack(row, earned.sums, place[arm])
        lost = np.asarray(shown.lost) * shown.fade
        earned.lost, earned.lost_pooled = lost[: len(SHRUNK)], lost[len(SHRUNK) :]
        earned.answers = shown.scored * shown.fade
    counted = [(tallies[arm].exposures, tallies[arm].successes) for arm in arms]
    rows = np.stack([earned.sums.answers, earned.sums.products[:, 0]], axis=1)
    earned.plain = (np.asarray(counted).reshape(-1, 2) - rows).clip(0.0)
    return earned


def arrays_of(shown: Shown, tallies: Mapping[str, Tally]) -> dict[str, list[float]]:
    """Return what is published of a policy whose arms are these, by name."""
    if not tallies:
        return {}
    told = earned_of(shown, tallies).published()
    return {name: [round(value, KEPT_DECIMALS) for value in told[name]] for name in told}


def _keep(shown: Shown, arms: list[str], earned: Earned) -> None:
    """Keep the sums of the arms that have rows, what each belief lost, and nothing that follows from these."""
    has = np.flatnonzero(earned.sums.answers > 0.0)
    rows = [_packed(earned.sums, int(at)) for at in has] + [_packed(earned.pooled, 0)]
    shown.arms = [arms[at] for at in has]
    shown.sums = np.stack(rows).astype(KEPT).tobytes()
    lost = np.concatenate([earned.lost, earned.lost_pooled])
    shown.lost = lost.round(LOST_DECIMALS).tolist()
    shown.scored, shown.fade = earned.answers, 1.0


def _packed(sums: Sums, at: int) -> Vector:
    above = np.triu_indices(sums.products.shape[1])
    return np.concatenate([sums.answers[[at]], sums.squares[at][above], sums.products[at]])


def _unpack(row: Vector, sums: Sums, at: int) -> None:
    size = sums.products.shape[1]
    squares = np.zeros((size, size))
    squares[np.triu_indices(size)] = row[1 : len(row) - size]
    sums.squares[at] = squares + np.triu(squares, 1).T
    sums.products[at] = row[len(row) - size :]
    sums.answers[at] = row[0]
