"""Hold what a marketer's folder is read into, and that each mistake is named with file and line."""

# ruff: noqa: E501 - the table of mistakes reads best with one mistake to a line

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.rules.compiled import CONFIRM_TEMPLATE
from config.load import (
    DEFAULTS,
    RulesInvalid,
    compile_files,
    compile_folder,
    read_folder,
    validate_files,
    validate_folder,
    write_folder,
)
from config.templates import ALWAYS_KNOWN, KNOWN_IN_CONFIRMATION
from messaging.mail.templates import fill
from messaging.vocabulary.errors import RuleError

PATH = "paths/lead-to-customer.yaml"


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """Return the shipped files with one text replaced, once."""
    files = read_folder(DEFAULTS)
    assert old in files[file], "the test changes what stands there"
    files[file] = files[file].replace(old, new, 1)
    return files


def line_of(files: dict[str, str], file: str, text: str) -> int:
    """Return the line at which a text first stands."""
    return files[file][: files[file].index(text)].count("\n") + 1


def test_the_shipped_routine_has_no_error() -> None:
    assert validate_folder(DEFAULTS) == []


def test_a_template_says_which_traits_of_its_reader_it_names() -> None:
    file = "templates/invite-hello.yaml"
    files = read_folder(DEFAULTS)
    files[file] = (
        "subject: 'For {{ plan | default: \"all\" }}, {{ order_id | default: shop_name }}'\n"
        "text: '{% if city == \"Rio\" %}{% assign mine = company %}{{ mine }}{% endif %}'\n"
        "html: '<p>{% if tags %}{% for tag in tags %}{{ tag }}{% endfor %}{% endif %}</p>'\n"
    )
    rules = compile_files(files, 1)
    assert rules.templates["invite-hello"].names == ("city", "company", "plan", "tags")
    assert rules.spoken == {"plan", "tags"}, "the others greet, and are always told"
    many = "".join(f"{{{{ t{n} | default: 1 }}}}" for n in range(25))
    files[file] = f"subject: Hi\ntext: '{many}'\nhtml: '<p>Hi</p>'\n"
    [error] = validate_files(files)
    assert error.file == file
    assert "name 25 traits" in error.problem
    pushed = dict.fromkeys(rules.templates, "<p>Hi</p>")
    assert len(compile_files(files, 1, pushed).spoken) == 24, "a version that runs goes on"


def test_the_shipped_routine_holds_the_numbers_of_the_default_path() -> None:
    path = compile_folder(DEFAULTS, 7).paths["lead-to-customer"]
    assert (path.attempts_total, path.attempts_after_open) == (4, 2)
    assert (path.response_window_hours, path.after_visit_hours) == (72, 24)
    assert (path.quiet_from, path.quiet_to) == (21, 8)
    assert [(c.channel, c.count, c.hours) for c in path.caps] == [
        ("email", 1, 20),
        ("email", 4, 14 * 24),
    ]
    assert [stage.name for stage in path.stages] == [
        "invited",
        "opened",
        "visited",
        "talk",
        "cart",
    ]
    assert [stage.on for stage in path.stages] == ["entry", "opened", "clicked", "cohort", "cohort"]
    talk, cart = path.stages[3:]
    assert (talk.on_cohort, talk.hold, talk.opportunity) == ("in-talk", True, True)
    assert (cart.on_cohort, cart.hold, cart.opportunity) == ("in-cart", True, True)
    assert path.goal_events == {"Order Completed"}
    assert path.entry.cohort == "addressable-lead"
    assert path.success.template == "thank-you"
    assert path.sender == "shop"


def test_every_shipped_template_fills_for_somebody_of_whom_nothing_is_known() -> None:
    for name, template in compile_folder(DEFAULTS).templates.items():
        confirms = name == CONFIRM_TEMPLATE
        known = ALWAYS_KNOWN | (KNOWN_IN_CONFIRMATION if confirms else {})
        for text in (template.subject, template.preheader, template.text):
            assert fill(text, known, html=False).strip()
        html = fill(template.html, known | {"firstName": "Ann"}, html=True)
        assert ("Hi Ann," in html) != confirms
        assert known["confirm_url" if confirms else "shop_url"] in html


def test_subjects_of_one_stage_differ() -> None:
    rules = compile_folder(DEFAULTS)
    for stage in rules.paths["lead-to-customer"].stages:
        subjects = [rules.templates[name].subject for name, _ in stage.email.templates]
        assert len(set(subjects)) == len(subjects)


def test_quiet_hours_go_over_midnight() -> None:
    path = compile_folder(DEFAULTS).paths["lead-to-customer"]
    assert [hour for hour in range(24) if path.is_quiet(hour)] == [*range(8), 21, 22, 23]


def test_files_come_out_byte_for_byte_as_they_went_in(tmp_path: Path) -> None:
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += "# über, \u2603 and no end of line"
    files["scores.yaml"] = files["scores.yaml"].replace("\n", "\r\n")
    write_folder(tmp_path, files)
    assert read_folder(tmp_path) == files
    assert (tmp_path / "scores.yaml").read_bytes().count(b"\r\n") > 10
    assert validate_files(files) == []


def test_a_folder_that_is_called_like_a_rule_file_is_no_silence(tmp_path: Path) -> None:
    write_folder(tmp_path, read_folder(DEFAULTS))
    (tmp_path / "paths" / "more.yaml").mkdir()
    with pytest.raises(RuleError, match="no file") as found:
        read_folder(tmp_path)
    assert found.value.file == "paths/more.yaml"


def test_a_folder_gives_no_settings_no_hidden_files_and_no_readme(tmp_path: Path) -> None:
    write_folder(tmp_path, read_folder(DEFAULTS))
    for name in ("settings.yaml", ".env.yaml", "README.md"):
        (tmp_path / name).write_text("secret: x")
    assert read_folder(tmp_path) == read_folder(DEFAULTS)


def test_writing_never_leaves_the_folder(tmp_path: Path) -> None:
    for name in ("../out.yaml", "/tmp/out.yaml", "paths/../../out.yaml"):
        with pytest.raises(RuleError, match="leads out"):
            write_folder(tmp_path / "in", {name: "x"})


def test_a_missing_folder_and_a_broken_encoding_are_errors(tmp_path: Path) -> None:
    assert "no such folder" in str(validate_folder(tmp_path / "none")[0])
    (tmp_path / "cohorts.yaml").write_bytes(b"cohorts:\n  a: \xff\n")
    (error,) = validate_folder(tmp_path)
    assert (error.file, error.line) == ("cohorts.yaml", 2)


def test_templates_of_one_subject_where_another_is_wanted_are_an_error() -> None:
    files = read_folder(DEFAULTS)
    for name in ("cart-waiting", "cart-question", "cart-last"):
        lines = files[f"templates/{name}.yaml"].splitlines(keepends=True)
        lines = ["subject: One\n" if line.startswith("subject:") else line for line in lines]
        files[f"templates/{name}.yaml"] = "".join(lines)
    (error,) = validate_files(files)
    assert (error.file, error.problem) == (PATH, "all 3 templates have one subject")


MISTAKES = [
    # what, file, old, new, the text at whose line the error is told, words of the problem
    ("unknown entry cohort", PATH, "cohort: addressable-lead", "cohort: nobody", "cohort: nobody", "cohort nobody does not exist"),
    ("unknown stage cohort", PATH, "cohort: in-cart", "cohort: nobody", "on: {cohort: nobody", "cohort nobody does not exist"),
    ("unknown step cohort", PATH, "cohort: presence-unknown", "cohort: nobody", "cohort: nobody", "cohort nobody does not exist"),
    ("unknown template", PATH, "- invite-short\n", "- invite-long\n", "- invite-long", "template invite-long does not exist"),
    ("unknown success template", PATH, "template: thank-you", "template: thanks", "template: thanks", "template thanks does not exist"),
    ("unknown sender", PATH, "sender: shop", "sender: shp", "sender: shp", "sender shp does not exist"),
    ("unknown zone", PATH, "zone: UTC", "zone: Mars/Base", "zone: Mars", "zone Mars/Base does not exist"),
    ("no templates", PATH, "templates: [cart-waiting, cart-question, cart-last]", "templates: []", "templates: []", "stages[5].email.templates is empty"),
    ("templates missing", PATH, "      templates: [cart-waiting, cart-question, cart-last]\n", "", "    email:\n      name: reminder", "stages[5].email.templates is missing"),
    ("attempts missing", PATH, "attempts:\n  total: 4\n  after_open: 2 ", "#", "title:", "attempts is missing"),
    ("after_open missing", PATH, "  after_open: 2 ", "#", "attempts:", "attempts.after_open is missing"),
    ("after_open above total", PATH, "after_open: 2", "after_open: 5", "after_open: 5", "after_open is above total"),
    ("two entries", PATH, "on: opened", "on: entry", "on: entry\n    email:\n      name: reason", "stage opened cannot be reached"),
    ("same cause", PATH, "on: clicked", "on: opened", "on: opened\n    email:\n      name: return", "stage visited cannot be reached"),
    ("no entry", PATH, "on: entry", "on: clicked", "on: clicked", "stage invited cannot be reached"),
    ("two stages of a name", PATH, "name: opened ", "name: invited ", "name: invited         # reads", "two stages are called invited"),
    ("default not listed", PATH, "default_templates: [cart-waiting,", "default_templates: [invite-hello,", "default_templates: [invite-hello, cart-q", "default invite-hello is not among the templates"),
    ("default for some only", PATH, "default_templates: [invite-hello,", "default_templates: [invite-introduce,", "default_templates: [invite-intro", "default invite-introduce is for one cohort only"),
    ("first that is not listed", PATH, "default_first: [invite-work,", "default_first: [thank-you,", "default_first: [thank-you", "default thank-you is not among the templates"),
    ("first for everybody", PATH, "default_first: [invite-work,", "default_first: [invite-short,", "default_first: [invite-short", "default invite-short is for everybody"),
    ("first named twice", PATH, "default_first: [invite-work,", "default_first: [invite-introduce,", "default_first: [invite-introduce", "is named twice"),
    ("listed twice", PATH, "- invite-question\n", "- invite-hello\n", "- invite-hello\n        - invite-short", "template invite-hello is listed twice"),
    ("default hour in quiet hours", PATH, "default_hours: [10, 18, 12, 15]", "default_hours: [10, 22]", "default_hours: [10, 22]", "hour 22 lies in the quiet hours"),
    ("hour out of the day", PATH, "{from: 21, to: 8}", "{from: 24, to: 8}", "quiet_hours:", "less than or equal to 23"),
    ("unknown key", PATH, "response_window_hours", "respone_window_hours", "respone_window_hours", "respone_window_hours is not a known key"),
    ("text for a number", PATH, "total: 4", 'total: "4"', 'total: "4"', "valid integer"),
    ("wrong word", PATH, "timing: window", "timing: later", "timing: later", "'now' or 'window'"),
    ("wrong on", PATH, "on: opened", "on: seen", "on: seen", "'entry', 'opened'"),
    ("two conditions in one", "cohorts.yaml", "when:\n      in_cart: true", "when:\n      in_cart: true\n      may_email: true", "when:\n      in_cart", "one condition says one thing"),
    ("unknown condition", "cohorts.yaml", "lifecycle: customer}", "livecycle: customer}", "- not: {livecycle", "livecycle is not a known key"),
    ("probability without a band", "cohorts.yaml", "in_cart: true", "probability: {of: customer}", "probability: {of", "a probability needs from, to, or both, between 0 and 1"),
    ("probability in per cent", "cohorts.yaml", "in_cart: true", "probability: {of: customer, from: 20.0}", "probability: {of", "less than or equal to 1"),
    ("probability without keys", "cohorts.yaml", "in_cart: true", "probability: high", "probability: high", "holds keys of its own, not 'high'"),
    ("probability of something else", "cohorts.yaml", "in_cart: true", "probability: {of: sale, from: 0.2}", "probability: {of", "'opportunity' or 'customer'"),
    ("unknown cohort asked", "cohorts.yaml", "in_cart: true", "cohort: nobody", "cohort: nobody", "cohort nobody does not exist"),
    ("unknown score asked", "cohorts.yaml", "name: interest", "name: intrest", "score: {name: intrest", "score intrest does not exist"),
    ("cohort asks for itself", "cohorts.yaml", "in_cart: true", "not: {cohort: in-cart}", "in-cart:", "cohort in-cart asks for itself"),
    ("unknown kind", "scores.yaml", "mail_opened: 2", "mail_read: 2", "mail_read: 2", "nothing of kind mail_read happens"),
    ("bands fall", "scores.yaml", "from: 5, name: warm", "from: 50, name: warm", "bands:", "bands must rise"),
    ("bad address", "senders.yaml", "hello@shop.example", "hello", "address: hello", "senders.shop.address"),
    ("header in a subject", "templates/thank-you.yaml", "subject: 'Thank you for your order'", 'subject: "Thanks\\r\\nBcc: all@example.com"', "subject:", "is not allowed"),
    ("name nobody gives", "templates/invite-hello.yaml", 'Hi {{ firstName | default: first_name | default: "there" }}', "Hi {{ nickname }}", "Hi {{ nickname }}", "nickname"),
    ("order named before one", "templates/invite-hello.yaml", "You asked", "{{ order_id }} you asked", "{{ order_id }} you", "order_id"),
    ("broken braces", "templates/invite-hello.yaml", "  You asked to hear", "  {{ shop_name you asked to hear", "{{ shop_name you asked", "text: "),
    ("unknown filter", "templates/invite-hello.yaml", '"there" }},\n', '"there" | shout }},\n', '"there" | shout', "shout"),
    ("unknown tag", "templates/invite-hello.yaml", "  You asked", "  {% include 'footer' %}You asked", "{% include", "text: {% include %} is not allowed"),
    ("other file by a name", "templates/invite-hello.yaml", "  You asked", "  {% include nowhere %}You asked", "{% include", "{% include %} is not allowed"),
    ("other file in another tag", "templates/invite-hello.yaml", "  You asked", "  {% if true %}{%- render 'x' -%}{% endif %}You asked", "{% if true", "{% render %} is not allowed"),
    ("other file in a list of tags", "templates/invite-hello.yaml", "  You asked", "  {% liquid include 'x' %}You asked", "{% liquid", "{% include %} is not allowed"),
    ("tag of another dialect", "templates/invite-hello.yaml", "  You asked", "  {% extends 'x' %}You asked", "{% extends", "{% extends %} is not allowed"),
    ("undefined after a tag", "templates/invite-hello.yaml", "  You asked", "  {% if false %}{% include 'x' %}{% endif %}{{ nowhere }}You asked", "{% if false", "'nowhere' is undefined"),
    ("no tag at all", "templates/invite-hello.yaml", "  You asked", "  {% shout %}You asked", "{% shout", "unexpected tag 'shout'"),
    ("endless loop", "templates/invite-hello.yaml", "  You asked", "  {% for i in (1..5000) %}x{% endfor %}You asked", "{% for", "limit"),
    ("endless range", "templates/invite-hello.yaml", "  You asked", "  {% for i in (1..9999999) %}x{% endfor %}You asked", "{% for", "10,000 numbers"),
    ("misspelt tag", "templates/cart-last.yaml", "  <mj-button", "  <mj-buton", "<mj-buton", "mjml: <mj-buton> is not known"),
    ("misspelt attribute", "templates/cart-last.yaml", "<mj-button href", "<mj-button hrf", "<mj-button hrf", "mjml: hrf is no attribute of <mj-button>"),
    ("open tag", "templates/cart-last.yaml", "</h1>", "", "<h1>", "mjml: <h1> is not closed"),
    ("text between blocks", "templates/cart-last.yaml", "  <mj-button", "  Go: <mj-button", "Go: <mj-button", "mjml: a text stands between blocks"),
    ("Liquid in mjml", "templates/cart-last.yaml", "<h1>", "<h1>{{ nickname }}", "<h1>{{ nickname", "mjml: 'nickname' is undefined"),
    ("Liquid that gets lost", "templates/cart-last.yaml", "  <mj-button", '  <mj-image src="x.png" width="{{ shop_url }}" />\n  <mj-button', "<mj-image", "mjml: {{ shop_url }} gets lost"),
    ("if without an end", "templates/cart-last.yaml", "  <mj-button", "  {% if firstName %}\n  <mj-button", "  {% if firstName", "mjml: expected tag endif"),
    ("unknown layout", "templates/cart-last.yaml", "layout: letter", "layout: postcard", "layout: postcard", "the layout postcard does not exist"),
    ("two bodies", "templates/cart-last.yaml", "layout: letter", "html: <p>Hi</p>", "mjml: |", "a template has one body"),
    ("layout without a place", "layouts/letter.mjml", "        {{ content }}\n", "", "<!-- What", "{{ content }} stands 0 times"),
    ("layout with a misspelt tag", "layouts/letter.mjml", "<mj-section padding", "<mj-sektion padding", "<mj-sektion", "<mj-sektion> is not known"),
    ("layout with unknown Liquid", "layouts/letter.mjml", "&middot; {{ postal_address }}", "{{ phone }}", "{{ phone", "'phone' is undefined"),
    ("unknown type", "interactions/chat.yaml", "type: chat_invitation", "type: chat", "type: chat", "chat_invitation"),
    ("unknown cohort of an interaction", "interactions/chat.yaml", "cohort: needs-help", "cohort: nobody", "cohort: nobody", "cohort nobody does not exist"),
    ("unknown narrower cohort", "interactions/notice-returning.yaml", "only: returning", "only: nobody", "only: nobody", "cohort nobody does not exist"),
    ("script for a link", "interactions/chat.yaml", "url: /contact", "url: 'javascript:alert(1)'", "url: 'javascript", "is not allowed"),
    ("other site by a trick", "interactions/chat.yaml", "url: /contact", "url: //evil.example", "url: //evil", "is not allowed"),
    ("form without questions", "interactions/opinion.yaml", "type: opinion_form", "type: notice_bar", "title:", "has content.fields"),
    ("thanks without a form", "interactions/chat.yaml", "dismiss: No, thank you", "thanks: Well", "title:", "only an opinion_form has content.thanks"),
    ("address for an answer", "interactions/opinion.yaml", "name: remark", "name: email", "- name: email", "cannot be called email"),
    ("two questions of a name", "interactions/opinion.yaml", "name: remark", "name: wants_help_with", "name: wants_help_with\n      label: Any", "two fields are called wants_help_with"),
    ("choice without options", "interactions/opinion.yaml", "kind: text", "kind: choice", "- name: remark", "a choice, and nothing else, has options"),
    ("offer for the end now", "interactions/leaving.yaml", "trigger: exit", "trigger: now", "title:", "has trigger: exit"),
    ("more a day than is remembered", "interactions/chat.yaml", "priority: 30", "frequency: {per_day: 21}", "frequency:", "less than or equal to 20"),
    ("no YAML", "cohorts.yaml", "cohorts:\n", "cohorts:\n\tx: 1\n", "\tx: 1", "this is no YAML"),
    ("key twice", "senders.yaml", "    name: Your Shop\n", "    name: Your Shop\n    name: My Shop\n", "name: My Shop", "name is given twice"),
    ("empty value", "senders.yaml", "name: Your Shop", "name:", "name:", "name is empty"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "at", "problem"),
    [mistake[1:] for mistake in MISTAKES],
    ids=[mistake[0] for mistake in MISTAKES],
)
def test_a_mistake_is_named_with_its_file_and_line(
    file: str, old: str, new: str, at: str, problem: str
) -> None:
    files = changed(file, old, new)
    errors = validate_files(files)
    told = [(each.file, each.line) for each in errors if problem in each.problem]
    assert (file, line_of(files, file, at)) in told, [str(each) for each in errors]


def test_a_template_without_a_body_and_a_layout_for_html_are_told() -> None:
    files = read_folder(DEFAULTS)
    name = "templates/cart-last.yaml"
    words = files[name][: files[name].index("layout:")]
    (error,) = validate_files(files | {name: words})
    assert "a template has one body, html or mjml" in error.problem
    (error,) = validate_files(files | {name: words + "layout: letter\nhtml: <p>Hi</p>\n"})
    assert (error.line, error.problem) == (words.count("\n") + 1, "a layout is for mjml")


def test_plain_html_and_a_whole_document_of_mjml_are_bodies_too() -> None:
    files = read_folder(DEFAULTS)
    html, mjml = "templates/cart-last.yaml", "templates/cart-question.yaml"
    for name in (html, mjml):
        files[name] = files[name][: files[name].index("layout:")]
    files[html] += "html: <p>Hi {{ shop_name }}</p>\n"
    files[mjml] += (
        "mjml: |\n  <mjml><mj-body><mj-section><mj-column>\n"
        "  <mj-text>Hi {{ shop_name }}</mj-text>\n  </mj-column></mj-section></mj-body></mjml>\n"
    )
    templates = compile_files(files, 1).templates
    assert templates["cart-last"].html == "<p>Hi {{ shop_name }}</p>"
    assert ">Hi {{ shop_name }}</div>" in templates["cart-question"].html


def test_an_email_that_gmail_would_clip_is_a_mistake() -> None:
    name = "templates/cart-last.yaml"
    files = changed(
        name, "  <mj-button", "  <mj-text>" + "word " * 19_000 + "</mj-text>\n  <mj-button"
    )
    (error,) = validate_files(files)
    assert "Gmail cuts at 102" in error.problem


def test_a_mistake_in_a_layout_is_told_once() -> None:
    files = changed("layouts/letter.mjml", "<mj-title>", "<mj-titel>")
    assert [error.file for error in validate_files(files)] == ["layouts/letter.mjml"]
    name = "templates/cart-last.yaml"
    files[name] = files[name].replace("<mj-button", "<mj-buton")
    assert [error.file for error in validate_files(files)] == ["layouts/letter.mjml", name]


def test_all_mistakes_are_told_in_one_go_and_nothing_is_compiled() -> None:
    files = changed(PATH, "sender: shop", "sender: shp")
    files[PATH] = files[PATH].replace("zone: UTC", "zone: Mars/Base")
    with pytest.raises(RulesInvalid) as caught:
        compile_files(files, 1)
    assert len(caught.value.errors) == 2
    assert str(caught.value).startswith(f"{PATH}:")


def test_a_file_that_is_none_of_the_rules_is_an_error() -> None:
    for name in (
        "cohort.yaml",
        "paths/deep/x.yaml",
        "templates/x.html",
        "paths/X y.yaml",
        "layouts/X y.mjml",
    ):
        files = read_folder(DEFAULTS)
        files[name] = files[PATH]
        assert any(error.file == name for error in validate_files(files)), name


def test_no_path_at_all_is_an_error() -> None:
    files = read_folder(DEFAULTS)
    del files[PATH]
    assert [error.problem for error in validate_files(files)] == ["there is no path"]


def test_an_event_touches_only_the_cohorts_it_can_change() -> None:
    rules = compile_folder(DEFAULTS)

    def touched(kind: str) -> set[str]:
        return {cohort.name for cohort in rules.cohorts_touched(kind)}

    on_site = {"browsing", "looks-around", "wants-detail", "needs-help"}
    assert touched("track:Song Played") == set()
    assert touched("session") == {"returning", *on_site} - {"browsing"}
    assert touched("depths") == touched("depth:2") == on_site
    assert touched("depth:4") == {"needs-help"}
    assert touched("depth:5") == set()
    assert touched("page") == on_site - {"browsing"}
    assert touched("track:Product Added") == {"in-cart"}
    assert [cohort.name for cohort in rules.crossed("interest", 19.0, 21.0)] == ["eager"]
    assert rules.crossed("interest", 1.0, 19.9) == []
    assert touched("engagement_clicked") == {"needs-help", "in-talk"}
    assert touched("mail_opened") == set()
    assert touched("purchase") <= touched("track:Order Completed")
    assert "addressable-lead" in touched("unsubscribed")
    assert touched("merge") == set(rules.cohorts)
    assert touched("no such kind") == set()


def test_a_score_gives_points_and_names_its_bands() -> None:
    score = compile_folder(DEFAULTS).scores["interest"]
    assert (score.points("page"), score.points("track:Checkout Started")) == (1, 15)
    assert score.points("track:Song Played") == 0
    assert [score.band(value) for value in (-1, 0, 4.9, 5, 100)] == [
        "",
        "cool",
        "cool",
        "warm",
        "hot",
    ]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    fades = score.fades_at(10.0, now)
    assert fades is not None
    assert 0 <= (fades - now).total_seconds() - 14 * 86400 <= 1


def test_cohorts_that_stand_on_too_many_others_are_refused_by_line() -> None:
    """Each is a call within a call: a chain of hundreds ends in a stack that overflows."""
    files = read_folder(DEFAULTS)
    chain = ["  deep-0:\n    title: t\n    when: {known: email}\n"]
    for number in range(1, 300):
        when = f"{{all: [{{cohort: deep-{number - 1}}}, {{known: email}}]}}"
        chain.append(f"  deep-{number}:\n    title: t\n    when: {when}\n")
    for order in (chain, chain[::-1]):
        files["cohorts.yaml"] = read_folder(DEFAULTS)["cohorts.yaml"] + "".join(order)
        [error] = validate_files(files)
        assert "too long a chain" in error.problem
        assert error.line


def test_names_of_cohorts_that_no_state_could_hold_are_refused_by_line() -> None:
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += "".join(
        f"  {'n' * 55}-{number:03}:\n    title: t\n    when: {{known: email}}\n"
        for number in range(140)
    )
    [error] = validate_files(files)
    assert "characters too long" in error.problem
    assert "8000 at most" in (error.hint or "")
    assert error.line
