"""Hold how split tests are written, checked and shown: file:line of each mistake, facts, and plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from agents.runtime.readers import StoreReader
from config.load import DEFAULTS, compile_files, read_folder, validate_files
from learning.evaluation.experiment import HOLDOUT, Count, Experiment, begin, learn, snapshot_of
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.records import SplitTest
from scripts import cli_experiments
from scripts.cli_status import totals
from scripts.experiments import lines, verdict_words
from tests.experiment_builders import a_test

PATH = "paths/lead-to-customer.yaml"
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
AFTER = "      different: [subject, hour]\n"
TEST = """\
      split_test:
        name: subject
        variants: {invite-hello: 60, invite-question: 20}
        visitors_min: 200
"""


def files_with(**changes: str) -> dict[str, str]:
    """Return the shipped files with a split test at the first stage; `changes` replace texts of it."""
    text = TEST
    for old, new in changes.items():
        text = text.replace(old, new)
    files = read_folder(DEFAULTS)
    assert AFTER in files[PATH]
    files[PATH] = files[PATH].replace(AFTER, AFTER + text, 1)
    return files


def the_test(files: dict[str, str]) -> SplitTest:
    """Return the split test of the first stage."""
    found = compile_files(files, 1).paths["lead-to-customer"].stages[0].email.split_test
    assert found is not None
    return found


def test_a_split_test_is_read_with_its_shares_and_defaults() -> None:
    found = the_test(files_with())
    assert found.variants == [("invite-hello", 0.75), ("invite-question", 0.25)]
    assert (found.visitors_min, found.visitors_max, found.then) == (200, 20_000, "winner")
    assert found.salt == "lead-to-customer/invited/subject"
    assert found.known_after_hours == 72 + 24
    assert found.policy.startswith("split_test/lead-to-customer/invited/subject/")
    stages = compile_files(files_with(), 1).paths["lead-to-customer"].stages
    assert [stage.email.split_test for stage in stages[1:]] == [None] * 4


def test_other_shares_variants_or_salt_firsta_new_test_and_other_ends_do_not() -> None:
    one = the_test(files_with()).policy
    assert the_test(files_with(**{"min: 200": "min: 300"})).policy == one
    for old, new in (
        ("20}", "30}"),
        ("-question", "-short"),
        ("name: s", "salt: x\n        name: s"),
    ):
        assert the_test(files_with(**{old: new})).policy != one


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("invite-question:", "thank-you:", "thank-you: 20", "is not among the step's templates"),
        (
            "invite-question:",
            "invite-introduce:",
            "variants:",
            "is not for the same cohort as invite-hello",
        ),
        (", invite-question: 20", "", "variants:", "one variant tests nothing"),
        (": 20}", ": 0}", "variants:", "greater than 0"),
        ("min: 200", "min: 30000", "visitors_min", "visitors_max (20000) is below visitors_min"),
        ("min: 200", "min: 5", "visitors_min", "greater than or equal to 20"),
        ("visitors_min: 200", "then: nothing", "then:", "'winner' or 'bandit'"),
        ("min: 200", "least: 200", "visitors_least", "not a known key"),
        ("name: subject", "name: A B", "name: A B", "not allowed"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, place: str, problem: str) -> None:
    files = files_with(**{old: new})
    (error, *_) = validate_files(files)
    text = files[PATH].splitlines()
    assert error.file == PATH
    assert problem in str(error)
    first = next(n for n, line in enumerate(text) if "split_test:" in line)
    line = next(n for n, line in enumerate(text[first:], first + 1) if place in line)
    assert error.line == line


def test_a_second_split_test_at_a_step_is_refused_with_where_to_write_it() -> None:
    two = """\
      split_test:
        - {name: subject, variants: {invite-hello: 60, invite-question: 20}}
        - {name: work, variants: {invite-work: 50, invite-introduce: 50}}
"""
    files = files_with(**{TEST: two})
    (error, *more) = validate_files(files)
    assert more == []
    assert "a step has one split test, found 2" in str(error)
    assert "a step of its own" in str(error)
    text = files[PATH].splitlines()
    first = next(n for n, line in enumerate(text, 1) if "split_test:" in line)
    assert error.line in (first, first + 1)


def test_variants_for_two_cohorts_are_told_how_each_is_tested() -> None:
    files = files_with(**{"invite-question:": "invite-introduce:"})
    assert "test the templates of another cohort in a step of its own" in str(
        validate_files(files)[0]
    )


def test_templates_of_one_cohort_may_be_tested_against_each_other() -> None:
    files = files_with(**{"invite-hello:": "invite-introduce:", "invite-question:": "invite-work:"})
    assert "is not for the same cohort as invite-introduce" in str(validate_files(files)[0])
    for file in (PATH, "templates/invite-work.yaml"):
        files[file] = files[file].replace("cohort: at-work", "cohort: presence-unknown")
    assert validate_files(files) == []
    variants = [name for name, _ in the_test(files).variants]
    assert variants == ["invite-introduce", "invite-work"]


def test_two_tests_of_a_path_with_one_salt_are_refused() -> None:
    files = files_with(**{"name: s": "salt: x\n        name: s"})
    other = TEST.replace("name: s", "salt: x\n        name: s")
    other = other.replace("invite-hello", "reason-choice").replace(
        "invite-question", "reason-start"
    )
    files[PATH] = files[PATH].replace(
        "      different: [subject]\n", "      different: [subject]\n" + other, 1
    )
    (error,) = validate_files(files)
    assert "two split tests have the salt x" in str(error)
    assert "salt: x" in files[PATH].splitlines()[error.line - 1]


# ------------------------------------------------------------------------------ what is shown


async def a_reader(experiment: Experiment | None = None, files: Any = None) -> StoreReader:
    """Return a reader of a store with these published files, and what was published of a test."""
    store = MemoryStore(MemoryDatabase())
    if files is not None:
        await store.put_document("rules_versions", "3", {"files": files})
        await store.put_document("control", "published", {"version": 3, "number": 1})
    if experiment is not None:
        snapshot = snapshot_of(experiment, 5, 10)
        row = msgspec.to_builtins(snapshot) | {"at": AT}
        await store.put_document("snapshots", f"{snapshot.policy}@5", row)
    return StoreReader(store)


async def test_nothing_published_is_no_test() -> None:
    assert await (await a_reader()).experiments() == []


async def test_a_published_test_of_whom_nobody_is_known_is_shown_running() -> None:
    (found,) = await (await a_reader(files=files_with())).experiments()
    assert (found["name"], found["stage"], found["verdict"]) == ("subject", "invited", "running")
    assert (found["published"], found["as_of"], found["winner"]) == (True, None, None)
    assert [each["share"] for each in found["variants"]] == [0.75, 0.25]
    assert {each["visitors"] for each in found["variants"]} == {0}
    assert "before 200 visitors of each variant are known, 0 are" in verdict_words(found)


async def test_what_was_learned_is_shown_and_the_winner_said() -> None:
    experiment = begin(the_test(files_with()))
    counts = {"invite-hello": Count(900, 90), "invite-question": Count(300, 90)}
    learn(experiment, {**counts, HOLDOUT: Count(60, 6)})
    (found,) = await (await a_reader(experiment, files_with())).experiments()
    assert (found["verdict"], found["winner"], found["as_of"]) == ("winner", "invite-question", AT)
    hello, question = found["variants"]
    assert (hello["visitors"], hello["conversions"], hello["rate"]) == (900, 90, 0.1)
    assert hello["high"] < question["low"] < question["rate"] < question["high"]
    assert found["holdout"]["visitors"] == 60
    said = list(lines(found))
    assert said[0] == "subject: stage invited of lead-to-customer (as of 2026-03-02 12:00 UTC)"
    assert said[1] == '  "invite-question" wins, 30 % against 10 % at most: everybody gets it'
    assert "90 of 900 answered: 10 % (between" in said[2]
    assert "6 of 60 answered" in said[4]


async def test_the_status_counts_the_verdicts_and_says_where_to_look_at_an_alarm() -> None:
    experiment = begin(a_test(a=0.5, b=0.5))
    learn(experiment, {"a": Count(700, 50), "b": Count(300, 50)})
    stats = await (await a_reader(experiment, files_with())).stats()
    assert stats["experiments"] == {"running": 1, "alarm": 1}
    said = dict(totals(stats))
    assert said["tests"] == "1 running, 1 alarm (see `mdma experiments`)"
    assert "tests" not in dict(totals(await (await a_reader()).stats()))


async def test_a_test_that_is_not_published_any_more_is_said_to_be_so() -> None:
    experiment = begin(a_test(a=0.5, b=0.5))
    learn(experiment, {"a": Count(700, 50), "b": Count(300, 50)})
    (found,) = await (await a_reader(experiment)).experiments()
    assert not found["published"]
    assert "not in the published rules" in next(iter(lines(found)))


@pytest.mark.parametrize(
    ("hello", "question", "said"),
    [
        (Count(500, 50), Count(500, 62), 'running: "invite-question" is ahead, with '),
        (Count(500, 50), Count(500, 50), "running: none is ahead"),
    ],
)
async def test_a_published_test_without_a_verdict_says_who_is_ahead(
    hello: Count, question: Count, said: str
) -> None:
    files = files_with(**{"hello: 60": "hello: 20"})
    experiment = begin(the_test(files))
    learn(experiment, {"invite-hello": hello, "invite-question": question})
    (found,) = await (await a_reader(experiment, files)).experiments()
    assert said in verdict_words(found)


@pytest.mark.parametrize(
    ("publications", "said"),
    [
        ([2, 3, 2], "ended without a verdict: its version 3 was rolled back to version 2"),
        ([2, 3, 4], "ended without a verdict: its version 3 was replaced by version 4"),
        ([3, 4, 2], "ended without a verdict: its version 3 was rolled back to version 2"),
        ([2, 4], "ended without a verdict: the published rules do not have it"),
        ([4, 3], "running: no winner is named before 200"),
    ],
)
async def test_a_test_whose_version_is_not_published_any_more_has_ended(
    publications: list[int], said: str
) -> None:
    store = MemoryStore(MemoryDatabase())
    for version in (2, 3, 4):
        files = files_with() if version == 3 else read_folder(DEFAULTS)
        await store.put_document("rules_versions", str(version), {"files": files})
    for number, version in enumerate(publications, 1):
        kept = {"version": version, "number": number}
        is_last = number == len(publications)
        place = ("control", "published") if is_last else ("publications", str(number))
        await store.put_document(*place, kept)
    snapshot = snapshot_of(begin(the_test(files_with())), 5, 10)
    row = msgspec.to_builtins(snapshot) | {"at": AT}
    await store.put_document("snapshots", f"{snapshot.policy}@5", row)
    reader = StoreReader(store)
    (found,) = await reader.experiments()
    assert verdict_words(found).startswith(said)
    is_ended = found["verdict"] == "ended"
    assert is_ended != found["published"]
    assert "not in the published" not in next(iter(lines(found)))
    stats = await reader.stats()
    assert stats["experiments"] == {found["verdict"]: 1}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            {"a": Count(500, 50), "b": Count(500, 62)},
            "ended without a verdict: the published rules",
        ),
        ({"a": Count(700, 50), "b": Count(300, 50)}, "visitors do not come by the shares"),
        ({"a": Count(900, 90), "b": Count(900, 91)}, "no difference was found in 900 visitors"),
    ],
)
async def test_each_verdict_has_its_words(counts: dict[str, Count], said: str) -> None:
    experiment = begin(a_test(a=0.5, b=0.5, visitors_max=900))
    learn(experiment, counts)
    (found,) = await (await a_reader(experiment)).experiments()
    assert said in verdict_words(found)


def test_the_command_prints_the_tests_or_says_how_to_write_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Empty:
        def __init__(self, data: object) -> None:
            del data

        def get(self, path: str, limit: int, after: str = "") -> dict[str, object]:
            assert (path, limit) == ("/api/v1/experiments", 1_000)
            return {"experiments": [], "after": None if after else "more"}

    monkeypatch.setattr(cli_experiments, "Api", Empty)
    done = CliRunner().invoke(cli_experiments.experiments, [])
    assert (done.exit_code, "no split test" in done.output) == (0, True)
    done = CliRunner().invoke(cli_experiments.experiments, ["--json"])
    assert done.output.split() == ["{", '"experiments":', "[]", "}"]
