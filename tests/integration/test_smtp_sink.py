"""The embedded sink: what it acknowledged can be read, by any process, and stays bounded."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from messaging.mail.sink import INDEX, Sink, read_mails


def a_mail(number, subject="Hello"):
    mail = EmailMessage()
    mail["From"] = "shop@shop.example"
    mail["To"] = f"u{number}@x.example"
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{number}@shop.example>"
    mail["X-MDMA-Send"] = f"s{number}"
    mail.set_content("Hi\n.dot")
    return mail


def deliver(port, *mails):
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        for mail in mails:
            client.send_message(mail)


@pytest.fixture
def sinks():
    started = []

    def start(folder, **more):
        sink = Sink(**more)
        started.append(sink)
        return sink, sink.start(folder)

    yield start
    for sink in started:
        sink.stop()


def test_who_wants_to_hear_of_mails_hears_of_each_that_lies_there(sinks, tmp_path):
    heard = []
    _, port = sinks(tmp_path, told=lambda path: heard.append((path.name, path.read_bytes())))
    deliver(port, a_mail(1), a_mail(2))
    assert [name for name, _ in heard] == ["0000000001.eml", "0000000002.eml"]
    assert all(b"Message-ID: <" in body for _, body in heard)


def test_an_acknowledged_mail_can_be_read(sinks, tmp_path):
    sink, port = sinks(tmp_path)
    deliver(port, a_mail(1, "Grüße aus Köln, lang genug um gefaltet zu werden, ganz sicher"))
    [mail] = sink.mails()
    assert mail["to"] == ["u1@x.example"]
    assert mail["sender"] == "shop@shop.example"
    assert mail["subject"] == "Grüße aus Köln, lang genug um gefaltet zu werden, ganz sicher"
    assert (mail["message_id"], mail["send_id"]) == ("<1@shop.example>", "s1")
    assert mail["received_at"]
    assert b"\r\n.dot" in Path(mail["path"]).read_bytes()
    assert list(read_mails(tmp_path)) == [mail]


def test_what_cannot_be_kept_now_is_refused_for_now_and_taken_later(sinks, tmp_path):
    """As on a full disk: a 5xx would be a bounce, and the e-mail lost for good."""
    folder, away = tmp_path / "mail", tmp_path / "away"
    folder.mkdir()
    sink, port = sinks(folder)
    folder.rename(away)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        deliver(port, a_mail(1))
    assert refused.value.smtp_code == 452
    away.rename(folder)
    deliver(port, a_mail(1))
    assert [mail["send_id"] for mail in sink.mails()] == ["s1"]


def test_the_oldest_go_when_there_are_too_many(sinks, tmp_path):
    sink, port = sinks(tmp_path, keep=5)
    deliver(port, *(a_mail(number) for number in range(23)))
    assert [m["send_id"] for m in sink.mails()] == ["s18", "s19", "s20", "s21", "s22"]
    assert len(list(tmp_path.glob("*.eml"))) == 5
    assert len((tmp_path / INDEX).read_text().splitlines()) <= 11
    assert sink.received_total == 23


def test_a_restart_goes_on_where_it_stopped(sinks, tmp_path):
    sink, port = sinks(tmp_path)
    deliver(port, a_mail(1), a_mail(2))
    sink.stop()
    sink, port = sinks(tmp_path)
    deliver(port, a_mail(3))
    assert [(m["number"], m["send_id"]) for m in sink.mails()] == [(1, "s1"), (2, "s2"), (3, "s3")]


def test_a_kill_between_file_and_line_loses_nothing_that_was_acknowledged(sinks, tmp_path):
    sink, port = sinks(tmp_path)
    deliver(port, a_mail(1), a_mail(2))
    sink.stop()
    lines = (tmp_path / INDEX).read_text().splitlines(keepends=True)
    (tmp_path / INDEX).write_text(lines[0] + lines[1][:20])
    sink, port = sinks(tmp_path)
    assert [(m["send_id"], m["to"]) for m in sink.mails()] == [
        ("s1", ["u1@x.example"]),
        ("s2", ["u2@x.example"]),
    ]


def test_a_refused_recipient_gets_the_answer_and_no_file(sinks, tmp_path):
    sink, port = sinks(
        tmp_path, answer=lambda to: "550 5.1.1 no such mailbox" if "u7" in to else None
    )
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(port, a_mail(7))
    deliver(port, a_mail(8))
    assert [m["send_id"] for m in sink.mails()] == ["s8"]


def test_a_port_that_is_taken_is_told_and_leaves_no_thread(sinks, tmp_path):
    _, port = sinks(tmp_path / "a")
    second = Sink()
    with pytest.raises(OSError, match="address already in use"):
        second.start(tmp_path / "b", port=port)
    assert second._thread is None


def test_a_folder_without_mails_is_an_empty_inbox(tmp_path):
    assert list(read_mails(tmp_path / "none")) == []


def test_stopping_twice_is_harmless_and_ends_open_sessions(tmp_path):
    sink = Sink()
    port = sink.start(tmp_path)
    client = smtplib.SMTP("127.0.0.1", port, timeout=10)
    sink.stop()
    sink.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    client.close()
