"""Run many seeds on all cores and print what occurred how often: `python -m tests.simulation.run --seeds 1000`.

A failing seed is printed and replays exactly: `--seed N --trace`. How far it has come is told on a terminal, and
elsewhere with `--progress`.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import time
from collections import Counter

from tests.simulation.expected import EXPECTED
from tests.simulation.simulate import MUTANTS, Result, added, simulate, with_mutant

SEEDS_OF_A_PROCESS = 20


def main() -> int:
    """Run what the command line asks for; 1 if a promise was broken or something never occurred."""
    arguments = _arguments()
    if arguments.seed is not None:
        return _one(arguments.seed, arguments.mutant, trace=arguments.trace)
    seeds = range(arguments.start, arguments.start + arguments.seeds)
    shown = arguments.progress or sys.stderr.isatty()
    return _many(seeds, arguments.mutant, arguments.processes, Progress(len(seeds), shown=shown))


class Progress:
    """Say on stderr every few seconds how far it has come.

    Args:
        total: seeds to run.
        shown: whether it is said at all.
        every_seconds: pause between two lines.
    """

    def __init__(self, total: int, *, shown: bool, every_seconds: float = 5.0) -> None:
        self._total = total
        self._shown = shown
        self._every = every_seconds
        self._began = self._said = time.monotonic()
        self._done = self._failed = 0

    def ran(self, *, failed: bool) -> None:
        """Count a seed; say so if it is time."""
        self._done += 1
        self._failed += failed
        now = time.monotonic()
        if not self._shown or now - self._said < self._every or self._done == self._total:
            return
        self._said = now
        left = (now - self._began) / self._done * (self._total - self._done)
        line = f"{self._done} of {self._total} seeds, {self._failed} failed, {left:.0f} s left"
        print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--trace", action="store_true", help="print each commit of --seed")
    parser.add_argument(
        "--mutant", choices=MUTANTS, help="plant this bug; stops at the first catch"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--progress", action="store_true", help="say how far it is, to a file too")
    return parser.parse_args()


def _one(seed: int, mutant: str | None, *, trace: bool) -> int:
    with with_mutant(mutant) if mutant else contextlib.nullcontext():
        result = simulate(seed, trace=trace)
    for line in result.trace:
        print(line)
    _print_coverage([result])
    print(f"seed {seed}: hash {result.trace_hash}, {result.events} events")
    for violation in result.violations:
        print(f"  {violation}", flush=True)
    return 1 if result.violations else 0


def _simulated(job: tuple[int, str | None]) -> Result:
    seed, mutant = job
    with with_mutant(mutant) if mutant else contextlib.nullcontext():
        try:
            result = simulate(seed)
        except Exception as error:  # noqa: BLE001 - a run that ends in an error is a caught bug as well
            violation = f"run ended: {type(error).__name__}: {error}"
            return Result(seed, [violation], "", 0, 0, 0, {}, [])
    result.journal, result.behavior = [], {}
    return result


def _many(seeds: range, mutant: str | None, processes: int, progress: Progress) -> int:
    began = time.monotonic()
    results = []
    # A process is done with after some seeds: each leaves a few megabytes behind.
    with multiprocessing.Pool(processes, maxtasksperchild=SEEDS_OF_A_PROCESS) as pool:
        for result in pool.imap_unordered(_simulated, [(seed, mutant) for seed in seeds]):
            results.append(result)
            progress.ran(failed=bool(result.violations))
            if result.violations:
                print(f"seed {result.seed}: {len(result.violations)} violations", flush=True)
                for violation in result.violations[:5]:
                    print(f"  {violation}", flush=True)
                if mutant:
                    pool.terminate()
                    break
    seconds = time.monotonic() - began
    failed = sorted(result.seed for result in results if result.violations)
    if mutant:
        print(f"{mutant}: {'caught by seed ' + str(failed[0]) if failed else 'NOT CAUGHT'}")
        return 0 if failed else 1
    never = _print_coverage(results)
    print(
        f"{len(results)} seeds, {len(failed)} failed {failed[:20]}, "
        f"{seconds / max(1, len(results)):.2f} s a seed ({processes} processes)"
    )
    return 1 if failed or never else 0


def _print_coverage(results: list[Result]) -> list[str]:
    total: dict[str, Counter[str]] = {}
    for result in results:
        added(total, result)
    for group, counts in total.items():
        print(f"{group}:")
        for name, count in sorted(counts.items()):
            print(f"  {count:9d}  {name}")
    if results:
        least = [
            min(getattr(r, what) for r in results) for what in ("events", "visitors", "faults")
        ]
        print(f"least of a seed: {least[0]} events, {least[1]} visitors, {least[2]} faults")
    never = [
        f"{g}: {n}" for g, names in EXPECTED.items() for n in names if not total.get(g, {}).get(n)
    ]
    if never:
        print("never occurred: " + "; ".join(never))
    return never


if __name__ == "__main__":
    sys.exit(main())
