"""Two who edit one file: what does not touch is put together, what does is nobody's to decide but theirs."""

from __future__ import annotations

from messaging.gateway.console.merging import merged

BASE = "one\ntwo\nthree\nfour\nfive\n"


def test_edits_apart_from_each_other_are_put_together():
    theirs = BASE.replace("one", "ONE") + "six\n"
    mine = BASE.replace("three", "3")
    assert merged(BASE, theirs, mine) == "ONE\ntwo\n3\nfour\nfive\nsix\n"


def test_the_same_edit_by_both_is_one():
    edit = BASE.replace("two", "2")
    assert merged(BASE, edit, edit) == edit
    assert merged(BASE, edit, edit.replace("five", "5")) == edit.replace("five", "5")


def test_edits_of_the_same_lines_and_of_lines_that_touch_are_not_decided_here():
    assert merged(BASE, BASE.replace("two", "2"), BASE.replace("two", "II")) is None
    assert merged(BASE, BASE.replace("two", "2"), BASE.replace("three", "3")) is None
    assert merged(BASE, BASE + "six\n", BASE + "seven\n") is None
    assert merged(BASE, BASE.replace("two\n", ""), BASE.replace("two", "2")) is None


def test_one_who_changed_nothing_takes_the_others():
    assert merged(BASE, BASE, BASE + "six\n") == BASE + "six\n"
    assert merged(BASE, BASE + "six\n", BASE) == BASE + "six\n"
