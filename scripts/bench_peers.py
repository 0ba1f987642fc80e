"""Run the best libraries beside ours, where they are installed: Vowpal Wabbit and MABWiser.

They are no part of the product: `pip install -r requirements-bench.lock` brings them, pinned and hashed, and a row says
so where they are missing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.protocols.randomised import Make

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

VW_EXPLORERS = {
    "VW regcb": "--regcb --mellowness 0.01",
    "VW bag": "--bag 5",
    "VW squarecb": "--squarecb --gamma_scale 1000",
}
MABWISER = ("LinUCB", "LinTS")


LIBRARIES = {"vowpalwabbit": "Vowpal Wabbit", "mabwiser": "MABWiser"}
"""Module -> what it is called."""


def peers_of() -> dict[str, Make]:
    """Return the policies of the libraries that are there."""
    found: dict[str, Make] = {}
    if is_there("vowpalwabbit"):
        found |= {name: _vw(flags) for name, flags in VW_EXPLORERS.items()}
    if is_there("mabwiser"):
        found |= {f"MABWiser {name}": _mabwiser(name) for name in MABWISER}
    return found


def is_there(module: str) -> bool:
    """Tell whether a library can be imported."""
    return importlib.util.find_spec(module) is not None


def missing_peers(libraries: Mapping[str, str] = LIBRARIES) -> list[str]:
    """Return a line for the peers that are not there; none where all are."""
    lacking = [name for module, name in libraries.items() if not is_there(module)]
    if not lacking:
        return []
    how = ".venv/bin/pip install --no-deps --require-hashes -r requirements-bench.lock"
    return [f"peers left out, not installed: {', '.join(lacking)} ({how})"]


def _vw(flags: str) -> Make:
    def make(arms: int, inputs: int, rng: np.random.Generator) -> VowpalWabbit:
        del inputs
        return VowpalWabbit(arms, flags, rng)

    return make


def _mabwiser(policy: str) -> Make:
    def make(arms: int, inputs: int, rng: np.random.Generator) -> MabWiser:
        del inputs
        return MabWiser(arms, policy, rng)

    return make


class VowpalWabbit:
    """Choose by Vowpal Wabbit's `cb_explore_adf`, arms crossed with inputs; learn one by one."""

    def __init__(self, arms: int, flags: str, rng: np.random.Generator) -> None:
        module = importlib.import_module("vowpalwabbit")
        self.space: Any = module.Workspace(
            f"--cb_explore_adf {flags} -q sa --cb_type mtr --quiet --random_seed {rng.integers(1, 1 << 30)}"
        )
        self._arms, self._rng = arms, rng
        self._chosen: dict[tuple[int, bytes], float] = {}

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        chosen = np.zeros(len(inputs), dtype=np.int64)
        self._chosen = {}
        for row, each in enumerate(inputs):
            chances = np.asarray(self.space.predict(self.text(each)))
            arm = int(self._rng.choice(self._arms, p=chances / chances.sum()))
            chosen[row] = arm
            self._chosen[arm, each.tobytes()] = float(chances[arm])
        return chosen

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Take answers with the probabilities they were drawn by."""
        for arm, each, reward in zip(arms, inputs, rewards, strict=True):
            chance = max(self._chosen.get((int(arm), each.tobytes()), 1.0 / self._arms), 1e-3)
            self.space.learn(self.text(each, int(arm), -float(reward), chance))

    def text(self, inputs: Vector, arm: int = -1, cost: float = 0.0, chance: float = 0.0) -> str:
        """Return one lead as Vowpal Wabbit's text, with the cost of the arm that was taken, if one was."""
        shared = " ".join(f"x{place}:{value:.4g}" for place, value in enumerate(inputs))
        lines = [f"shared |s {shared}"]
        for each in range(self._arms):
            label = f"0:{cost:.4g}:{chance:.4g} " if each == arm else ""
            lines.append(f"{label}|a a{each}")
        return "\n".join(lines)


class MabWiser:
    """Choose by one of MABWiser's linear policies; learn in batches."""

    def __init__(self, arms: int, policy: str, rng: np.random.Generator) -> None:
        module = importlib.import_module("mabwiser.mab")
        self._mab: Any = module.MAB(
            list(range(arms)),
            getattr(module.LearningPolicy, policy)(),
            seed=int(rng.integers(1, 1 << 30)),
        )
        self._arms, self._rng, self._fitted = arms, rng, False

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        if not self._fitted:
            return self._rng.integers(0, self._arms, len(inputs))
        return np.asarray(self._mab.predict(inputs), dtype=np.int64).reshape(-1)

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Take answers."""
        if not len(arms):
            return
        learn = self._mab.partial_fit if self._fitted else self._mab.fit
        learn(decisions=arms, rewards=rewards, contexts=inputs)
        self._fitted = True
