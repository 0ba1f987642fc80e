"""`mdma up` on real parts: ready, used, hurt, stopped; nothing is left behind and nothing is lost."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from scripts.folder import read_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
START_SECONDS = 240.0
GIVEN_UP_SECONDS = 45.0
"""Ray waits for 60 s when a process that it has just started is gone; measured without that: 8 s, 13 under load."""


class Running:
    """One system in a folder of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.data = folder / "data"
        self.folder = folder
        # Ray's sockets need a short path.
        self.temporary = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
        self.flags = flags

    def launch(self) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MDMA_", "RAY_"))}
        self.environment = clean | {
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "TMPDIR": str(self.temporary),
        }
        self.out = (self.folder / "out.log").open("a+")
        self.process = subprocess.Popen(
            [*MDMA, "up", "--data", "data", "--port", "0", *self.flags],
            cwd=self.folder,
            env=self.environment,
            stdout=self.out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start(self) -> None:
        self.launch()
        try:
            eventually(self.is_ready, START_SECONDS)
        except AssertionError:
            self.out.close()
            raise
        self.run = json.loads((self.data / "run.json").read_text())

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said()
        run = read_run(self.data)
        return run is not None and run["pid"] == self.process.pid

    def said(self) -> str:
        return (self.folder / "out.log").read_text()

    def mdma(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MDMA, *arguments, "--data", str(self.data)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def parts(self) -> dict[str, dict[str, float]]:
        done = self.mdma("status", "--json")
        return json.loads(done.stdout)["parts"] if done.returncode == 0 else {}

    def track(self, user: str, event: str) -> None:
        self.send("track", userId=user, event=event, messageId=f"{user}-{event}")

    def buyer(self, user: str) -> None:
        """Let somebody become known and buy: that concerns every bot."""
        traits = {"email": f"{user}@example.com", "email_consent": True}
        self.send("identify", userId=user, traits=traits)
        order = {"order_id": user, "total": 20.0}
        self.send("track", userId=user, event="Order Completed", properties=order)

    def send(self, kind: str, **call: object) -> None:
        key = (self.data / "write_key").read_text()
        request = urllib.request.Request(
            f"{self.run['local_url']}/v1/{kind}",
            data=json.dumps(call).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def counters(self, user: str) -> dict[str, int]:
        done = self.mdma("visitor", user, "--json")
        return json.loads(done.stdout)["counters"] if done.returncode == 0 else {}

    def processes(self) -> list[psutil.Process]:
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            found = [root, *root.children(recursive=True)]
        return found

    def pid_of(self, name: str) -> int:
        return int(self.parts().get(name, {}).get("pid", 0))

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.out.close()
        return code


MDMA = [sys.executable, "-P", "-m", "scripts.cli"]


def eventually(ask, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("up"))
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
    shutil.rmtree(running.temporary)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_a_signal_to_the_whole_group_cuts_off_ends_soon_and_leaves_nothing(
    tmp_path, number
):
    """A service manager or a closed terminal signals every process of the group, Ray's among them."""
    cut = Running(tmp_path)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup all of this run ignores it
    try:
        cut.launch()
    finally:
        signal.signal(signal.SIGHUP, before)
    ray = eventually(lambda: [p for p in cut.processes() if p.name() == "gcs_server"])
    os.killpg(cut.process.pid, number)
    started = {*ray, *cut.processes()}
    assert cut.process.wait(GIVEN_UP_SECONDS) == 0, cut.said()
    cut.out.close()
    assert not [p for p in started if p.is_running()]
    assert not (cut.data / "run.json").exists()
    assert not list(cut.temporary.iterdir())
    cut.temporary.rmdir()


def test_it_says_where_everything_is(system):
    said = system.said()
    for word in ("gateway", "write key", "admin", "dashboard", "mail", "ready"):
        assert word in said
    assert system.run["pid"] == system.process.pid


def test_status_names_every_bot(system):
    bots = {"behavior-0", "rules-0", "engagement-0", "email-0", "sales-0", "learner-0", "gateway-1"}
    eventually(lambda: set(system.parts()) >= bots)
    for bot in bots - {"gateway-1"}:
        assert {"rate", "lag_seconds", "commit_ms", "restarts"} <= set(system.parts()[bot])


def test_the_metrics_page_has_rate_and_lag_of_each_bot(system):
    with urllib.request.urlopen(system.run["local_url"] + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    assert 'mdma_rate{bot="rules",shard="rules-0"}' in text
    assert 'mdma_lag_seconds{bot="email",shard="email-0"}' in text


def test_rays_dashboard_lists_every_bot_by_name_and_shard(system):
    token = Path(system.run["ray_token_file"]).read_text()
    request = urllib.request.Request(
        system.run["dashboard"] + "/api/v0/actors?detail=1",
        headers={"Authorization": f"Bearer {token}"},
    )

    def alive():
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)["data"]["result"]["result"]
        return {row["name"]: row["repr_name"] for row in found if row["state"] == "ALIVE"}

    bots = {"behavior-0", "rules-0", "engagement-0", "email-0", "sales-0", "learner-0", "gateway-1"}
    eventually(lambda: set(alive()) == bots)
    assert all(name in said for name, said in alive().items())


def numbers(url: str, name: str) -> dict[str, float]:
    """Return a gauge of each shard, from our metrics page or from Ray's."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    line = re.compile(rf'^(?:ray_)?mdma_{name}\{{.*shard="([^"]+)".*\}} (\S+)', re.MULTILINE)
    return {shard: float(value) for shard, value in line.findall(text)}


@pytest.mark.parametrize("whose", ["ours", "ray's"])
def test_rate_and_lag_of_each_bot_move_under_load(system, whose):
    """Ours say it of the last seconds; Ray's own come by the half minute, from each actor."""
    urls = {
        "ours": system.run["local_url"] + "/metrics",
        "ray's": f"http://127.0.0.1:{system.run['ray_metrics_port']}/metrics",
    }
    bots = {"behavior-0", "rules-0", "engagement-0", "email-0", "sales-0", "learner-0"}
    still = {(name, bot) for name in ("rate", "lag_seconds") for bot in bots}
    number = itertools.count()

    def all_have_moved():
        system.buyer(f"{whose[:3]}-{next(number)}")
        for name in ("rate", "lag_seconds"):
            still.difference_update(
                (name, bot) for bot, v in numbers(urls[whose], name).items() if v
            )
        return not still

    eventually(all_have_moved)
    eventually(lambda: set(numbers(urls[whose], "rate").values()) == {0.0})


def test_a_second_copy_is_refused_in_one_line(system):
    done = system.mdma("up")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_an_event_reaches_the_visitor(system):
    system.track("ann", "Tried")
    eventually(lambda: system.counters("ann").get("Tried", 0) == 1)


def test_rules_are_pulled_byte_for_byte_and_pushed_once(system, tmp_path):
    assert system.mdma("rules", "pull", str(tmp_path / "rules")).returncode == 0
    shipped = ROOT / "config/defaults/scores.yaml"
    assert (tmp_path / "rules/scores.yaml").read_bytes() == shipped.read_bytes()
    assert "the same files" in system.mdma("rules", "push", str(tmp_path / "rules")).stdout
    (tmp_path / "rules/scores.yaml").write_bytes(shipped.read_bytes() + b"# changed\n")
    done = system.mdma("rules", "push", str(tmp_path / "rules"), "--publish")
    assert "version 2, published" in done.stdout


def test_a_pause_is_kept_and_ends(system):
    assert "all paths" in system.mdma("pause").stdout
    assert "nothing is paused" in system.mdma("resume").stdout


def test_killed_actors_and_mongod_come_back_and_nothing_is_lost(system):
    for name in ("gateway-1", "behavior-0"):
        os.kill(eventually(lambda name=name: system.pid_of(name)), signal.SIGKILL)
        user = f"after-{name}"

        def try_again(user=user):
            with contextlib.suppress(OSError):
                system.track(user, "Tried")
                return True
            return False

        eventually(try_again)
        eventually(lambda user=user: system.counters(user).get("Tried", 0) == 1)
    mongod = next(p for p in system.processes() if p.name() == "mongod")
    mongod.kill()
    system.track("after-mongod", "Tried")
    eventually(lambda: system.counters("after-mongod").get("Tried", 0) == 1)


@pytest.mark.parametrize("part", ["raylet", "gcs_server"])
def test_when_a_process_of_ray_ends_that_nobody_starts_again_the_system_says_so_and_ends(
    system, part
):
    """Else an actor that dies later would stay dead, while all looks well."""
    user = f"lost-{part}"
    system.track(user, "Before")
    eventually(lambda: system.counters(user).get("Before") == 1)
    before = system.processes()
    [process] = [each for each in before if each.name() == part]
    process.kill()
    assert system.process.wait(50) == 1, "Ray's library would abort after a minute"
    system.out.close()
    assert f"Ray's {part} has ended" in system.said()
    eventually(lambda: not [each for each in before if each.is_running()])
    system.start()
    assert system.counters(user) == {"Before": 1}


def test_a_start_after_kill_9_recovers_by_itself(system):
    before = system.processes()
    system.process.kill()
    system.process.wait()
    system.out.close()
    system.start()
    assert system.counters("ann").get("Tried") == 1
    # Whatever the killed run had left is gone: a process either ended or was ended by the start.
    eventually(lambda: not [p for p in before if p.is_running()])


def test_a_start_after_kill_9_of_every_process_recovers_by_itself(system):
    system.track("all", "Tried")  # acknowledged: it is on disk, whether or not a bot has seen it
    killed = system.processes()
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    system.process.wait()
    system.out.close()
    assert not system.parts()
    system.start()
    eventually(lambda: system.counters("all").get("Tried") == 1)
    assert system.counters("ann").get("Tried") == 1
    done = system.mdma("audit")
    assert "no findings" in done.stdout, done.stdout


def test_ctrl_c_leaves_no_process_no_lock_and_no_file_elsewhere(system):
    processes = system.processes()
    system.process.send_signal(signal.SIGINT)
    eventually(lambda: (read_run(system.data) or {}).get("draining"), 30)
    assert system.process.wait(60) == 0
    system.out.close()
    eventually(lambda: not [p for p in processes if p.is_running()], 30)
    assert not (system.data / "run.json").exists()
    assert "mdma up" in system.mdma("status").stderr
    assert not list(system.temporary.iterdir())
    assert {each.name for each in system.folder.iterdir()} == {"data", "out.log"}


def test_other_numbers_of_shards_on_the_same_data_are_refused(system):
    done = system.mdma("up", "--port", "0", "--set", "bots.behavior=2")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "bots.behavior=1" in done.stderr
    assert not list(system.temporary.iterdir())
