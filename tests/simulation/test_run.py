"""The runner says how far it has come, and to nobody who did not ask."""

from __future__ import annotations

import pytest

from tests.simulation.run import Progress


def test_progress_is_told_line_by_line_and_not_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(3, shown=True, every_seconds=0.0)
    for failed in (False, True, False):
        progress.ran(failed=failed)
    printed = capsys.readouterr()
    lines = [line.rpartition(",")[0] for line in printed.err.splitlines()]
    assert lines == ["1 of 3 seeds, 0 failed", "2 of 3 seeds, 1 failed"]
    assert not printed.out


@pytest.mark.parametrize(("shown", "every_seconds"), [(False, 0.0), (True, 60.0)])
def test_progress_is_silent_where_nobody_looks_or_it_was_just_told(
    shown: bool, every_seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(9, shown=shown, every_seconds=every_seconds)
    progress.ran(failed=False)
    assert capsys.readouterr().err == ""
