"""Say of addresses what a script says: `messaging.ports.LookUps` without the web."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from messaging.ports import Clock, IsWanted, always
from messaging.social.outcomes import WITHDRAWN
from messaging.vocabulary.plans import Finding

Script = Callable[[str, str], str]
"""(source, address) -> the outcome."""


class MemoryLookUps:
    """Answer by a script, and remember who was asked about."""

    def __init__(self, clock: Clock, script: Script) -> None:
        self.asked: list[tuple[str, str]] = []
        self._clock = clock
        self._script = script

    async def look_up(
        self, address: str, sources: list[str], is_wanted: IsWanted = always
    ) -> list[Finding]:
        """Return one finding for each source; see the port."""
        findings = []
        for source in sources:
            if not is_wanted():
                findings.append(Finding(source, [], self._clock.now(), WITHDRAWN))
                continue
            self.asked.append((source, address))
            await asyncio.sleep(0)  # a real look-up lets others run
            outcome = self._script(source, address)
            kind = "personal" if outcome == "found" else ""
            now = self._clock.now()
            findings.append(Finding(source, [f"{source}.test"], now, outcome, "", kind))
        return findings
