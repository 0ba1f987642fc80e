"""Run the benchmarks: each row against its ceiling, its peer or its limit, in the same run."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from scripts.bench_measure import Row, Say, progress, progress_over, table, write_json
from scripts.bench_sets import SetError, specs_in
from scripts.bench_system import running, stop_on_sigterm

ROWS = {
    "intake": "batches of 100 events on 8 connections, acknowledged when durable; against insert_many",
    "processed": "events taken by all bots; against the raw transaction",
    "single": "one durable event a request on 64 connections; against a bare aiohttp handler",
    "latency": "a page visit to its e-mail at the SMTP server; a purchase to everything cancelled",
    "simulator": "all bots in one process on a clock that jumps",
    "rules": "an event with 500 cohorts published, against one with 5; bytes of a visitor as time goes by",
    "probabilities": "lead to opportunity and to customer, on the synthetic audience; against scikit-learn offline",
    "learning": "send time, next best e-mail, probabilities, off-policy; recorded data with --data, beside peers",
    "experiments": "split tests: false winners among equals, and power; the guardrail: false alarms, harm stopped",
    "closed-loop": "learning over the rules by `mdma simulate`: 10,000 people, 60 days, 10 audiences (an hour)",
    "pages": "every page of the console and every list of the API with 1,000,000 visitors; p95",
    "idle": "all processes of a system to which nothing happens: processor time and memory",
}
ON_MIX = ("intake", "processed", "single")
"""Rows that run on one system with the routine that ships."""


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print the table. Return 0 when it was measured, 1 when not, 2 for wrong use."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure this machine: each row against its ceiling in the same run, median of three.",
        epilog="Example: scripts/bench intake processed --json bench.json\n\nRows:\n"
        + "\n".join(f"  {name:14}{what}" for name, what in ROWS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to measure (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON, too")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="learning: the folder of recorded data, with a bench.yaml beside each file (which stays untouched);"
        " else keep the systems' files here (a folder that is removed)",
    )
    given = parser.parse_args(arguments)
    strange = [name for name in given.names if name not in ROWS]
    if strange:
        parser.error(f"no row is called {strange[0]}; there are {', '.join(ROWS)}")
    try:
        rows = _measure(given.names or list(ROWS), given.data)
    except asyncio.CancelledError:
        return 143
    except SetError as error:
        progress_over()
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, TimeoutError, OSError) as error:
        progress_over()
        print(f"scripts/bench: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    progress_over()
    print(table(rows))
    if given.json is not None:
        write_json(given.json, rows)
    return 0


def _measure(names: list[str], data: Path | None) -> list[Row]:
    rows: list[Row] = []
    if "learning" in names:
        from scripts.bench_learning import measure as measure_learning

        # `--data` names one thing or the other: nothing is written beside recorded data.
        recorded = data if names == ["learning"] or (data and specs_in(data)) else None
        data = None if recorded else data
        rows += measure_learning(recorded, progress)
        names = [name for name in names if name != "learning"]
    if not names:
        return rows
    if data is not None:
        return rows + uvloop.run(measured(names, data.resolve(), progress))
    with tempfile.TemporaryDirectory(prefix="mdma-bench-") as folder:
        return rows + uvloop.run(measured(names, Path(folder), progress))


async def measured(names: list[str], folder: Path, say: Say) -> list[Row]:
    """Return the rows of these names, in the order of `ROWS`."""
    stop_on_sigterm()
    rows: list[Row] = []
    if set(names) & set(ON_MIX):
        rows += await _on_mix(names, folder / "mix", say)
    if "latency" in names:
        from scripts.bench_latency import measure as measure_latency

        rows += await measure_latency(folder / "latency", say)
    if "pages" in names:
        from scripts.bench_pages import measure as measure_pages

        rows += await measure_pages(folder / "pages", say)
    if "idle" in names:
        from scripts.bench_idle import measure as measure_idle

        rows += await measure_idle(folder / "idle", say)
    if "simulator" in names:
        from scripts.bench_simulator import measure as measure_simulator

        rows += await asyncio.to_thread(measure_simulator, say)
    if "rules" in names:
        from scripts.bench_cohorts import measure as measure_rules

        rows += await asyncio.to_thread(measure_rules, say)
    if "probabilities" in names:
        from scripts.bench_probabilities import measure as measure_probabilities

        rows += await asyncio.to_thread(measure_probabilities, say)
    if "closed-loop" in names:
        from scripts.bench_closed_loop import measure as measure_closed_loop

        rows += await asyncio.to_thread(measure_closed_loop, say)
    if "experiments" in names:
        from scripts.bench_experiments import measure as measure_experiments
        from scripts.bench_guardrail import measure as measure_guardrail

        rows += await asyncio.to_thread(measure_experiments, say)
        rows += await asyncio.to_thread(measure_guardrail, say)
    return rows


async def _on_mix(names: list[str], folder: Path, say: Say) -> list[Row]:
    from scripts import bench_intake, bench_processed
    from scripts.bench_smtp import mailbox

    rows: list[Row] = []
    say("starting the system")
    async with mailbox() as box, running(folder, box.port) as system:
        if "intake" in names:
            rows += await bench_intake.measure_intake(system, say)
        if "processed" in names:
            rows += await bench_processed.measure(system, say)
        if "single" in names:
            rows += await bench_intake.measure_single(system, say)
    return rows


if __name__ == "__main__":
    sys.exit(main())
