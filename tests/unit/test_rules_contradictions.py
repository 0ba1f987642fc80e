"""Hold which conditions are refused because nobody can ever meet them, where that is said, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from agents.rules.condition_models import Condition
from agents.rules.contradictions import contradiction
from agents.rules.models import Cohort, Score
from agents.rules.satisfying import Around
from config.load import DEFAULTS, RulesInvalid, compile_files, read_folder, validate_files
from messaging.vocabulary.errors import RuleError

PATH = "lead-to-customer"
COHORTS = {
    "buyers": Cohort(when=Condition(lifecycle="customer")),
    "readers": Cohort(
        when=Condition.model_validate(
            {"any": [{"event": {"name": "Form Sent"}}, {"event": {"name": "page", "at_least": 9}}]}
        )
    ),
}
SCORES = {"interest": Score(points={"page": 1.0}, cap=100.0)}
AROUND = Around(COHORTS, SCORES)


def found(*parts: dict[str, Any]) -> Any:
    rule = parts[0] if len(parts) == 1 else {"all": list(parts)}
    return contradiction(Condition.model_validate(rule), (), AROUND)


def event(name: str = "View", **more: Any) -> dict[str, Any]:
    return {"event": {"name": name} | more}


def never(name: str = "View", **more: Any) -> dict[str, Any]:
    return {"not_event": {"name": name} | more}


def trait(**asked: Any) -> dict[str, Any]:
    return {"trait": {"name": "age"} | asked}


def no(part: dict[str, Any]) -> dict[str, Any]:
    return {"not": part}


NOBODY = {
    "one value": [{"lifecycle": "lead"}, {"lifecycle": "customer"}],
    "no value is left": [no({"lifecycle": each}) for each in ("unknown", "lead", "customer")],
    "yes and no": [{"may_email": True}, {"may_email": False}],
    "asked for and ruled out": [{"cohort": "readers"}, no({"cohort": "readers"})],
    "a trait of two values": [trait(equals=30), trait(equals="31")],
    "lists without a common value": [trait(**{"in": ["a", "b"]}), trait(**{"in": ["c"]})],
    "a value and its absence": [trait(equals=30), trait(exists=False)],
    "there and not there": [trait(exists=True), no(trait(exists=True))],
    "a value that is ruled out": [trait(equals="30"), no(trait(**{"in": [30, 40]}))],
    "numbers apart": [trait(at_least=30), trait(at_most=29)],
    "a value outside a range": [trait(equals="18"), trait(at_least=21)],
    "a text where a number is asked": [trait(equals="many"), trait(at_least=1)],
    "ranges that leave nothing": [
        trait(at_least=1, at_most=9),
        no(trait(at_least=0, at_most=5)),
        no(trait(at_least=5, at_most=20)),
    ],
    "two beginnings": [trait(starts_with="ab"), trait(starts_with="ac")],
    "two ends": [trait(ends_with="x"), trait(ends_with="y")],
    "begins with what it does not hold": [trait(starts_with="Rio"), no(trait(contains="io"))],
    "a value of another beginning": [trait(equals="rio"), trait(starts_with="ber")],
    "two cities": [{"city": "Rio"}, {"city": "Berlin"}],
    "two countries": [{"country": "BR"}, {"country": "Germany"}],
    "a country by two names": [{"country": "BR"}, no({"country": "Brazil"})],
    "two devices": [{"device": "phone"}, {"device": "desktop"}],
    "two languages": [{"locale": "pt"}, {"locale": "de"}],
    "a language and not": [{"locale": "pt-BR"}, no({"locale": "pt"})],
    "two campaigns": [{"campaign": {"source": "a"}}, {"campaign": {"source": "b", "name": "c"}}],
    "two presences": [{"social": {"presence": "found"}}, {"social": {"presence": "none"}}],
    "an event and never": [event(), never()],
    "lately and never": [event(within_days=3), never()],
    "often lately, seldom in all": [
        event(at_least=5, within_days=3),
        no(event(at_least=3, within_days=30)),
    ],
    "more and fewer": [event(at_least=5), event(at_least=1, at_most=4)],
    "with a property and not at all": [
        event(properties={"size": 5}, within_days=3),
        never(within_days=30),
    ],
    "with more properties and not with fewer": [
        event(properties={"size": 5, "color": "red"}),
        never(properties={"size": {"at_least": 4}}),
    ],
    "three of one product and never": [event(at_least=3, same="sku"), never()],
    "a sequence of what never was": [{"sequence": {"steps": ["View", "Buy"]}}, never()],
    "a sequence within days without its end": [
        {"sequence": {"steps": ["View", "Buy"], "within_days": 3}},
        never("Buy", within_days=8),
    ],
    "a sequence of a page that never was": [
        {"sequence": {"steps": [{"page": {"contains": "spec"}}, "Buy"]}},
        never("page"),
    ],
    "left undone what was never begun": [
        {"unfinished": {"start": "View", "finish": "Buy", "after_hours": 1}},
        never(),
    ],
    "opened, by two names": [{"responded": {"kind": "opened"}}, never("mail_opened")],
    "answered lately and never": [
        {"responded": {"kind": "clicked", "to": "notice_bar", "within_days": 1}},
        no({"responded": {"kind": "clicked", "to": "notice_bar"}}),
    ],
    "the date of what never was": [{"date": {"last": "View", "in_last_days": 3}}, never()],
    "before and after": [
        {"date": {"trait": "due", "before": "2026-03-01"}},
        {"date": {"trait": "due", "after": "2026-03-01"}},
    ],
    "today within two spans": [
        {"date": {"of": "now", "between": ["2026-01-01", "2026-01-31"]}},
        {"date": {"of": "now", "after": "2026-02-01"}},
    ],
    "both ahead and behind": [
        {"date": {"trait": "due", "in_next_hours": 5}},
        {"date": {"trait": "due", "in_last_days": 0}},
        {"date": {"trait": "due", "in_last_hours": 5}},
    ],
    "longer ago than the days allow": [
        {"date": {"of": "first_seen", "in_last_days": 7}},
        {"date": {"of": "first_seen", "before": "2026-03-01"}},
        {"date": {"of": "now", "after": "2026-04-01"}},
    ],
    "nearer and farther to its return": [
        {"date": {"trait": "born", "anniversary_in_days": 7}},
        no({"date": {"trait": "born", "anniversary_in_days": 30}}),
    ],
    "a date of a trait that is not there": [
        {"date": {"trait": "age", "in_last_days": 9}},
        trait(exists=False),
    ],
    "hours apart": [
        {"clock": {"hours": {"from": 9, "to": 12}}},
        {"clock": {"hours": {"from": 22, "to": 9}}},
    ],
    "weekdays apart": [{"clock": {"weekdays": ["mon"]}}, {"clock": {"weekdays": ["sat", "sun"]}}],
    "a weekday that does not come": [
        {"clock": {"weekdays": ["sun"]}},
        {"date": {"of": "now", "between": ["2026-11-27", "2026-11-28"]}},
    ],
    "scores apart": [
        {"score": {"name": "interest", "from": 20}},
        {"score": {"name": "interest", "to": 20}},
    ],
    "above the cap": [{"score": {"name": "interest", "from": 101}}],
    "shares apart": [{"share": {"salt": "a", "to": 0.5}}, {"share": {"salt": "a", "from": 0.5}}],
    "probabilities apart": [
        {"probability": {"of": "customer", "from": 0.5}},
        {"probability": {"of": "customer", "to": 0.2}},
    ],
    "how likely a customer becomes one": [
        {"probability": {"of": "customer", "from": 0.5}},
        {"lifecycle": "customer"},
    ],
    "orders apart": [{"orders": {"at_least": 3}}, {"orders": {"at_most": 2}}],
    "worth more and less": [{"orders": {"value_at_least": 9}}, {"orders": {"value_at_most": 8.9}}],
    "a customer without an order": [{"lifecycle": "customer"}, {"orders": {"at_most": 0}}],
    "an unknown address": [{"lifecycle": "unknown"}, {"known": "email"}],
    "written to without an address": [{"may_email": True}, no({"known": "email"})],
    "a lead of whom nothing is known": [
        {"lifecycle": "lead"},
        no({"known": "email"}),
        no({"known": "user_id"}),
    ],
    "the last order of who never bought": [
        {"date": {"of": "last_order", "in_last_days": 9}},
        {"lifecycle": "lead"},
    ],
    "the first and a later visit": [
        {"session": {"number_at_most": 1}},
        {"session": {"number_at_least": 2}},
    ],
    "not so deep and deeper": [
        {"session": {"depth_at_least": 4}},
        no({"session": {"depth_at_least": 3}}),
    ],
    "more such pages than pages": [
        {"session": {"pages_contain": ["a"], "pages_at_least": 3}},
        no({"session": {"depth_at_least": 3}}),
    ],
    "a page and not its part": [
        {"page": {"starts_with": "/spec", "within_days": 2}},
        no({"page": {"contains": "spec"}}),
    ],
    "looked at so long and never": [
        {"page": {"contains": "spec", "seconds_at_least": 30}},
        never("Page Left"),
    ],
    "a cart and none": [{"cart": {"items_at_least": 2}}, {"in_cart": False}],
    "a cart that nothing was put into": [{"in_cart": True}, never("Product Added")],
    "few and many in the cart": [
        {"cart": {"value_at_least": 50}},
        {"cart": {"value_at_most": 40}},
    ],
    "through a cohort": [{"cohort": "buyers"}, {"lifecycle": "lead"}],
    "through each branch of a cohort": [{"cohort": "readers"}, never("Form Sent"), never("page")],
    "through each branch": [
        {"any": [{"country": "DE"}, {"country": "FR"}]},
        no({"country": "Germany"}),
        no({"country": "FR"}),
    ],
    "under not": [no({"any": [{"known": "email"}, no({"known": "email"})]})],
}


@pytest.mark.parametrize("parts", NOBODY.values(), ids=NOBODY.keys())
def test_what_nobody_can_meet_is_refused_in_any_order(parts: list[dict[str, Any]]) -> None:
    assert found(*parts)
    assert found(*reversed(parts))
    assert found({"any": [{"in_cart": True}, {"all": parts}]}), "a branch that nobody can take"


SOMEBODY = {
    "two traits": [trait(equals=30), {"trait": {"name": "vip", "equals": 31}}],
    "a value in both lists": [trait(**{"in": ["a", 5]}), trait(**{"in": ["5", "c"]})],
    "not that value, or none": [no(trait(equals=30)), trait(exists=False)],
    "one number lies between": [trait(at_least=3), trait(at_most=3)],
    "between what is ruled out": [
        trait(at_least=1, at_most=9),
        no(trait(at_least=0, at_most=5)),
        no(trait(at_least=5.5, at_most=20)),
    ],
    "one beginning within the other": [trait(starts_with="ab"), trait(starts_with="ABC")],
    "begins and ends": [trait(starts_with="ab"), trait(ends_with="xy"), no(trait(contains="abx"))],
    "an expression": [trait(equals="rio"), trait(matches="^R")],
    "two parts of one language": [{"locale": "pt"}, no({"locale": "pt-BR"})],
    "once, and not lately": [event(), never(within_days=30)],
    "often in all, seldom lately": [event(at_least=9), no(event(at_least=2, within_days=3))],
    "with one property and not the other": [
        event(properties={"size": 5}),
        never(properties={"size": 6}),
    ],
    "at all, and not with the property": [event(), never(properties={"size": 5})],
    "many, but of no product three": [event(at_least=9), no(event(at_least=3, same="sku"))],
    "a sequence, and not lately": [
        {"sequence": {"steps": ["View", "Buy"], "within_days": 9}},
        never("View", within_days=3),
    ],
    "an event of another name": [event(), never("Buy")],
    "opened by machines alone": [
        {"responded": {"kind": "opened", "by": "machine"}},
        never("mail_opened"),
    ],
    "of no known date": [
        no({"date": {"trait": "due", "before": "2026-03-01"}}),
        no({"date": {"trait": "due", "after": "2026-02-01"}}),
    ],
    "first long ago, last lately": [
        {"date": {"first": "View", "before": "2026-01-01"}},
        {"date": {"last": "View", "in_last_days": 3}},
    ],
    "over midnight": [
        {"clock": {"hours": {"from": 22, "to": 2}}},
        {"clock": {"hours": {"from": 1, "to": 3}}},
    ],
    "bands that touch": [
        {"score": {"name": "interest", "from": 20}},
        {"score": {"name": "interest", "to": 20.1}},
    ],
    "at the cap": [{"score": {"name": "interest", "from": 100}}],
    "another salt": [{"share": {"salt": "a", "to": 0.5}}, {"share": {"salt": "b", "from": 0.5}}],
    "no lead, or nothing was learned": [
        no({"probability": {"of": "customer", "from": 0.5}}),
        no({"probability": {"of": "customer", "to": 0.6}}),
    ],
    "a customer by another's hand": [{"lifecycle": "customer"}, no({"known": "email"})],
    "given back": [{"lifecycle": "customer"}, {"orders": {"value_at_most": 0}}],
    "a purchase that was no event": [{"orders": {"at_least": 1}}, never("Order Completed")],
    "out of the session": [
        {"session": {"number_at_least": 2}},
        no({"session": {"depth_at_least": 1}}),
    ],
    "a page that was seen, and no more": [
        {"page": {"contains": "spec"}},
        no({"page": {"contains": "spec", "within_days": 3}}),
    ],
    "of one branch": [
        {"cohort": "readers"},
        never("Form Sent"),
    ],
    "for everybody, under not": [no({"all": [{"lifecycle": "lead"}, {"lifecycle": "customer"}]})],
    "said twice under not": [
        {"known": "email"},
        no({"all": [{"known": "email"}, {"in_cart": True}]}),
    ],
    "a cohort that does not exist": [{"cohort": "strangers"}],
    "a score that does not exist": [{"score": {"name": "heat", "from": 3}}],
}


@pytest.mark.parametrize("parts", SOMEBODY.values(), ids=SOMEBODY.keys())
def test_what_somebody_can_meet_is_not(parts: list[dict[str, Any]]) -> None:
    assert found(*parts) is None


def test_it_is_told_where_it_is_completed_and_by_which_words() -> None:
    at, problem = found(
        {"in_cart": True}, {"any": [{"all": [trait(equals=30), trait(at_least=31)]}]}
    )
    assert at == ("all", 1, "any", 0, "all", 1)
    assert problem == (
        "`trait: {name: age, equals: 30}` and `trait: {name: age, at_least: 31}` cannot hold at once"
    )


def test_a_cohort_that_asks_for_it_is_named() -> None:
    at, problem = found({"lifecycle": "lead"}, {"cohort": "buyers"})
    assert at == ("all", 1)
    assert "`lifecycle: customer` (of the cohort buyers) cannot hold at once" in problem


def seen(**asked: Any) -> dict[str, Any]:
    return {"date": {"of": "last_seen"} | asked}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0), (1, 2, 0)])
def test_only_what_contradicts_is_named_and_not_what_stands_beside_it(
    order: tuple[int, ...],
) -> None:
    """A span is ruled out in three ways, and what stands beside it closes some of them: that is no contradiction."""
    parts = [seen(in_last_days=3), seen(before="2100-01-01"), no(seen(in_last_days=7))]
    at, problem = found(*[parts[each] for each in order])
    told = {
        0: "`date: {of: last_seen, in_last_days: 3}`",
        2: "not `date: {of: last_seen, in_last_days: 7}`",
    }
    first, second = [told[each] for each in order if each in told]
    assert problem == f"{first} and {second} cannot hold at once"
    last = max(order.index(0), order.index(2))
    assert at[:2] == ("all", last), "it is told where it is completed"


def test_what_contradicts_only_all_together_is_named_together() -> None:
    parts = [
        {"in_cart": True},
        trait(at_least=1, at_most=9),
        no(trait(at_least=0, at_most=5)),
        no(trait(at_least=5, at_most=20)),
    ]
    _, problem = found(*parts)
    assert problem == (
        "`trait: {name: age, at_least: 1, at_most: 9}`, not `trait: {name: age, at_least: 0, at_most: 5}` and "
        "not `trait: {name: age, at_least: 5, at_most: 20}` cannot hold at once"
    )


def test_branches_that_fail_each_for_its_own_reason_are_all_told() -> None:
    branches = {"any": [{"city": "Rio"}, {"lifecycle": "lead"}]}
    _, problem = found({"city": "Berlin"}, {"lifecycle": "customer"}, branches)
    assert problem == (
        "`city: {equals: Berlin}` and `city: {equals: Rio}` cannot hold at once; and "
        "`lifecycle: customer` and `lifecycle: lead` cannot hold at once"
    )


def test_a_branch_is_held_against_what_must_hold_around_it() -> None:
    at, _ = found({"any": [{"in_cart": True}, {"cohort": "buyers"}]}, {"orders": {"at_most": 0}})
    assert at == ("all", 0, "any", 1)


def test_branches_of_a_cohort_that_is_named_are_its_own_affair() -> None:
    assert found({"cohort": "readers"}, never("Form Sent")) is None


def test_what_is_too_long_to_decide_is_not_refused_and_takes_no_time() -> None:
    """Of 25 pairs each first is ruled out by the next one's second: 2^25 ways, were all of them tried."""
    pairs = [{"any": [event(f"a{n}", at_least=2), event(f"b{n}", at_least=2)]} for n in range(25)]
    clash = {"any": [{"all": [event("z"), never("z")]}, {"all": [event("y"), never("y")]}]}
    assert found(*pairs, clash) is None or found(clash)


# -------------------------------------------------------------------------------------- files


def errors_of(file: str, old: str, new: str) -> list[RuleError]:
    files = read_folder(DEFAULTS)
    assert old in files[file]
    return validate_files(files | {file: files[file].replace(old, new, 1)})


def test_an_offer_to_nobody_is_refused_with_its_line() -> None:
    file = "interactions/notice-returning.yaml"
    (error,) = errors_of(file, "unless: in-cart", "unless: returning")
    assert "nobody is offered notice-returning" in error.problem
    lines = read_folder(DEFAULTS)[file].splitlines()
    assert (error.file, error.line) == (file, lines.index("  unless: in-cart") + 1)


def test_a_template_for_nobody_is_refused() -> None:
    files = read_folder(DEFAULTS)
    name = next(name for name in files if name.startswith("templates/invite-"))
    own = name.removeprefix("templates/").removesuffix(".yaml")
    path = f"paths/{PATH}.yaml"
    files[name] = "cohort: customers\n" + files[name]
    files[path] = files[path].replace(
        "templates:", f"templates:\n        - {{id: {own}, cohort: looks-around}}", 1
    )
    problems = [error.problem for error in validate_files(files)]
    assert any(f"nobody gets {own} here" in problem for problem in problems), problems


def test_a_band_and_a_cohort_above_the_cap_are_refused() -> None:
    problems = [error.problem for error in errors_of("scores.yaml", "cap: 100", "cap: 0.5")]
    assert any("nobody reaches the band" in problem for problem in problems), problems
    assert any("nobody can meet this of eager" in problem for problem in problems), problems


def test_a_version_that_was_taken_before_is_not_refused_by_what_is_found_now() -> None:
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += (
        "\n  nobody:\n    when: {all: [{known: email}, {lifecycle: unknown}]}\n"
    )
    with pytest.raises(RulesInvalid, match="nobody can meet this of nobody"):
        compile_files(files, 1)
    html = dict.fromkeys(compile_files(read_folder(DEFAULTS), 1).templates, "<p>kept</p>")
    assert "nobody" in compile_files(files, 1, html).cohorts
