"""Files that name the people of a static list: who is read from them, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.cli_list import _people
from scripts.folder import Refused


def a_file(folder: Path, text: str) -> Path:
    """Write a CSV of people."""
    file = folder / "vip.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "wrong", ["ann", "ann.example.com", "Ann Bee", "@example.com", "ann@", "+1 555"]
)
def test_a_row_whose_email_is_no_address_is_refused_with_its_line(
    tmp_path: Path, wrong: str
) -> None:
    """It became a user id, and consent was recorded for whoever has that one."""
    file = a_file(tmp_path, f"name,email\nAnn,ann@example.com\nBob,{wrong}\n")
    with pytest.raises(Refused, match=r"vip\.csv:3: email is no address; nothing was sent"):
        _people((), file)


@pytest.mark.parametrize(
    "text",
    [
        "Name;Email;City\nAnn;ann@example.com;Bonn, Germany\n",
        "\ufeffName;E-Mail\r\nAnn;ann@example.com\r\n",
        "\ufeffEMAIL\nann@example.com\n",
        "name\temail\nAnn\tann@example.com\n",
        '"Name";"Email"\n"Ann";"ann@example.com"\n',
        '"Bee, Ann",email\nx,ann@example.com\n',
        "User ID, Email \nu7,ann@example.com\n",
        "email;name\nann@example.com;Ann\n",
    ],
)
def test_a_table_as_spreadsheets_write_it_is_read(tmp_path: Path, text: str) -> None:
    """It was refused, without a word of commas and small letters."""
    assert _people((), a_file(tmp_path, text)) == ["ann@example.com"]


@pytest.mark.parametrize(
    "text", ["", "\n", "name,city\nAnn,Bonn\n", "ann@example.com\n", '"email\n']
)
def test_a_table_that_names_no_such_column_is_told_what_is_read(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused, match=r"commas, semicolons or tabs between|unexpected end"):
        _people((), a_file(tmp_path, text))


@pytest.mark.parametrize("column", ["user_id", "userId", "USER_ID", "User ID"])
def test_a_column_of_user_ids_names_people_by_them(tmp_path: Path, column: str) -> None:
    assert _people(("u1",), a_file(tmp_path, f"{column}\nu7\n u8 \nu7\n")) == ["u1", "u7", "u8"]


def test_a_column_of_addresses_is_taken_before_one_of_user_ids(tmp_path: Path) -> None:
    assert _people((), a_file(tmp_path, "user_id,email\nu7,ann@example.com\n")) == [
        "ann@example.com"
    ]


def test_an_address_in_two_cases_is_one_person(tmp_path: Path) -> None:
    """It said that 151 people were put on the list, which had 150."""
    file = a_file(tmp_path, "email\nAnn@example.com\nbob@example.com\n ann@EXAMPLE.com \n")
    assert _people(("BOB@example.com",), file) == ["BOB@example.com", "Ann@example.com"]
    assert _people(("U7", "u7"), None) == ["U7", "u7"], "user ids are other ones"
