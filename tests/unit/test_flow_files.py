"""Read flows from files: what is refused with its line, what a flow is compiled to, and the example that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.rules.flow import is_hidden
from agents.runtime.stages_kept import stages_of
from config.load import DEFAULTS, compile_files, read_folder, validate_files
from config.schemas import schema_of
from messaging.vocabulary.errors import RuleError
from tests.flow_builders import HEAD, MAIL, files_of
from tests.rules_builders import PATH

EXAMPLE = Path("config/examples/welcome_flow.yaml")
FIRST = HEAD.count("\n") + 2
"""Line of the first step."""


def errors_of(steps: str) -> list[RuleError]:
    """Return what is wrong with a flow."""
    return validate_files(files_of(steps))


THEN_C = "then: [{name: c, tag: x}]"
NESTED = f"""\
- name: a
  if: {{country: DE}}
  then:
    - name: b
      if: {{country: FR}}
      {THEN_C}"""
ELSEWHERE = f"""\
- name: a
  if: {{country: DE}}
  then: [{{name: b, tag: x}}]
  else:
    - name: up
      alert: {{title: Look}}
    - name: d
      if: {{not: {{country: Germany}}}}
      {THEN_C}
      else: [{{name: f, tag: x}}]"""
ALWAYS = """\
- name: a
  wait_until:
    when: {any: [{in_cart: true}, {in_cart: false}]}
    at_most_hours: 2
  else: [{name: b, tag: x}]"""
ANSWERED = f"""\
- {{name: m, email: {MAIL}}}
- name: a
  if: {{answered: clicked}}
  then:
    - name: b
      if: {{answered: opened}}
      {THEN_C}
      else: [{{name: d, tag: x}}]"""
"""Four flows of whose questions one is answered by the one before it, or by itself."""

REFUSED = [
    (
        "- {name: a, wait: {hours: 1}}\n- {name: b, goto: a}",
        1,
        "the loop of b has no budget",
        "times",
    ),
    (
        "- {name: a, wait: {hours: 1}}\n- {name: b, goto: a, times: 2}\n- {name: c, goto: b}",
        2,
        "the loop of c has no budget",
        "times",
    ),
    (
        "- {name: a, end: true}\n- {name: b, wait: {hours: 1}}",
        1,
        "the step b cannot be reached",
        "delete it",
    ),
    (
        (
            "- name: a\n  if: {in_cart: true}\n  then: [{name: b, end: true}]\n  else: [{name: c, end: true}]\n"
            "- {name: d, wait: {hours: 1}}"
        ),
        4,
        "the step d cannot be reached",
        "delete it",
    ),
    (
        # A `goto` that leads forward is passed once: its times are never used up.
        (
            "- {name: z, wait: {hours: 1}}\n- {name: a, goto: c, times: 2}\n- {name: b, wait: {hours: 1}}\n"
            "- {name: c, wait: {hours: 1}}"
        ),
        2,
        "the step b cannot be reached",
        "delete it",
    ),
    (
        "- {name: a, wait: {hours: 1}}\n- {name: b, goto: nowhere, times: 1}",
        1,
        "the step nowhere does not exist",
        "there are: a, b",
    ),
    (
        "- {name: a, wait: {hours: 1}}\n- {name: a, wait: {hours: 1}}",
        1,
        "two steps are called a",
        "rename one",
    ),
    (
        "- name: a\n  if:\n    all:\n      - {country: DE}\n      - {country: FR}\n  then: [{name: b, tag: x}]",
        4,
        "nobody can meet this of a",
        "take one",
    ),
    (NESTED, 4, "nobody can meet this of b", "take one"),
    (ELSEWHERE, 9, "the steps under else of d cannot be reached", "everybody who comes here"),
    (ALWAYS, 4, "the steps under else of a cannot be reached", "everybody who comes here"),
    (ANSWERED, 7, "the steps under else of b cannot be reached", "everybody who comes here"),
    (
        f"- name: a\n  if: {{answered: opened}}\n  then: [{{name: b, tag: x}}]\n- {{name: m, email: {MAIL}}}",
        0,
        "no e-mail of the path was sent before it",
        "ask after an e-mail step",
    ),
    (
        "- name: a\n  if: {cohort: strangers}\n  then: [{name: b, tag: x}]",
        1,
        "the cohort strangers does not exist",
        "addressable-lead",
    ),
    (
        "- name: a\n  wait_until: {when: {score: {name: heat, from: 1}}, at_most_hours: 2}",
        1,
        "the score heat does not exist",
        "none",
    ),
    (
        "- name: a\n  email:\n    templates: [missing]",
        2,
        "the template missing does not exist",
        "hello",
    ),
    ("- {name: a, offer: missing}", 0, "the interaction missing does not exist", "notice"),
    ("- {name: a, set_trait: {email: x}}", 0, "the trait email cannot be set", "visitor alone"),
    ("- {name: a, set_trait: {lists.vip: true}}", 0, "the trait lists.vip cannot", "mdma list add"),
    ("- {name: a, wait: {hours: 1, days: 1}}", 0, "wait for one thing", ""),
    ("- {name: a, wait: {until: {}}}", 0, "until needs hour, weekday, or both", ""),
    ("- {name: a, wait: {hours: 1}, end: true}", 0, "a step does one thing", ""),
    ("- {name: a}", 0, "a step does one thing", ""),
    ("- {name: a, tag: x, times: 2}", 0, "times belongs to goto", ""),
    ("- {name: a, tag: x, then: [{name: b, tag: y}]}", 0, "then belongs to if", ""),
    (
        "- {name: a, tag: x, else: [{name: b, tag: y}]}",
        0,
        "else belongs to if, wait_until and webhook",
        "",
    ),
    ("- {name: a, if: {in_cart: true}}", 0, "if needs then, else, or both", ""),
    ("- {name: a, split: {ways: [{name: w}]}}", 0, "split.ways", ""),
    (
        "- {name: a, split: {ways: [{name: w}, {name: w}]}}",
        0,
        "two ways are called w",
        "rename one",
    ),
    ("- {name: a, wait_untill: {}}", 0, "wait_untill is not a known key", "wait_until"),
    ("- {name: a, email: {templates: [hello], default_hours: [22]}}", 0, "quiet hours", "21 to 8"),
]


@pytest.mark.parametrize(("steps", "line", "problem", "hint"), REFUSED)
def test_a_wrong_flow_is_refused_with_file_line_and_hint(
    steps: str, line: int, problem: str, hint: str
) -> None:
    found = errors_of(steps)
    assert [e for e in found if problem in e.problem and hint in e.hint], found
    error = next(e for e in found if problem in e.problem)
    assert (error.file, error.line) == (f"paths/{PATH}.yaml", FIRST + line)


@pytest.mark.parametrize(
    "steps",
    [
        "- {name: up, wait: {hours: 1}}",  # time passes
        "- {name: up, set_trait: {age: 3}}",  # what was asked is another now
        "- {name: up, split: {ways: [{name: l}, {name: r}]}}",  # a way leads on to what waited
    ],
)
def test_what_an_if_asked_holds_no_longer_once_something_happened(steps: str) -> None:
    below = "\n".join(f"    {line}" for line in steps.splitlines())
    asked = "{name: b, if: {in_cart: false}, then: [{name: c, tag: x}]}"
    found = errors_of(f"- name: a\n  if: {{in_cart: true}}\n  then:\n{below}\n    - {asked}")
    assert found == [], found


def test_a_step_that_a_goto_leads_to_is_asked_by_itself() -> None:
    steps = (
        "- name: a\n  if: {in_cart: true}\n  then:\n"
        "    - {name: b, if: {in_cart: false}, then: [{name: c, tag: x}]}\n"
        "- {name: w, wait: {days: 1}}\n- {name: up, goto: b, times: 2}"
    )
    assert errors_of(steps) == []


def test_a_path_is_a_loop_or_a_flow_and_not_both() -> None:
    files = files_of("- {name: a, tag: x}")
    none = files[f"paths/{PATH}.yaml"].partition("steps:")[0]
    both = read_folder(DEFAULTS)["paths/lead-to-customer.yaml"] + "\nsteps: [{name: a, tag: x}]\n"
    for text in (none, both):
        found = validate_files({**files, f"paths/{PATH}.yaml": text})
        assert any("a path has stages (a loop) or steps (a flow)" in e.problem for e in found)


def test_a_circle_is_bounded_by_an_email_on_it_or_by_times() -> None:
    mail = f"- {{name: hello, email: {MAIL}}}"
    assert errors_of(f"{mail}\n- {{name: up, goto: hello}}") == []
    assert errors_of("- {name: a, wait: {hours: 1}}\n- {name: up, goto: a, times: 3}") == []


def test_a_goto_that_the_flow_comes_back_to_is_used_up_wherever_it_leads() -> None:
    wait = "wait: {hours: 1}"
    forward = (
        f"- {{name: z, {wait}}}\n- {{name: a, goto: c, times: 2}}\n- {{name: b, end: true}}\n"
        f"- {{name: c, {wait}}}\n- {{name: up, goto: z, times: 5}}"
    )
    assert errors_of(forward) == []
    # The way back to the first lies behind the second: once that is used up, the first can be as well.
    behind = (
        f"- {{name: a, goto: c, times: 1}}\n- {{name: b, end: true}}\n- {{name: c, {wait}}}\n"
        "- {name: d, goto: c, times: 1}\n- {name: e, goto: a, times: 1}"
    )
    assert errors_of(behind) == []


def test_a_flow_of_too_many_steps_is_refused() -> None:
    branch = ", ".join(f"{{name: s{n}, tag: x}}" for n in range(20))
    steps = "\n".join(
        f"- {{name: q{n}, if: {{in_cart: true}}, then: [{branch.replace('name: s', f'name: s{n}-')}]}}"
        for n in range(3)
    )
    assert any("has 63 steps, at most 60" in each.problem for each in errors_of(steps))


def test_branches_join_where_the_step_that_branched_goes_on() -> None:
    steps = """
    - name: q
      if: {in_cart: true}
      then: [{name: yes, tag: y}, {name: again, tag: z}]
    - name: two
      split: {ways: [{name: l, steps: [{name: left, tag: l}]}, {name: r}]}
    - {name: last, tag: end}
    """
    flow = compile_files(files_of(steps), 1).paths[PATH].steps
    ways = {name: (rule.following, rule.other) for name, rule in flow.items()}
    assert ways["q"] == ("yes", "two")
    assert ways["again"] == ("two", "")
    assert [(way.name, way.until, way.step) for way in flow["two"].ways] == [
        ("l", 0.5, "left"),
        ("r", 1.0, "last"),
    ]
    assert (ways["left"], ways["last"]) == (("last", ""), ("", ""))


def test_what_a_flow_asks_is_a_cohort_of_its_own_that_is_hidden() -> None:
    rules = compile_files(
        files_of("- {name: q, if: {in_cart: true}, then: [{name: y, tag: y}]}"), 1
    )
    assert [name for name in rules.cohorts if is_hidden(name)] == [f".{PATH}.q"]
    assert f".{PATH}.q" in {each.name for each in rules.cohorts_touched("track:Product Added")}


@pytest.mark.parametrize(
    "asked",
    [
        "{event: {name: Product Viewed, properties: {color: red}}}",
        "{event: {name: Product Viewed, at_least: 2, within_days: 9}}",
        "{all: [{cohort: in-cart}, {not: {event: {name: Order Completed}}}]}",
    ],
)
def test_a_flow_asks_whatever_a_cohort_may_ask(asked: str) -> None:
    files = files_of(f"- {{name: q, if: {asked}, then: [{{name: y, tag: y}}]}}")
    assert validate_files(files) == []
    assert f".{PATH}.q" in compile_files(files, 1).cohorts


def test_the_example_holds_each_kind_of_step_and_is_valid() -> None:
    files = read_folder(DEFAULTS) | {"paths/welcome.yaml": EXAMPLE.read_text()}
    assert validate_files(files) == []
    kinds = {rule.kind for rule in compile_files(files, 1).paths["welcome"].steps.values()}
    assert kinds == {
        "wait",
        "wait_until",
        "if",
        "split",
        "email",
        "offer",
        "traits",
        "alert",
        "goto",
        "end",
    }


def test_the_schema_of_paths_describes_steps() -> None:
    step = schema_of("paths")["$defs"]["Step"]["properties"]
    assert {"wait", "wait_until", "if", "then", "else", "split", "goto", "end"} <= step.keys()


def test_the_steps_of_a_stored_version_are_read_as_they_are_compiled() -> None:
    files = read_folder(DEFAULTS) | {"paths/welcome.yaml": EXAMPLE.read_text()}
    found = stages_of([{"files": files}])
    paths = compile_files(files, 1).paths
    assert found == {name: path.places for name, path in paths.items()}
