"""`mdma up --demo` as a user runs it: people live in the shop, leads buy, it can be stopped and goes on."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import urllib.request
from email import message_from_bytes, policy

import psutil
import pytest

from tests.cluster.test_up import Running, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SALE_SECONDS = 400.0
"""Measured: 16 s with all cores busy. How soon it must come is asked by tests/acceptance/demo.py."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("demo"), "--demo")
    running.start()
    yield running
    running.out.close()
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(60)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(running.data) in " ".join(process.cmdline()):
                process.kill()
    shutil.rmtree(running.temporary, ignore_errors=True)


def status(demo: Running) -> dict:
    done = demo.mdma("status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {}


def lives(process: psutil.Process) -> bool:
    """Say whether a process runs; one that only waits to be taken note of by init does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_says_where_the_shop_is_and_the_shop_is_there(demo):
    assert "shop " in demo.said()
    with urllib.request.urlopen(demo.run["local_url"] + "/", timeout=30) as answer:
        assert b"Plain Things" in answer.read()


def test_a_lead_buys_and_it_says_so(demo):
    eventually(lambda: "first sale after" in demo.said(), SALE_SECONDS)
    facts = status(demo)
    assert facts["orders"] >= 1
    assert facts["sales"]["revenue"] > 0
    told = "rows of the routine taken, first sale after"
    eventually(lambda: told in demo.mdma("status").stdout)  # it hears of it with the next pulse
    assert demo.run["demo"] is True


def test_its_e_mails_lead_into_the_shop(demo):
    mail = eventually(lambda: sorted((demo.data / "mail").glob("*.eml")))[0]
    message = message_from_bytes(mail.read_bytes(), policy=policy.default)
    html = message.get_body(("html",)).get_content()
    assert f'href="{demo.run["url"]}/c/' in html
    assert "Plain Things" in str(message["From"])


def test_it_stops_whole_and_goes_on_with_new_people(demo):
    numbers = {"people", "acts_total", "rows_taken", "rows_of"}
    eventually(lambda: numbers <= status(demo).get("parts", {}).get("demo-1", {}).keys())
    before = status(demo)["runs"]
    processes = demo.processes()
    assert demo.stop(signal.SIGINT) == 0, demo.said()
    eventually(lambda: not [each for each in processes if lives(each)])
    demo.start()
    eventually(lambda: sum(status(demo)["runs"].values()) > sum(before.values()), SALE_SECONDS)


def test_the_data_of_a_system_are_no_demo_s(tmp_path):
    real = Running(tmp_path)
    real.start()
    assert real.stop(signal.SIGINT) == 0
    real.flags = ("--demo",)
    real.launch()
    assert real.process.wait(120) == 2
    real.out.close()
    assert "not a demo's" in real.said()
    shutil.rmtree(real.temporary, ignore_errors=True)
