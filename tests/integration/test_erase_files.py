"""What stands of a person in files: e-mails that the sink keeps, and log lines. Others' stay."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from agents.runtime.sweeper import Names
from messaging.mail.sink import INDEX, Sink, read_mails
from scripts.erasing import DiskFiles

ANN, BOB = "ann@example.com", "bob@example.com"
ANNS = Names(ids=["a1" * 12, "send-ann"], addresses=[ANN])


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[int]:
    """Run a sink that goes on writing; give its port."""
    running = Sink(keep=4)
    yield running.start(tmp_path / "mail")
    running.stop()


def deliver(port: int, to: str, send: str, text: str = "Hi") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", to, "Hello"
    if send:
        mail["X-MDMA-Send"] = send
    mail.set_content(text)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.send_message(mail)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


async def test_an_erased_persons_mails_and_log_lines_are_gone_and_the_sink_goes_on(
    sink: int, tmp_path: Path
) -> None:
    mail, logs = tmp_path / "mail", tmp_path / "logs"
    logs.mkdir()
    log = logs / "email-0.log"
    kept, theirs = '{"event":"batch.committed"}\n', f'{{"event":"x","who":"{ANN.upper()}"}}\n'
    log.write_text(kept + theirs + kept)
    (logs / "email-0.log.1").write_text(theirs)
    deliver(sink, ANN, "send-ann")
    deliver(sink, BOB, "send-bob")
    deliver(sink, "boss@shop.example", "", f"An alert: nobody answers, {ANN}")

    files = DiskFiles(mail, logs)
    assert await files.sweep(ANNS, remove=False) == {"e-mails kept": 2, "log lines": 2}
    assert ANN.encode() in everything(tmp_path)
    assert await files.sweep(ANNS, remove=True) == {"e-mails kept": 2, "log lines": 2}
    assert await files.sweep(ANNS, remove=True) == {"e-mails kept": 0, "log lines": 0}

    assert ANN.encode() not in everything(tmp_path).lower()
    assert [line for line in log.read_text().splitlines() if line.strip("-")] == [kept.strip()] * 2
    assert [each["to"] for each in read_mails(mail)] == [[BOB]]
    for number in range(9):  # so many that the sink writes its index anew
        deliver(sink, BOB, f"send-{number}")
    assert [each["send_id"] for each in read_mails(mail)] == [f"send-{n}" for n in range(5, 9)]
    assert ANN not in (mail / INDEX).read_text()


async def test_a_templates_test_email_goes_with_whom_it_went_to_or_shows(
    sink: int, tmp_path: Path
) -> None:
    """No ledger has a test e-mail: whose it is stands in its recipients and its words."""
    deliver(sink, ANN.title(), "test-1")
    deliver(sink, "boss@shop.example", "test-2", f"Dear {ANN}")
    deliver(sink, "boss@shop.example", "test-3", f"Dear {BOB}")
    deliver(sink, BOB, "send-bob", f"Your friend {ANN} has ordered")
    files = DiskFiles(tmp_path / "mail", tmp_path)
    assert await files.sweep(ANNS, remove=True) == {"e-mails kept": 2, "log lines": 0}
    assert [each["send_id"] for each in read_mails(tmp_path / "mail")] == ["test-3", "send-bob"]


async def test_where_nothing_was_written_nothing_is_swept(tmp_path: Path) -> None:
    files = DiskFiles(None, tmp_path)
    assert await files.sweep(ANNS, remove=True) == {"e-mails kept": 0, "log lines": 0}
