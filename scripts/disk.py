"""Say that the disk fills before a database that cannot write is all that one sees of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

LEFT_MIN = 200_000_000
"""Bytes: mongod writes its journal in files of 100 MB."""
LEFT_AGAIN = 300_000_000
"""Said again only after there was this much room: a disk at its edge would be told of every few seconds."""


def bytes_left(folder: Path) -> int:
    """Return how much this user may still write there."""
    return shutil.disk_usage(folder).free


class Room:
    """Look at the room that a folder has, and say so once when it gets short.

    Parameters:
        folder: where the data lie.
        say: tells who started the system.
        left: returns the bytes left there.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None], left: Callable[[Path], int] = bytes_left
    ) -> None:
        self._folder = folder
        self._say = say
        self._left = left
        self._is_short = False

    def look(self) -> None:
        """Say what is left if it has become too little. Raise OSError where the folder is gone."""
        left = self._left(self._folder)
        if left < LEFT_MIN and not self._is_short:
            self._say(
                f"careful    the disk of {self._folder} has {left // 1_000_000} MB left: make room. What cannot be "
                "written is refused (503) and has to be sent again; nothing that was acknowledged is lost"
            )
        self._is_short = left < (LEFT_AGAIN if self._is_short else LEFT_MIN)
