"""Know what the published rules say of scores, for whoever shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agents.rules.compiled import ScoreRule
from agents.runtime.views import PUBLISHED, VERSIONS
from config.load import compile_files
from messaging.ports import Store


class PublishedScores:
    """Give the rules of the scores that are published now; they are compiled once for each publication.

    Parameters:
        store: where versions and what is published stand.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = ""
        self._scores: Mapping[str, ScoreRule] = {}

    async def __call__(self) -> Mapping[str, ScoreRule]:
        """Return score -> its rule; nothing where nothing is published."""
        published = await self._store.get_document(*PUBLISHED) or {}
        version = str(published.get("version") or "")
        if version == self._version:
            return self._scores
        row = await self._store.get_document(VERSIONS, version) if version else None
        if row is None:
            return {}
        rules = await asyncio.to_thread(compile_files, row["files"], int(version), row.get("html"))
        self._version, self._scores = version, rules.scores
        return self._scores
