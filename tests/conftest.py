"""Set what holds for every test: no property fails by the clock or by chance, or leans on an earlier run.

The same tree gives the same examples; `MDMA_EXPLORE=1` draws new ones each time, to search on.
"""

from __future__ import annotations

import os

from hypothesis import settings

EXPLORE = os.environ.get("MDMA_EXPLORE", "") == "1"

settings.register_profile("mdma", deadline=None, database=None, derandomize=not EXPLORE)
settings.load_profile("mdma")
