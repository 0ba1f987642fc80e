"""Where links of an e-mail lead is judged, not the tracked links by which clicks are seen."""

from __future__ import annotations

import pytest

from messaging.mail.judging import Reading, judged, links_of
from messaging.mail.reading import Mail
from messaging.mail.targets import Fault, faults_of, untold

FAULTS = [
    ("", "is empty"),
    ("#", "a place in the page"),
    ("#top", "a place in the page"),
    ("/offer", "is relative"),
    ("offer.html?a=1", "is relative"),
    ("../offer", "is relative"),
    ("?a=1", "is relative"),
    ("//shop.example/x", "write https://shop.example/x"),
    ("shop.example/x", "write https://shop.example/x"),
    ("shop.example:8080/x", "has no scheme"),
    ("javascript:alert(1)", "unknown scheme “javascript”"),
    ("data:text/html,x", "unknown scheme"),
    ("htps://shop.example", "did you mean https?"),
    ("ftp://shop.example", "unknown scheme “ftp”"),
    ("http://", "names no host"),
    ("https:///p", "names no host"),
    ("https://shop", "has no dot"),
    ("https://https://shop.example", "has no dot"),
    ("https://shop..example/", "no name of a host"),
    ("https://-shop.example/", "no name of a host"),
    ("https://shop example/", "has a blank"),
    ("https://shop.example:99999/", "malformed host or port"),
    ("https://shop.example:0/", "port 0"),
    ("https://[::1/", "malformed host or port"),
    ("https://ann:secret@shop.example/", "a user before its host"),
    ("https://10.0.0/", "no whole address"),
    ("https://shop.example/{{ path", "template code"),
    ("mailto:", "names no address"),
    ("mailto:hi@shop", "has no dot"),
    ("tel:", "has no number"),
]

FINE = [
    "https://shop.example",
    "HTTPS://SHOP.EXAMPLE/",
    "http://127.0.0.1:8080/shop/",
    "https://[2001:db8::1]/",
    "https://münchen.example/straße?q=%20#x",
    "https://a_b.shop.example/",
    "http://localhost:8080/",
    "mailto:hi@shop.example?subject=Hello",
    "tel:+49 30 1234",
    "sms:+49301234",
]


@pytest.mark.parametrize(("target", "said"), FAULTS)
def test_a_target_that_leads_nowhere_is_told_with_what_to_do(target: str, said: str) -> None:
    assert said in faults_of(target)


@pytest.mark.parametrize("target", FINE)
def test_a_target_that_could_lead_somewhere_is_left_alone(target: str) -> None:
    assert faults_of(target) == ""


def test_an_expression_in_a_link_that_comes_to_nothing_is_named() -> None:
    html = (
        "<a href=\"https://shop.example/{{ product | default: '' }}\">A</a>"
        "<a href='{{ shop_url }}/{{ city }}'>B</a>"
        '<a href="/x/{{ product | default: "" }}">B</a>'
        '<a href="{{ shop_url }}">C</a> {{ nothing_here }}'
        '{% for each in (1..2) %}<a href="/{{ each }}">D</a>{% endfor %}'
    )
    known = {"shop_url": "https://shop.example", "product": "", "city": " "}
    found = [fault.target for fault in untold(html, known)]
    assert found == ["{{ product | default: '' }}", "{{ city }}", '{{ product | default: "" }}']


def a_mail(html: str, text: str = "Words that say as much as the HTML does, at length.") -> Mail:
    kept = {"subject": "Hello", "preheader": "First words", "sender": "", "to": "", "date": ""}
    return Mail(number=0, headers=[], html=html, text=text, send_id="", size=0, **kept)


BASE = "https://m.example"
TARGETS = {f"{BASE}/c/1": "https://shop.example/p", f"{BASE}/c/2": "https://shop/p"}
READING = Reading(
    target_of=lambda link: TARGETS.get(link, link), leaves=f"{BASE}/u/", own=(f"{BASE}/u/",)
)
LEAVE = f'<a href="{BASE}/u/x">Leave</a>'


def said(html: str, text: str = "", reading: Reading = READING) -> list[str]:
    """Return what is wrong with an e-mail's links."""
    mail = a_mail(html, text) if text else a_mail(html)
    found = judged(mail, postal_address="1 Street", reading=reading)
    return [each.said for each in found if each.level == "wrong"]


def test_the_target_behind_a_tracked_link_is_judged_in_both_parts() -> None:
    assert said(f'{LEAVE}<a href="{BASE}/c/1">Go</a>') == []
    [wrong] = said(f'{LEAVE}<a href="{BASE}/c/2">Go</a>')
    assert wrong.startswith("the link “https://shop/p” has a malformed host")
    [wrong] = said(LEAVE, f"Words that say as much as the HTML does: {BASE}/c/2.")
    assert "https://shop/p" in wrong
    mail = a_mail(f'{LEAVE}<a href="{BASE}/c/1">Go</a>', f"Words. {BASE}/c/1 {BASE}/u/x")
    assert links_of(mail, READING) == ["https://shop.example/p"]


def test_an_address_to_leave_that_nobody_can_follow_is_no_link_to_leave() -> None:
    for html in (f"<!-- {BASE}/u/x --><p>Hello</p>", f"<p>{BASE}/u/x</p>", ""):
        [wrong] = said(html)
        assert "unsubscribing" in wrong
    assert said("<p>Thanks</p>", reading=Reading()) == [], "what is no marketing need not have one"


def test_what_comes_to_nothing_is_part_of_the_judgement() -> None:
    reading = Reading(
        leaves=f"{BASE}/u/", own=(f"{BASE}/u/",), untold=[Fault("{{ x }}", "is gone")]
    )
    assert said(LEAVE, reading=reading) == ["in a link, “{{ x }}” is gone"]
