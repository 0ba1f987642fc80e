"""The console's pages over a lived-in world: what they show, what they refuse, and whose words never run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import msgspec
import pytest

from agents.runtime.held import Codec, groups_of
from agents.runtime.registry import WIRING
from learning.evaluation.experiment import Count, begin, learn, snapshot_of
from learning.training.probabilities import train
from messaging.gateway.moments import in_words
from messaging.ports import BatchRecord, Commit, StateWrite
from messaging.store.audit_log import Change, note
from messaging.store.memory import MemoryDatabase, MemoryStore
from tests.alert_builders import rows_of_a_test_alert
from tests.console_builders import (
    a_browser,
    a_console,
    a_lived_world,
    fill,
    form_key,
    lived_in,
    log_in,
)
from tests.experiment_builders import a_test
from tests.gateway_builders import ADMIN
from tests.page_builders import EVIL
from tests.unit.test_probabilities import examples


async def _get(session, path: str, status: int = 200) -> str:
    async with session.get(f"/console/{path}") as answer:
        html = await answer.text()
        assert answer.status == status, html
        return html


async def test_pages_of_an_empty_system_say_that_there_is_nothing_yet() -> None:
    async with a_console() as (session, _):
        await log_in(session)
        assert "Nobody is on a path yet" in await _get(session, "")
        assert "Nobody waits" in await _get(session, "alerts")
        assert "Nobody came yet" in await _get(session, "visitors")
        assert "Nothing is published yet" in await _get(session, "rules")
        assert "Nothing is learned yet" in await _get(session, "learning")
        assert "No e-mail was sent yet" in await _get(session, "deliverability")
        assert "No split test is published" in await _get(session, "experiments")
        assert "no path is published" in (await _get(session, "routines", 404)).lower()
        await _get(session, "system")


async def test_the_overview_counts_what_was_done_and_by_whom() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "")
        assert "As of Thu 26 Mar 2026, 06:00 UTC" in html
        assert await store.count("decisions", {}) > 100
        for task in ("Segment", "Choose what", "Choose when", "Follow up", "Hand over"):
            assert f"{task}<small>" in html
        assert "points</b>" in html, "both arms have runs: there is a difference"


async def test_every_alert_is_found_by_going_through_the_pages() -> None:
    store, now = await lived_in()
    open_alerts = await store.count("alerts", {"status": "open"})
    assert open_alerts > 10
    seen: set[str] = set()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        path = "alerts"
        while path:
            html = await _get(session, path)
            seen |= {part.split('"')[0] for part in html.split('id="a-')[1:]}
            _, _, rest = html.partition('" rel="next"')
            before = html.partition('" rel="next"')[0]
            path = unescape(before.rpartition('href="/console/')[2]) if rest else ""
    assert len(seen) == open_alerts


async def test_an_alert_about_a_split_test_says_what_was_seen_and_can_only_be_closed() -> None:
    store, now = await lived_in()
    row = rows_of_a_test_alert("split_test/lead-to-customer/invited/words/0", now)[0]
    await store.put_document("alerts", row.id, row.fields)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "")
        assert 'experiments?verdict=alarm">Split test words of lead-to-customer</a>' in html
        html = await _get(session, "alerts")
        card = html.partition(f'id="a-{row.id}"')[2].partition('<li class="card"')[0]
        for words in (
            '<a href="/console/experiments?verdict=alarm">Split test words</a>',
            "Visitors do not come by the shares.",
            "Look for a variant that cannot be sent",
            "path lead-to-customer, stage invited",
            "What was expected and seen (2)",
            "a: 401 visitors, 300.5 expected by its share of 50\u00a0%",
            "/close",
        ):
            assert words in card, words
        assert "/resume" not in card
        assert "/change" not in card
        form = {"form_key": await form_key(session)}
        for action, status in (("resume", 409), ("close", 303), ("close", 409)):
            path = f"/console/alerts/{row.id}/{action}"
            async with session.post(path, data=form, allow_redirects=False) as answer:
                assert answer.status == status, await answer.text()
        closed = {**row.fields, "status": "closed", "by": "kim", "settled_at": now}
        await store.put_document("alerts", row.id, closed)
        html = await _get(session, "alerts?status=closed")
        card = html.partition(f'id="a-{row.id}"')[2].partition('<li class="card"')[0]
        assert "Visitors do not come by the shares: closed by kim" in card
        assert "Look for a variant" not in card


async def test_an_alert_is_settled_once_and_who_comes_second_is_told() -> None:
    store, now = await lived_in()
    [alert] = await store.rows("alerts", {"status": "open"}, limit=1)
    async with a_console(store, now) as (session, _), a_browser(session) as other:
        await log_in(session)
        await log_in(other, "admin", "the-token")
        for who, status in ((session, 303), (other, 409)):
            form = {"form_key": await form_key(who), "stage": "opened"}
            path = f"/console/alerts/{alert['id']}/change"
            async with who.post(path, data=form, allow_redirects=False) as answer:
                assert answer.status == status, await answer.text()
        [row] = await store.rows("audit_log", {"act": "alert.changed"})
        assert (row["by"], row["of"], row["visitor"]) == ("kim", alert["id"], alert["visitor"])
        html = await _get(session, "changes")
        assert "alert changed" in html
        assert f"visitors/{alert['visitor']}" in html
        assert '<a href="/console/deliverability">' in html, "the navigation of every page"


async def test_from_every_count_of_people_at_a_stage_one_gets_to_who_they_are() -> None:
    store, now = await lived_in()
    standing = "visitors?path=lead-to-customer&stage=invited"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for page in ("", "routines/lead-to-customer?stage=invited"):
            html = unescape(await _get(session, page))
            [said] = re.findall(rf'href="/console/{re.escape(standing)}">([^<]*)</a>', html)[:1]
            going, calls = (int(each) for each in re.findall(r"\d+", said)[:2])
        html = await _get(session, standing)
        assert f"{going + calls} runs stand at invited" in html
        assert html.count("/console/visitors/") >= min(50, going + calls)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("alerts/none/close", 404),
        ("alerts/none/dance", 404),
        ("alerts/%00/close", 404),
        (f"alerts/{'x' * 600}/close", 404),
    ],
)
async def test_an_alert_that_is_none_cannot_be_settled(path: str, status: int) -> None:
    async with a_console() as (session, _):
        await log_in(session)
        form = {"form_key": await form_key(session)}
        async with session.post(f"/console/{path}", data=form) as answer:
            assert answer.status == status
            assert answer.content_type == "text/html"


async def test_a_visitor_is_found_by_any_id_and_the_address_stands_in_no_url() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        key = await form_key(session)
        found = set()
        for q in ("person-21@example.com", " PERSON-21@example.com ", "person-21", "browser-21"):
            form = {"form_key": key, "q": q}
            async with session.post(
                "/console/visitors/find", data=form, allow_redirects=False
            ) as answer:
                assert answer.status == 303
                found.add(answer.headers["Location"])
        [where] = found
        assert "person" not in where
        html = await _get(session, where.removeprefix("/console/"))
        assert "person-21@example.com" in html
        assert "entered path lead-to-customer" in html
        html = await _get(session, where.removeprefix("/console/") + "?by=Email")
        assert "entered path lead-to-customer" not in html
        for q in ("", "nobody", "a\0b", "x" * 600):
            form = {"form_key": key, "q": q}
            async with session.post("/console/visitors/find", data=form) as answer:
                assert "Nobody is known by this" in await answer.text()


async def test_visitors_of_a_cohort_are_all_found_page_by_page() -> None:
    store, now = await lived_in()
    expected = int((await store.figures("behavior"))["cohorts/addressable-lead"])
    assert expected > 50
    async with a_console(store, now) as (session, _):
        await log_in(session)
        first = await _get(session, "visitors?cohort=addressable-lead")
        assert 'rel="next"' in first
        after = unescape(first.partition('" rel="next"')[0].rpartition("after=")[2])
        second = await _get(session, f"visitors?cohort=addressable-lead&after={after}")
        assert first.count('<th scope="row">') + second.count('<th scope="row">') == expected


@pytest.mark.parametrize(
    "path",
    [
        "alerts?status=lost",
        "alerts?after=yesterday",
        "alerts?after=2026-03-26T06:00:00~x",
        "alerts?after=2026-03-26T06:00:00%2B00:00",
        "alerts?status=%00",
        f"visitors?after={'x' * 600}",
        "visitors?cohort=none-such",
        "changes?after=~",
    ],
)
async def test_an_address_that_no_page_made_is_refused_with_a_page(path: str) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, path, 422)
        assert "Nothing was changed" in html


@pytest.mark.parametrize("id_", ["bob", "%00", "x" * 513, "%ED%A0%80"])
async def test_a_visitor_who_is_none_is_a_404(id_: str) -> None:
    async with a_console() as (session, _):
        await log_in(session)
        assert "nobody is known" in (await _get(session, f"visitors/{id_}", 404)).lower()


async def test_the_routine_counts_every_run_and_the_learner_shows_what_it_believes() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "routines")
        assert "Enter: 80" in html
        assert 'aria-label="Stage invited' in html
        html = await _get(session, "routines/lead-to-customer?stage=cart")
        assert "Stage cart" in html
        assert "cart-waiting" in html
        await _get(session, "routines/no-such", 404)
        html = await _get(session, "learning")
        assert html.partition('class="heat"')[2].partition("</svg>")[0].count("<rect ") == 168
        assert "invite-hello" in html


async def test_what_a_hostile_visitor_wrote_is_shown_and_is_no_markup() -> None:
    """As a trait, as the name of an event, and as who settled an alert."""
    store, now = MemoryStore(MemoryDatabase()), datetime(2026, 3, 26, 6, tzinfo=UTC)
    world = a_lived_world()
    await fill(store, world)
    [alert] = await store.rows("alerts", {}, limit=1)
    fields = {name: value for name, value in alert.items() if name != "id"}
    fields |= {"status": "closed", "by": EVIL, "kind": EVIL, "settled_at": now}
    await store.put_document("alerts", alert["id"], fields)
    await store.put_document(
        "audit_log",
        "x",
        {"at": now, "by": EVIL, "act": EVIL, "of": EVIL, "visitor": "", "said": EVIL},
    )
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for path in ("alerts?status=closed", "changes"):
            html = await _get(session, path)
            assert EVIL not in html
            assert "&lt;img src=x onerror=" in html


async def test_a_person_is_erased_once_the_word_was_typed_and_the_log_does_not_say_who() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "visitors/person-21/erase")
        assert "It cannot be undone" in html
        key = await form_key(session)
        path = "/console/visitors/person-21/erase"
        for word, status in (("", 422), ("yes", 422), (" Erase ", 303)):
            form = {"form_key": key, "word": word}
            async with session.post(path, data=form, allow_redirects=False) as answer:
                assert answer.status == status
                where = answer.headers.get("Location", "")
        [asked] = await store.rows("erasures", {})
        assert asked["status"] == "asked"
        [visitor] = asked["visitors"]
        [row] = await store.rows("audit_log", {"act": "visitor.erased"})
        assert row["by"] == "kim"
        assert visitor not in str(row)
        assert "person" not in str(row)
        where = where.removeprefix("/console/")
        assert "Under way" in await _get(session, where)
        fields = {"completed_at": now, "removed": {"events": 3}, "kept": {"orders": "amounts"}}
        done = {**asked, **fields, "status": "done"}
        await store.put_document("erasures", asked["id"], done)
        html = await _get(session, where)
        assert "3 events" in html
        assert "orders: amounts" in html
        for receipt in ("0" * 16, "x", "%00"):
            await _get(session, f"erasures/{receipt}", 404)
        for who in ("visitors/nobody/erase", "visitors/%00/erase"):
            await _get(session, who, 404)


async def test_a_viewer_is_not_asked_whether_to_erase_somebody() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        html = await _get(session, "visitors/person-21/erase", 403)
        assert "ou are a viewer: ask an editor to erase them" in html
        assert "Erase for good" not in html


async def test_a_split_test_is_shown_with_its_intervals_p_and_the_alarm_about_its_shares() -> None:
    """Three tests: one that is decided, one whose visitors do not come by the shares, one of nobody yet."""
    store, now = await lived_in()
    counts = {
        "decided": {"a": Count(3_000, 600), "b": Count(3_000, 300)},
        "crooked": {"a": Count(3_000, 300), "b": Count(1_000, 100)},
    }
    for name, bundle in counts.items():
        test = a_test(policy=f"split_test/lead-to-customer/invited/{name}/0", a=0.5, b=0.5)
        experiment = begin(test)
        learn(experiment, bundle)
        fields = msgspec.to_builtins(snapshot_of(experiment, 1, 7))
        await store.put_document("snapshots", f"{test.policy}@1", {**fields, "at": now})
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "experiments")
        decided = html.partition(">decided <")[2].partition("</section>")[0]
        assert 'works">winner' in decided
        assert "&lt; 0.001" in decided
        assert "20.0 %, between" in decided
        crooked = html.partition(">crooked <")[2].partition("</section>")[0]
        assert "Sample ratio mismatch" in crooked
        assert "75.0 % of 50.0 %" in crooked
        async with session.get("/api/v1/experiments", headers=ADMIN) as answer:
            found = {each["name"]: each for each in (await answer.json())["experiments"]}
        assert found["decided"]["variants"][0]["p"] < 0.05 < found["decided"]["shares_p"]
        assert found["crooked"]["shares_p"] < found["crooked"]["shares_p_alarm"]


async def test_deliverability_counts_the_ledger_and_pages_through_who_left() -> None:
    store, now = await lived_in()
    for number in range(60):
        at = now - timedelta(minutes=number)
        await store.suppress(f"{number:064x}", "unsubscribed", at)
    rows = await store.rows("sends", {}, limit=10_000)
    taken = [row for row in rows if row.get("day")]
    assert len(taken) > 50
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "deliverability")
        assert f"<td>{len(taken):,}</td>" in html
        assert "example.com" in html
        assert "60: the visitor unsubscribed" in html
        assert html.count("<code>") == 50
        more = unescape(html.partition('" rel="next"')[0].rpartition('href="/console/')[2])
        assert (await _get(session, more)).count("<code>") == 10
        await _get(session, "deliverability?after=x", 422)
        async with session.get("/api/v1/suppressions?limit=40", headers=ADMIN) as answer:
            first = await answer.json()
        query = {"limit": "40", "after": first["after"]}
        async with session.get("/api/v1/suppressions", params=query, headers=ADMIN) as answer:
            second = await answer.json()
        ids = [each["id"] for each in (*first["suppressions"], *second["suppressions"])]
        assert len(set(ids)) == 60
        assert second["after"] is None
        for after in ("x", "2026-03-26T06:00:00~x", "2026-03-26T06:00:00+00:00"):
            query = {"after": after}
            async with session.get("/api/v1/suppressions", params=query, headers=ADMIN) as answer:
                assert answer.status == 422
        async with session.get("/api/v1/deliverability", headers=ADMIN) as answer:
            told = (await answer.json())["deliverability"]
        assert told["whole"]["sent"] == sum(day["sent"] for day in told["days"]) == len(taken)


async def test_a_template_that_fails_for_some_readers_is_told_wherever_a_marketer_looks() -> None:
    store, now = await lived_in()
    [sent] = await store.rows("sends", {"template": "invite-hello"}, limit=1)
    row = {name: value for name, value in sent.items() if name not in ("id", "day")}
    row |= {"status": "refused", "reason": "template: divided_by: can't divide by 0"}
    for number in range(136):
        await store.put_document(
            "sends", f"r{number}", {**row, "at": now - timedelta(hours=number)}
        )
    visitor = row["visitor"]
    page = "/console/templates/invite-hello"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = unescape(await _get(session, "deliverability"))
        assert "136 e-mails of template “invite-hello” could not be composed" in html
        assert f'href="{page}?visitor={visitor}"' in html
        assert "divided_by: can't divide by 0" in html
        assert "Nothing:" not in html
        async with session.get("/api/v1/deliverability", headers=ADMIN) as answer:
            told = (await answer.json())["deliverability"]
        assert told["refused_count"] == await store.count("sends", {"status": "refused"})
        [line] = [each for each in told["refused"] if each["fails"]]
        assert (line["template"], line["number"], line["visitor"]) == ("invite-hello", 136, visitor)
        assert told["advice"][0]["template"] == "invite-hello"
        assert told["whole"]["sent"] == sum(day["sent"] for day in told["days"])
        html = unescape(await _get(session, "templates/invite-hello"))
        assert "136 e-mails" in html
        assert f'href="/console/visitors/{visitor}"' in html
        async with session.get("/api/v1/templates/invite-hello", headers=ADMIN) as answer:
            told = (await answer.json())["template"]["refused"]
        assert [(each["number"], each["fails"]) for each in told if each["fails"]] == [(136, True)]
        assert "136 e-mails could not be composed" in await _get(session, "templates")
        assert "No e-mail of it" in await _get(session, "templates/thank-you")
        html = unescape(await _get(session, ""))
        assert f'<a href="{page}">136 e-mails of template “invite-hello”' in html
        async with session.get("/api/v1/overview", headers=ADMIN) as answer:
            [(template, _)] = (await answer.json())["overview"]["failing"]
        assert template == "invite-hello"


async def test_a_probability_is_shown_with_its_calibration_and_learning_with_its_lift() -> None:
    store, now = await lived_in()
    trained = train("probability/customer", 1, examples(3_000, level=-1.0))
    assert trained is not None
    assert sum(rows for rows, _, _ in trained.report.calibration) > 100
    fields = msgspec.to_builtins(trained.snapshot)
    await store.put_document("snapshots", "probability/customer@1", {**fields, "at": now})
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "learning")
        assert html.count("<circle") >= 10
        assert "of 1 (AUC)" in html
        assert "No model yet" in html, "of the other one"
        assert "points</b>" in html
        async with session.get("/api/v1/learning", headers=ADMIN) as answer:
            models = (await answer.json())["learning"]["models"]
        assert [len(each["curve"]) for each in models] == [0, 10]


async def test_a_policy_that_is_held_is_shown_with_since_when_and_why_and_counted() -> None:
    store, now = await lived_in()
    arrays = {
        "held": [now.timestamp(), 2.0],
        "gate": [-0.031, -0.052, -0.01, 0.123, 800.0, 1_024.0],
        "successes": [10.0],
        "exposures": [100.0],
    }
    row = {
        "policy": "next_best/lead-to-customer/invited",
        "version": 1_000_000,
        "at": now,
        "arms": ["hello"],
        "learned_to": {},
        "arrays": arrays,
    }
    await store.put_document("snapshots", "held@1", row)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, "learning")
        words = "−3.1 points (−5.2 to −1.0) beside the 12.3 % that are answered now"
        assert words in html
        assert "nothing is to be done" in html
        async with session.get("/api/v1/learning", headers=ADMIN) as answer:
            guarded = (await answer.json())["learning"]["guarded"]
        held = {each["policy"]: each["held"] for each in guarded}
        assert held.pop(row["policy"])["low"] == -0.052
        assert set(held.values()) == {None}
        async with session.get("/metrics") as answer:
            assert 'mdma_policies{of="held"} 1.0' in await answer.text()


async def test_a_visitor_s_story_tells_which_cohorts_they_entered_and_left_and_by_what() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        async with session.get("/api/v1/visitors/person-21/timeline", headers=ADMIN) as answer:
            lines = (await answer.json())["timeline"]
        moves = [line for line in lines if line["kind"] == "cohorts.moved"]
        assert any("addressable-lead" in line["entered"] for line in moves)
        assert all(line["by"] and line["bot"] == "behavior" for line in moves)
        await log_in(session)
        html = await _get(session, "visitors/person-21?by=Behavior")
        for line in moves:
            assert unescape(line["says"]) in unescape(html)


async def test_what_bounds_let_go_of_a_visitor_is_said_there_and_of_all_on_the_system_page() -> (
    None
):
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "no visitor did more than is kept of one" in await _get(session, "system")
        [visitor] = await store.visitors("behavior", "", 1)
        assert "let go" not in await _get(session, f"visitors/{visitor}")
    codec = Codec(WIRING["behavior"].make())
    held = codec.decode((await store.load("behavior", [visitor]))[visitor])
    held.state.marks_dropped, held.state.over_bound = 1_234, 7
    owner = await store.acquire("behavior-0")
    record = BatchRecord(now, "", 1, {}, [], [], [], b"", [], [])
    state = StateWrite(visitor, codec.encode(held), held.due(), groups_of(codec.figures(held)))
    commit = Commit(
        "behavior-0",
        "behavior",
        owner.epoch,
        owner.batch + 1,
        {},
        {},
        record,
        [state],
        [],
        [],
        [],
        [],
    )
    commit.figures = codec.figures(held)
    await store.commit(commit)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, f"visitors/{visitor}")
        assert "1,234 older events, or hours of them: of what rules look at one by one" in html
        assert "7 events beyond 1,000 in one minute" in html
        html = await _get(session, "system")
        assert "1,234 older events of 1 visitor, or hours of them:" in html
        assert "7 events of 1 visitor beyond" in html
        async with session.get("/api/v1/stats", headers=ADMIN) as answer:
            told = (await answer.json())["bounds"]
        assert told["let_go"] == {"visitors": 1, "events": 1_234}
        assert told["over_minute"] == {"visitors": 1, "events": 7}


async def test_e_mails_that_wait_for_the_mail_server_are_told_wherever_somebody_looks() -> None:
    store, now = await lived_in()
    for page in ("system", "deliverability", ""):
        async with a_console(store, now) as (session, _):
            await log_in(session)
            assert "for the mail server since" not in await _get(session, page)
    row = {"visitor": "v1", "at": now, "status": "deferred", "template": "invite-hello"}
    reason = "CONNECT: gaierror: nobody has the host's name"
    await store.put_document("sends", "late", {**row, "reason": reason, "tried_since": now})
    said = f"1 e-mail waits for the mail server since {in_words(now)}; newest reason: {reason}"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for page in ("system", "deliverability", ""):
            assert said in unescape(await _get(session, page)), page
        for path in ("system", "deliverability", "overview"):
            async with session.get(f"/api/v1/{path}", headers=ADMIN) as answer:
                assert (await answer.json())[path]["mail_waits"] == said
        for path in ("notices", "notices?status=waiting", "stats"):
            async with session.get(f"/api/v1/{path}", headers=ADMIN) as answer:
                assert (await answer.json())["mail_waits"] == said


async def test_an_address_may_break_behind_its_at_and_long_words_of_changes_wrap() -> None:
    store, now = await lived_in()
    change = Change(by="kim", act="list.added", of="newsletter", said="412 by paste")
    await note(store, change, now)
    await store.put_document("control", "pause", {"paths": ["a", "b"], "before": []})
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "@<wbr>example.com</a>" in await _get(session, "visitors")
        html = await _get(session, "changes")
        assert '<strong class="paused" title="a, b">Paused: a, b<' in html
        row = html.partition("412 by paste")[2].partition("</tr>")[0]
        assert '<td class="long" data-name="of">newsletter</td><td data-name="when">' in row
