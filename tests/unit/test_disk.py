"""Who started the system hears of a full disk once, with what to do, and again when it fills anew."""

from __future__ import annotations

from pathlib import Path

from scripts.disk import Room, bytes_left


def test_a_disk_that_fills_is_told_of_once_and_again_after_there_was_room():
    lefts = iter([900, 199, 150, 250, 0, 301, 120])
    said = []
    room = Room(Path("data"), said.append, lambda _: next(lefts) * 1_000_000)
    for _ in range(7):
        room.look()
    assert [each.partition(" has ")[2].partition(":")[0] for each in said] == [
        "199 MB left",
        "120 MB left",
    ]
    assert "make room" in said[0]


def test_what_is_left_is_asked_of_the_folder_itself(tmp_path):
    assert bytes_left(tmp_path) > 0
