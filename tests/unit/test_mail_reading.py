"""What people see of the sink: the newest e-mails at the same cost however many there are, and each in its parts."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from messaging.mail.reading import INDEX_BYTES_MAX, MAILS_MAX, newest_mails, parse_mail, read_mail
from messaging.mail.sink import INDEX, path_of
from tests.page_builders import a_mail, an_inbox


def a_long_index(folder: Path, count: int) -> None:
    """Write an index of so many e-mails; the newest hundred have their files."""
    entry = {"to": ["a@example.com"], "subject": "x" * 60, "send_id": "s", "bytes": 1}
    lines = (json.dumps({"number": number, **entry}) for number in range(1, count + 1))
    (folder / INDEX).write_text("\n".join(lines) + "\n")
    for number in range(count - 99, count + 1):
        path_of(folder, number).write_bytes(b"Subject: x\r\n\r\n")


def test_of_thirty_thousand_mails_only_the_end_of_the_index_is_read(tmp_path: Path) -> None:
    a_long_index(tmp_path, 30_000)
    assert (tmp_path / INDEX).stat().st_size > 10 * INDEX_BYTES_MAX
    found = newest_mails(tmp_path, 50)
    assert [each["number"] for each in found] == list(range(30_000, 29_950, -1))
    older = newest_mails(tmp_path, 50, before=29_951)
    assert [each["number"] for each in older] == list(range(29_950, 29_900, -1))
    assert newest_mails(tmp_path, 50, before=29_901) == [], "those are not kept any more"
    assert newest_mails(tmp_path, 9_999, before=30_001 - MAILS_MAX) == []


def test_a_line_that_is_being_written_and_a_folder_without_mails_are_no_fault(
    tmp_path: Path,
) -> None:
    assert newest_mails(tmp_path, 5) == []
    assert read_mail(tmp_path, 1) is None
    an_inbox(tmp_path, a_mail(1), a_mail(2))
    with (tmp_path / INDEX).open("a") as index:
        index.write('{"number": 3, "to"')
    assert [each["number"] for each in newest_mails(tmp_path, 5)] == [2, 1]


def test_a_mail_is_read_in_its_parts(tmp_path: Path) -> None:
    folder = an_inbox(tmp_path, a_mail(1, subject="Grüße — and more", to="zoë@example.com"))
    found = read_mail(folder, 1)
    assert found is not None
    assert (found.subject, found.send_id) == ("Grüße — and more", "send-1")
    assert (found.preheader, found.text.strip().splitlines()[0]) == (
        "First words of 1",
        "The text part.",
    )
    assert "<h1>Grüße" in found.html
    assert ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click") in found.headers
    for number in (0, 2, -1, 10**12):
        assert read_mail(folder, number) is None


def test_a_mail_of_others_without_html_is_read_as_well() -> None:
    message = EmailMessage()
    message["Subject"], message["To"] = "plain", "ann@example.com"
    message.set_content("only text")
    found = parse_mail(message.as_bytes())
    assert (found.subject, found.html, found.text.strip()) == ("plain", "", "only text")


@given(st.binary(max_size=400) | st.lists(st.binary(max_size=60), max_size=8).map(b"\r\n".join))
def test_whatever_lies_in_the_folder_is_shown_somehow(raw: bytes) -> None:
    found = parse_mail(b"Content-Type: multipart/mixed; boundary=a\r\n" + raw)
    for value in (found.subject, found.html, found.text, *(each for _, each in found.headers)):
        value.encode()
