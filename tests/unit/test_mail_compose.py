"""Composing: what the reader gets, what links lead to, and what nobody can smuggle in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html import unescape

import pytest

from messaging.mail import tokens
from messaging.mail.compose import Sender, TemplateFailed, TemplateText, compose
from messaging.vocabulary.plans import SendPlan

SECRET = b"a secret of play"
NOW = datetime(2017, 6, 1, 10, 30, tzinfo=UTC)
PUBLIC = "https://mdma.example"


def a_plan(**more):
    plan = {
        "send_id": "abc123",
        "path": "welcome",
        "run": "1",
        "stage": "new",
        "step": "first",
        "attempt": 1,
        "template": "hello",
        "rules_version": 1,
        "entered_at": NOW,
        "sender": "shop",
    }
    return SendPlan(**(plan | more))


def composed(variables=None, **more):
    """Return the raw bytes; every part may be given."""
    template = TemplateText(
        subject=more.pop("subject", "Hello"),
        preheader=more.pop("preheader", ""),
        html=more.pop("html", "<html><body><p>Hi</p></body></html>"),
        text=more.pop("text", "Hi"),
    )
    arguments = {
        "plan": a_plan(),
        "visitor": "v1",
        "address": "ann@example.com",
        "sender": Sender("The Shop", "shop@shop.example"),
        "postal_address": "1 Main Street <Town>",
        "public_url": PUBLIC,
        "secret": SECRET,
        "date": NOW,
    }
    return compose(template, variables or {}, **(arguments | more))


def read(raw):
    return message_from_bytes(raw, policy=policy.default)


def parts(raw):
    text, html = (part.get_content().replace("\r\n", "\n") for part in read(raw).iter_parts())
    return text, html


def test_the_headers_say_who_writes_to_whom_when_and_what():
    mail = read(composed())
    assert mail["From"] == "The Shop <shop@shop.example>"
    assert mail["To"] == "ann@example.com"
    assert mail["Subject"] == "Hello"
    assert mail["Message-ID"] == "<abc123@shop.example>"
    assert mail["Date"].datetime == NOW
    assert mail["X-MDMA-Send"] == "abc123"
    assert mail.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
    assert not mail.defects


def test_the_same_arguments_give_the_same_bytes():
    assert composed() == composed()


def test_one_click_unsubscribe_stands_in_both_headers():
    mail = read(composed())
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = mail["List-Unsubscribe"].strip("<>")
    assert url.startswith(f"{PUBLIC}/u/")
    token = tokens.verify_unsubscribe(SECRET, url.rpartition("/")[2])
    assert (token.visitor, token.send_id) == ("v1", "abc123")
    assert token.mailbox == tokens.mailbox_hash(SECRET, "ann@example.com")


def test_marketing_says_how_to_leave_and_who_we_are():
    text, html = parts(composed())
    assert f"Unsubscribe: {PUBLIC}/u/" in text
    assert "1 Main Street <Town>" in text
    assert f'<a href="{PUBLIC}/u/' in html
    assert "1 Main Street &lt;Town&gt;" in html


def test_a_success_mail_has_one_click_and_no_footer():
    raw = composed(plan=a_plan(success=True))
    text, html = parts(raw)
    assert "Unsubscribe" not in text + html
    assert "Main Street" not in text + html
    assert read(raw)["List-Unsubscribe"]


def test_a_marketers_own_footer_is_not_doubled():
    text, html = parts(
        composed(
            html='<p>Bye. <a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}</p>',
            text="Leave: {{ unsubscribe_url }}\n{{ postal_address }}",
        )
    )
    assert html.count("/u/") == 1
    assert html.count("Main Street") == 1
    assert text.count("/u/") == 1
    assert text.count("Main Street") == 1


def test_an_address_with_any_sign_is_recognised_in_a_marketers_footer():
    address = '3 King\'s "Old" Road & <Yard>'
    for html in ("<p>{{ postal_address }}</p>", "<p>Hi</p>"):
        _, written = parts(composed(html=html, postal_address=address))
        assert unescape(written).count(address) == 1


def test_every_web_link_leads_through_us_and_on_to_where_it_was_to():
    raw = composed(
        html=(
            '<a href="https://a.example/?x=1&amp;y=2">1</a>'
            "<A class='b>c' HREF='http://b.example/ü'>2</A>"
            "<a\nhref = https://c.example>3</a>"
            '<area href="https://d.example/map" alt="x">'
            '<a href="mailto:us@shop.example">4</a><a href="#top">5</a><a href="tel:1">6</a>'
            '<img src="https://img.example/1.png"><link href="https://css.example/x.css">'
        ),
        text="See https://a.example/b, (https://b.example/(c)) and https://a.example/b.",
    )
    text, html = parts(raw)
    clicks = [
        tokens.verify_click(SECRET, found)
        for found in re.findall(rf'(?i)href ?= ?"{PUBLIC}/c/([^"]+)"', html)
    ]
    assert [click.url for click in clicks] == [
        "https://a.example/?x=1&y=2",
        "http://b.example/ü",
        "https://c.example",
        "https://d.example/map",
    ]
    assert {(c.visitor, c.send_id, c.expires) for c in clicks} == {
        ("v1", "abc123", NOW + timedelta(days=30))
    }
    for kept in ("mailto:us@shop.example", "#top", "tel:1", "img.example/1.png", "css.example/x"):
        assert kept in html
    in_text = re.findall(rf"{PUBLIC}/c/([\w-]+)([^\w-]*)", text)
    assert [(tokens.verify_click(SECRET, t).url, after) for t, after in in_text] == [
        ("https://a.example/b", ", ("),
        ("https://b.example/(c)", ") "),
        ("https://a.example/b", ".\n\n"),
    ]


def test_the_pixel_tells_of_an_open():
    _, html = parts(composed())
    token = re.search(rf'<img src="{PUBLIC}/o/([\w-]+\.gif)"', html)[1]
    assert tokens.verify_open(SECRET, token) == tokens.OpenToken("v1", "abc123")
    assert html.index("<img") < html.index("</body>")


def test_a_link_that_cannot_be_tracked_stays_as_it_is():
    long = "https://a.example/" + "x" * 6_000
    _, html = parts(composed(html=f'<a href="{long}">1</a><a href="http://[">2</a>'))
    assert long in html
    assert 'href="http://["' in html


def test_the_preheader_comes_first_and_is_hidden():
    _, html = parts(composed(preheader="Only <today>, {{ name }}", variables={"name": "Ann"}))
    assert html.index("<body>") < html.index("Only &lt;today&gt;, Ann") < html.index("<p>Hi")
    assert "display:none" in html[html.index("<body>") : html.index("Only")]


def test_an_inbox_shows_nothing_but_blanks_behind_the_preheader():
    _, html = parts(composed(preheader="Only today"))
    behind = unescape(html[html.index("Only today") + 10 : html.index("<p>Hi")].partition("<")[0])
    assert len(behind) >= 100
    assert set(behind) == {"\u200c", "\u00a0"}


def test_a_template_finds_the_shop_whatever_a_visitor_calls_himself():
    text, _ = parts(
        composed(
            {"shop_name": "Not the shop", "unsubscribe_url": "https://elsewhere.example"},
            text="{{ shop_name }} {{ shop_url }} {{ unsubscribe_url }}",
            sender=Sender("The Shop", "shop@shop.example", "https://shop.example"),
        )
    )
    assert text.startswith(f"The Shop {PUBLIC}/c/")
    assert "elsewhere" not in text


def test_the_date_in_a_template_is_the_mails():
    text, _ = parts(composed(text="{{ 'now' | date: '%Y-%m-%d' }} {{ now | date: '%H:%M' }}"))
    assert text.startswith("2017-06-01 10:30")


# ------------------------------------------------------------------------- what goes wrong, clearly


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ user.name }}", "'user' is undefined"),
        ("{% if name %}never ended", "expected tag endif"),
        ("{{ name | nosuch }}", "unknown filter"),
        ("{% include 'x' %}", "x"),
        ("{{ 1 | divided_by: 0 }}", "divide by 0"),
        ("{% for i in (1..5000) %}x{% endfor %}", "loop iteration limit"),
        ("{% for i in (1..1000000000) %}x{% endfor %}", "a range has 10,000 numbers at most"),
        ("{% for i in (1..900) %}{{ wide }}{% endfor %}", "output stream limit"),
        (
            "{% assign s = wide %}{% for i in (1..90) %}{% assign s = s | append: s %}{% endfor %}",
            "local namespace limit",
        ),
    ],
)
@pytest.mark.parametrize("part", ["subject", "preheader", "html", "text"])
def test_a_template_that_cannot_be_filled_says_why(part, source, reason):
    with pytest.raises(TemplateFailed, match=reason):
        composed({"name": "Ann", "wide": "x" * 500}, **{part: source})


def test_a_failed_template_is_a_value_error_for_the_postman():
    assert issubclass(TemplateFailed, ValueError)


def test_a_template_may_ask_whether_something_is_known():
    text, _ = parts(
        composed(text="{% if name %}{{ name }}{% else %}you{% endif %}, {{ x | default: 'there' }}")
    )
    assert text.startswith("you, there")


def test_a_mail_without_a_subject_is_none():
    with pytest.raises(TemplateFailed, match="subject is empty"):
        composed(subject="{{ name }}", variables={"name": " \r\n "})


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@b.c",
        "a b@c.d",
        "a@b.c\r\nBcc: x@y.z",
        "<a@b.c>",
        "a@b@c",
        "a@b.c,d@e.f",
    ],
)
def test_a_text_that_is_no_address_is_refused_without_repeating_it(address):
    with pytest.raises(TemplateFailed) as raised:
        composed(address=address)
    assert "@" not in str(raised.value)


# ------------------------------------------------------------------------------------ injection

NASTY = "Ann\r\nBcc: all@example.com\r\n\r\n<script>\"'\x00\u2028--\x85=?utf-8?q?x?="


def test_nothing_filled_in_adds_a_header_or_a_part():
    raw = composed(
        {"name": NASTY},
        subject="Hi {{ name }}",
        preheader="{{ name }}",
        html="<p>{{ name }}</p>",
        text="{{ name }}",
        sender=Sender(NASTY, "shop@shop.example"),
        postal_address=NASTY,
    )
    mail = read(raw)
    assert mail["Bcc"] is None
    assert sorted(mail.keys()) == sorted(
        [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "X-MDMA-Send",
            "MIME-Version",
            "Content-Type",
        ]
    )
    assert len(list(mail.iter_parts())) == 2
    assert mail["Subject"].startswith("Hi Ann Bcc: all@example.com <script>")
    assert "<script>" not in mail.get_body(("html",)).get_content()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_what_is_filled_into_html_is_escaped():
    _, html = parts(
        composed({"name": '"><img src=x>'}, html='<a title="{{ name }}">{{ name }}</a>')
    )
    assert "<img src=x>" not in html


@pytest.mark.parametrize(
    "subject", ["Grüße aus Köln", "=?utf-8?q?not_mine?=", "日本語" * 60, "x" * 250]
)
def test_any_subject_and_name_arrive_as_they_were(subject):
    mail = read(composed(subject=subject, sender=Sender(subject[:12], "shop@shop.example")))
    assert mail["Subject"] == subject
    assert mail["From"].addresses[0].display_name == subject[:12]


def test_a_name_with_quotes_stays_one_name():
    mail = read(composed(sender=Sender('Ann "The Shop" \\ Co, Ltd', "shop@shop.example")))
    [address] = mail["From"].addresses
    assert (address.display_name, address.addr_spec) == (
        'Ann "The Shop" \\ Co, Ltd',
        "shop@shop.example",
    )


def test_a_domain_in_another_script_is_written_in_ascii():
    raw = composed(address="ann@bücher.example")
    assert read(raw)["To"] == "ann@xn--bcher-kva.example"


def test_text_of_any_script_and_length_arrives_as_it_was():
    long = "Ünïcödé " * 400 + "\n.\n..dots\n\ttab  \nlast"
    text, html = parts(composed(text=long, html=f"<p>{long}</p>", plan=a_plan(success=True)))
    assert text.rstrip("\n") == long
    assert unescape(html).startswith(f"<p>{long}</p>")


def test_a_long_line_of_ascii_is_broken_for_the_way_only():
    long = "word " * 1_000
    raw = composed(text=long, plan=a_plan(success=True))
    assert parts(raw)[0].rstrip("\n") == long
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


def test_what_is_empty_is_not_there_for_who_asks():
    asked = "{% if order_id %}Order {{ order_id }}{% else %}none{% endif %}"
    asked += "{% if postal_address %} · {{ postal_address }}{% endif %}"
    for given, said in (({"order_id": "o7"}, "Order o7"), ({"order_id": ""}, "none"), ({}, "none")):
        text, html = parts(composed(given, text=asked, html=asked, postal_address=""))
        assert text.startswith(f"{said}\n")
        assert said in html
        assert "·" not in html
