"""Ray on a machine that is too busy: what happened is said in one line, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError

from agents.cluster.names import PartSpec
from agents.cluster.placement import place
from agents.cluster.ray_head import START_TRIES, _start_here
from messaging.vocabulary.errors import Unavailable

TIMED_OUT = (
    "The current node timed out during startup. This could happen because some of the raylet failed to startup or "
    "the GCS has become overloaded.\nSee the logs."
)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            Exception(TIMED_OUT),
            r"^Ray did not come up in time, 3 times in a row: .*busy.*: start again$",
        ),
        (TimeoutError("no answer"), r"^Ray did not come up in time, .*: start again$"),
        (ValueError("no /dev/shm\nmore"), r"^Ray does not start \(no /dev/shm\): start again$"),
    ],
)
def test_a_ray_that_does_not_come_up_is_one_line_that_says_to_start_again(
    raised: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def init(**_: Any) -> None:
        tries.append(1)
        raise raised

    monkeypatch.setattr(ray, "init", init)
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    with pytest.raises(Unavailable, match=said) as error:
        _start_here(sessions, lambda: False)
    assert "\n" not in str(error.value)
    assert len(tries) == START_TRIES
    assert not sessions.exists()


def test_a_start_that_was_given_up_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signals the whole process group ends Ray's processes half-way: the first try fails by that."""
    tries: list[int] = []

    def init(**_: Any) -> None:
        tries.append(1)
        raise TimeoutError("no answer")

    monkeypatch.setattr(ray, "init", init)
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    with pytest.raises(Unavailable):
        _start_here(sessions, lambda: bool(tries))
    assert len(tries) == 1
    assert not sessions.exists()


async def test_an_actor_that_ray_cannot_be_asked_for_in_time_is_named_in_one_line() -> None:
    """Ray's own calls run out of time as well, before there is anything that could answer."""

    def make(_: PartSpec) -> Any:
        raise GetTimeoutError("Failed to get the actor: deadline exceeded\n  at gcs_client.cc")

    spec = PartSpec(name="rules-0", factory="", settings="", code="")
    with pytest.raises(Unavailable) as error:
        await place(spec, make)
    said = "the actor rules-0 does not start (GetTimeoutError Failed to get the actor: deadline exceeded): start again"
    assert str(error.value) == said


async def test_an_actor_that_gives_no_sign_in_time_is_said_so_in_words() -> None:
    def make(_: PartSpec) -> Any:
        raise TimeoutError

    spec = PartSpec(name="rules-0", factory="", settings="", code="")
    with pytest.raises(
        Unavailable, match=r"^the actor rules-0 does not start \(no answer in \d+ s\): start again$"
    ):
        await place(spec, make)
