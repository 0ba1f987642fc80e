"""Write rules for a benchmark or for chaos: the routine that ships, with every e-mail sent at once."""

from __future__ import annotations

import re
from pathlib import Path

from config.load import DEFAULTS, read_folder, write_folder

PATH = "lead-to-customer"
_FILE = f"paths/{PATH}.yaml"
_ENTRY = """
  here-and-now:
    title: A lead on the page that starts a run
    when:
      all:
        - known: email
        - may_email: true
        - not: {{lifecycle: customer}}
        - page: {{starts_with: {page}}}
"""


def write_rules_now(folder: Path, *, entry_page: str = "", response_hours: int = 0) -> None:
    """Write the routine with `timing: now` and no quiet hours.

    Args:
        folder: where to.
        entry_page: a run starts when a lead sees a page that begins so; empty: when they become known.
        response_hours: how long each e-mail waits for its answer; 0: as the routine says.
    """
    files = dict(read_folder(DEFAULTS))
    # By text and not by a YAML library, whose 1.1 reads the key `on` as true.
    path = _put(files[_FILE], r"quiet_hours: \{.*\}", "quiet_hours: {from: 0, to: 0}")
    path = _put(path, r"timing: window", "timing: now")
    if response_hours:
        path = _put(path, r"(?<=response_window_hours: )\d+", str(response_hours))
    if entry_page:
        path = _put(path, r"(?<=entry:\n  cohort: )\S+", "here-and-now")
        files["cohorts.yaml"] += _ENTRY.format(page=entry_page)
    files[_FILE] = path
    write_folder(folder, files)


def _put(text: str, pattern: str, new: str) -> str:
    changed, count = re.subn(pattern, new, text)
    assert count, f"the routine has no {pattern} any more"
    return changed
