"""`mdma report` as a mail server pipes into it: nobody's reply is returned, and no report is lost while MDMA rests."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.cli import main
from scripts.cli_report import READ_MAX
from scripts.folder import WIRING, write_run

TAKEN = {"taken": 1, "before": 0, "unknown": [], "said": "5.1.1 unknown"}
Mdma = Callable[..., int]


class Api(HTTPServer):
    """Answer each request alike: with a status and a body; status 0 hangs up."""

    status = 200
    body = json.dumps(TAKEN).encode()
    promised: int | None = None
    """A length that is not kept."""


class Answering(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.status:
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.promised or len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    server = Api(("127.0.0.1", 0), Answering)
    write_run(tmp_path, {"local_url": f"http://127.0.0.1:{server.server_port}"})
    (tmp_path / WIRING).write_text(json.dumps({"admin_token": "t", "write_keys": ["k"]}))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mdma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mdma:
    def run(*arguments: str, piped: bytes = b"Subject: x\n\n") -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        given = ["mdma", "report", "--data", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "argv", given)
        return main()

    return run


def refused(api: Api, status: int, detail: str = "no") -> None:
    api.status, api.body = status, json.dumps({"detail": detail}).encode()


@pytest.fixture
def mail(tmp_path: Path) -> str:
    (tmp_path / "bounce.eml").write_bytes(b"Subject: x\n\n")
    return str(tmp_path / "bounce.eml")


def test_a_report_is_taken_from_standard_input_and_from_files(
    api: Api, mdma: Mdma, mail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "taken: 5.1.1 unknown; nobody is written to at that mailbox any more\n"
    assert (mdma(), capsys.readouterr().out) == (0, said)
    assert (mdma("-"), capsys.readouterr().out) == (0, said)
    assert (mdma(mail, mail), capsys.readouterr().out) == (0, said * 2)


def test_who_replies_is_not_told_that_the_address_failed(
    api: Api, mdma: Mdma, mail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(api, 422, "this e-mail is no report")
    assert mdma() == 0
    said = "no report: nothing follows from it (this e-mail is no report)\n"
    assert capsys.readouterr().out == said
    assert mdma("--json") == 0
    assert json.loads(capsys.readouterr().out)["taken"] == 0
    assert mdma(mail) == 1
    assert capsys.readouterr().err == "mdma: this e-mail is no report (422)\n"


def test_a_reply_with_pictures_is_no_report_either(
    mdma: Mdma, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = b"x" * (3 * READ_MAX)
    assert mdma(piped=large) == 0
    assert capsys.readouterr().out.startswith("no report: nothing follows from it")
    assert sys.stdin.buffer.read() == b"", "who pipes it in could write all of it"
    (tmp_path / "large.eml").write_bytes(large)
    assert mdma(str(tmp_path / "large.eml")) == 1


@pytest.mark.parametrize("status", [503, 429, 408, 401, 0])
def test_what_cannot_be_taken_now_is_piped_in_again(
    status: int, api: Api, mdma: Mdma, mail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(api, status)
    for arguments, code in (((), 75), (("-",), 75), ((mail,), 1)):
        assert mdma(*arguments) == code
        assert capsys.readouterr().err.count("\n") == 1


def test_an_answer_that_breaks_off_is_none(api: Api, mdma: Mdma, mail: str) -> None:
    api.promised = 10_000
    assert (mdma(), mdma(mail)) == (75, 1)


def test_while_nothing_runs_it_is_piped_in_again(
    mdma: Mdma, mail: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mdma() == 75
    assert "mdma up" in capsys.readouterr().err
    assert mdma(mail) == 1
    assert mdma("--send", "x", "--kind", "bounced") == 1
    write_run(tmp_path, {"local_url": "http://127.0.0.1:1"})  # it stops: its wiring is gone first
    assert (mdma(), mdma(mail)) == (75, 1)


def test_the_help_says_the_exit_codes(mdma: Mdma, capsys: pytest.CaptureFixture[str]) -> None:
    assert mdma("--help") == 0
    assert "75" in capsys.readouterr().out


def test_where_nothing_is_piped_in_nothing_follows(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(api, 422, "this e-mail is no report")
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "argv", ["mdma", "report", "--data", str(tmp_path)])
    assert main() == 0
