"""Start and stop Ray on this machine, small: a dashboard, a token, no worker that nobody asked for.

Rules
1. Ray's dashboard and job API run code for whoever reaches them (CVE-2023-48022): they listen on loopback
   and ask for a token, which lies in a file that only we can read.
2. The folder of Ray's sessions is short: its sockets' paths must stay under 108 bytes.
3. The settings below trade the age of what the dashboard shows for an idle machine; so do `slack.py` and
   `doorbell.py`. `scripts/bench idle` measures what the whole system uses when nothing happens.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import ray

from agents.cluster.names import NAMESPACE
from agents.cluster.slack import late_timers
from messaging.vocabulary.errors import Unavailable

OBJECT_STORE_BYTES = 150 * 2**20
"""Nothing of ours lies in it for longer than a call."""

STOP_SECONDS_MAX = 10.0
START_TRIES = 3
"""A machine under load takes longer than the 30 s that Ray gives its own parts."""

NODE_ADDRESS = "127.0.0.2"
"""Loopback, and not one of the names that Ray turns into an address other machines can reach."""

# Ray asks for a token by itself (since 2.60); its C++ part has read RAY_AUTH_MODE before we come here.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TQDM": "0",
    # Ray's own is 15: with it a gateway gives way to whatever else runs here. Bots lower themselves.
    "RAY_worker_niceness": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # How often Ray's own processes look around (milliseconds and seconds).
    "RAY_metrics_report_interval_ms": "20000",
    "RAY_enable_worker_prestart": "0",
    "RAY_enable_ray_event": "0",
    "RAY_event_stats": "0",
    "RAY_core_worker_internal_heartbeat_ms": "5000",
    # Every call of an actor is a task to Ray; nobody reads their events, and each process keeps a client for them.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_raylet_death_check_interval_milliseconds": "5000",
    "RAY_kill_idle_workers_interval_ms": "10000",
    "RAY_object_manager_rpc_threads_num": "1",
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    "RAY_gcs_pull_resource_loads_period_milliseconds": "10000",
    "RAY_raylet_liveness_self_check_interval_ms": "30000",
    "RAY_raylet_check_gc_period_milliseconds": "10000",
    "RAY_report_worker_backlog_interval_ms": "10000",
    "RAY_object_manager_timer_freq_ms": "1000",
    "RAY_local_fs_monitor_interval_ms": "10000",
    "RAY_io_context_event_loop_lag_collection_interval_ms": "0",
    # The kernel's own limit and the database's cache bound memory here; Ray would kill actors by guess.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_num_server_call_thread": "1",
    "RAY_core_worker_num_server_call_thread": "1",
    "RAY_DASHBOARD_AGENT_CHECK_PARENT_INTERVAL_S": "5",
    "REPORTER_UPDATE_INTERVAL_MS": "30000",
    "SCAN_EVENT_DIR_INTERVAL_SECONDS": "60",
    "METRICS_RECORD_INTERVAL_S": "30",
    "GCS_CHECK_ALIVE_INTERVAL_SECONDS": "15",
    "NODE_STATS_UPDATE_INTERVAL_SECONDS": "30",
    "AUTOSCALER_UPDATE_INTERVAL_S": "60",
}

NO_CRASH_HANDLER = "RAY_DISABLE_FAILURE_SIGNAL_HANDLER"
"""In the driver Ray's handler would take SIGTERM from us and abort; its own processes and the actors keep it."""

DASHBOARD_PARTS = ("NodeHead", "StateHead", "UsageStatsHead")
"""Nodes and actors with their metrics, and the state API. Each part is a process of its own that is asked every
second whether it is well. Left out: what submits jobs and profiles processes, that is, runs code for a caller."""

_ONE_AT_A_TIME = "--maximum_startup_concurrency=1"
_SOME_AT_A_TIME = f"--maximum_startup_concurrency={os.cpu_count() or 1}"


MUST_LIVE = ("gcs_server", "raylet")
"""Ray starts neither again; the driver's own library aborts a minute after the first has ended."""


@dataclass(frozen=True)
class RayHead:
    """Say where a running Ray is reached."""

    address: str
    dashboard: str
    metrics_port: int
    sessions: Path | None
    """Folder of its sessions, None where Ray is not ours."""
    token_file: Path | None
    parts: dict[str, psutil.Process] = field(default_factory=dict)
    """Its processes without which no actor is started again, by name; none where Ray is not ours."""

    def ended(self) -> str:
        """Return the name of such a process that has ended, empty if all live."""
        for name, process in self.parts.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    continue
            return name
        return ""


def sessions_folder(data: Path) -> Path:
    """Return the short folder that belongs to a data folder."""
    digest = hashlib.blake2b(str(data.resolve()).encode(), digest_size=4).hexdigest()
    return Path(tempfile.gettempdir()) / f"mdma-{os.getuid()}-{digest}"


def start_ray(
    data: Path,
    address: str = "",
    *,
    code_path: str = "",
    given_up: Callable[[], bool] = lambda: False,
) -> RayHead:
    """Start Ray for a data folder, or join the cluster at `address`.

    Parameters:
        data: where the token is kept.
        address: a running cluster; empty: start one here.
        code_path: put on the actors' import path.
        given_up: whether nobody waits for it any more: a try that failed is not made again then.
    """
    if address:
        with _quiet():
            context = ray.init(
                address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="error"
            )
        return RayHead(address, str(context.dashboard_url or ""), 0, None, None)
    token = _token_file(data)
    sessions = sessions_folder(data)
    sessions.mkdir(mode=0o700, exist_ok=True)
    if sessions.stat().st_uid != os.getuid():
        raise PermissionError(f"{sessions} belongs to another user: remove it")
    os.environ.update(_ENVIRONMENT | {"RAY_AUTH_TOKEN_PATH": str(token), NO_CRASH_HANDLER: "1"})
    if code_path:
        os.environ["PYTHONPATH"] = code_path
    context = _start_here(sessions, given_up)
    info = context.address_info
    return RayHead(
        str(info["address"]),
        str(info["webui_url"]),
        int(info["metrics_export_port"]),
        sessions,
        token,
        {name: each for each in _processes_in(sessions) if (name := each.name()) in MUST_LIVE},
    )


def _start_here(sessions: Path, given_up: Callable[[], bool]) -> Any:
    """Start every process of Ray, once more if the first try is too slow. Raise Unavailable."""
    said = ""
    for _ in range(START_TRIES):
        try:
            with _quiet(), _smaller(sessions), late_timers():
                context = ray.init(
                    num_cpus=0,  # no worker waits for tasks: ours are actors that ask for no CPU
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=True,
                    dashboard_host="127.0.0.1",
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level="error",
                    configure_logging=False,
                    _node_ip_address=NODE_ADDRESS,
                    _temp_dir=str(sessions / "r"),  # Ray opens its own folder to everybody
                )
                _stop_what_nobody_needs()
        except Exception as error:  # noqa: BLE001 - Ray raises plain `Exception` after its fixed 30 s
            said = _said(error)
            ray.shutdown()
            clear_sessions(sessions)
            if given_up():  # a signal to the whole group ended Ray's processes half-way
                break
            sessions.mkdir(mode=0o700, exist_ok=True)
        else:
            return context
    shutil.rmtree(sessions, ignore_errors=True)
    raise Unavailable(f"{said}: start again")


def _said(error: Exception) -> str:
    """Return in one line what kept Ray from starting; its own words for a time-out name parts that nobody knows."""
    first = str(error).partition("\n")[0]
    if isinstance(error, TimeoutError) or "timed out" in first:
        return (
            f"Ray did not come up in time, {START_TRIES} times in a row: this machine is too busy"
        )
    return f"Ray does not start ({first})"


def stop_ray(head: RayHead) -> None:
    """Leave Ray; where it is ours every process of it ends, and its sessions are removed."""
    ray.shutdown()
    if head.sessions is not None:
        clear_sessions(head.sessions, STOP_SECONDS_MAX)


def clear_sessions(sessions: Path, seconds: float = 0.0) -> int:
    """End every process of Ray that works in a sessions folder, remove it, return how many were left.

    Parameters:
        sessions: the folder; also one that a killed run has left.
        seconds: how long they may take to end by themselves.
    """
    deadline = time.monotonic() + seconds
    left = _processes_in(sessions)
    while left and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.2)
        left = _processes_in(sessions)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS_MAX)
    shutil.rmtree(sessions, ignore_errors=True)
    return len(left)


def _processes_in(sessions: Path) -> list[psutil.Process]:
    """Return the processes that have a file of the folder open or name it: titles and parents change."""
    found = []
    mark = f"{sessions}/"
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            fds = f"/proc/{process.pid}/fd"
            links = (os.readlink(f"{fds}/{number}") for number in os.listdir(fds))  # noqa: PTH115, PTH208 - links to no path
            if any(mark in part for part in process.cmdline()) or any(
                link.startswith(mark) for link in links
            ):
                found.append(process)
    return found


def _token_file(data: Path) -> Path:
    """Return the file of the token; made once, with mode 0600."""
    file = data / "ray_token"
    if not file.exists():
        draft = data / "ray_token.new"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
        draft.replace(file)
    return file


@contextlib.contextmanager
def _smaller(sessions: Path) -> Iterator[None]:
    """Change how Ray starts its processes; `ray.init` has no arguments for it.

    The dashboard's pages on data sets, Serve, training, Prometheus and exported events are a process of
    90 MB each and show nothing of ours. With no CPUs to give, Ray would start one actor after the other.
    Temporary files lie with the sessions: the dashboard leaves a folder wherever it is told to put them.
    Each process has a session of its own: a signal to our whole group (a service manager's TERM) is for us, who
    stop Ray last. Its processes would end at once, and a start under way waits 60 s for them and aborts.
    """
    services = ray._private.services  # noqa: SLF001
    start, popen = services.start_ray_process, services.ConsolePopen

    def start_smaller(command: list[str], process_type: str, *args: Any, **options: Any) -> Any:
        if process_type == "dashboard":
            command = [*command, f"--modules-to-load={','.join(DASHBOARD_PARTS)}"]
        if process_type == "raylet":
            command = [part.replace(_ONE_AT_A_TIME, _SOME_AT_A_TIME) for part in command]
        own = {"TMPDIR": str(sessions), NO_CRASH_HANDLER: "0"}
        options["env_updates"] = (options.get("env_updates") or {}) | own
        return start(command, process_type, *args, **options)

    services.start_ray_process = start_smaller
    services.ConsolePopen = partial(popen, start_new_session=True)
    # Its advice on every worker that died fills a console; the supervisor says who was restarted.
    ray._private.worker.print_to_stdstream = _unheard  # noqa: SLF001
    try:
        yield
    finally:
        services.start_ray_process, services.ConsolePopen = start, popen


def _unheard(*_: Any, **__: Any) -> None:
    """Drop what Ray prints to the driver's console."""


def _stop_what_nobody_needs() -> None:
    """End the process that copies actors' logs to a driver: ours write their own, and it costs 1 % of a core.

    Also the autoscaler's, which has nothing to scale. `ray.init` has no switch for either.
    """
    node = ray._private.worker._global_node  # noqa: SLF001
    node.kill_log_monitor(check_alive=False)
    node.kill_monitor(check_alive=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's own words out of the console, the warning about tokens among them."""
    log = logging.getLogger("ray")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
