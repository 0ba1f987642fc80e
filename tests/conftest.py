"""Set what holds for every test: no property fails by the clock, and none depends on an earlier run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("mdma", deadline=None, database=None)
settings.load_profile("mdma")
