"""Compiling MJML: what is made of it, that Liquid comes through, and that each mistake has its place."""

from __future__ import annotations

import pytest

from config.mjml import combined, compiled
from config.mjml_reading import DEPTH_MAX, Mistake, read
from messaging.mail.templates import fill

COLUMN = "mj-column"


def a_document(content: str) -> str:
    """Return a whole document around what stands in a column."""
    return (
        '<mjml lang="en"><mj-body><mj-section><mj-column>'
        f"{content}</mj-column></mj-section></mj-body></mjml>"
    )


def html_of(source: str) -> str:
    """Return a document's HTML; it has one."""
    assert read(source).mistakes == []
    html = compiled(source)
    assert isinstance(html, str), html
    return html


def test_liquid_comes_through_in_texts_and_attributes_as_it_was_written() -> None:
    liquid = [
        '{{ name | default: "<there>" }}',
        "{% if a > 1 and b < 2 %}",
        "{% endif %}",
        "{{ colour }}",
        '{{ url | default: "https://a.example/?x=1&y=2" }}',
    ]
    html = html_of(
        a_document(
            f'<mj-text color="{liquid[3]}">Hi {liquid[0]}, {liquid[1]}<b>b</b>{liquid[2]}</mj-text>'
            f'<mj-button href="{liquid[4]}">Go</mj-button>'
        )
    )
    for each in liquid:
        assert each in html
    filled = fill(html, {"colour": "#123456", "a": 2, "b": 1}, html=True)
    assert "color:#123456" in filled
    assert "<b>b</b>" in filled
    assert 'href="https://a.example/?x=1&y=2"' in filled


@pytest.mark.parametrize(
    "source",
    [
        "<mjml><mj-body>{% if x %}<mj-section><mj-column><mj-text>QQ</mj-text></mj-column></mj-section>{% endif %}</mj-body></mjml>",  # noqa: E501
        "<mjml><mj-body><mj-wrapper>{% if x %}<mj-section><mj-column><mj-text>QQ</mj-text></mj-column></mj-section>{% endif %}</mj-wrapper></mj-body></mjml>",  # noqa: E501
        "<mjml><mj-body><mj-section>{% if x %}<mj-column><mj-text>QQ</mj-text></mj-column>{% endif %}</mj-section></mj-body></mjml>",  # noqa: E501
        a_document("{% if x %}\n<mj-text>QQ</mj-text>\n{% endif %}"),
        a_document("<mj-table>{% if x %}<tr><td>QQ</td></tr>{% endif %}</mj-table>"),
        a_document("<mj-text>{% if x %}<p>QQ</p>{% endif %}</mj-text>"),
    ],
    ids=["section", "in a wrapper", "column", "text", "row", "paragraph"],
)
def test_a_block_may_stand_in_an_if(source: str) -> None:
    html = html_of(source)
    shown, left_out = fill(html, {"x": 1}, html=True), fill(html, {}, html=True)
    assert "QQ" in shown
    assert "QQ" not in left_out
    for each in (shown, left_out):
        for tag in ("table", "tr", "td", "div"):
            assert each.count(f"<{tag}") == each.count(f"</{tag}>"), tag
        assert each.count("<!--[if") == each.count("<![endif]"), "what only Outlook reads is whole"


def test_a_loop_repeats_its_block() -> None:
    html = html_of(
        a_document("{% for x in (1..3) %}<mj-text>no. {{ x }}</mj-text>{% endfor %}<mj-spacer />")
    )
    filled = fill(html, {}, html=True)
    assert [filled.count(f"no. {x}") for x in (1, 2, 3)] == [1, 1, 1]


def test_every_way_to_write_blanks_between_blocks_is_taken() -> None:
    html = html_of(
        a_document(
            """
            <mj-social>
              <mj-social-element name="facebook" href="https://a.example">us</mj-social-element>
            </mj-social>
            <mj-accordion>
              <mj-accordion-element>
                <mj-accordion-title>Q</mj-accordion-title>
                <mj-accordion-text>A <b>b</b></mj-accordion-text>
              </mj-accordion-element>
            </mj-accordion>
            """
        )
    )
    assert "https://a.example" in html


def test_comments_are_left_out_but_those_for_outlook() -> None:
    html = html_of(
        a_document(
            "<!-- {{ secret }} --><mj-raw><!--[if mso]><p>old</p><![endif]-->"
            "<!--[if !mso]><!--><p>new</p><!--<![endif]--></mj-raw>"
        )
    )
    assert "secret" not in html
    assert "<!--[if mso]><p>old</p><![endif]-->" in html
    assert "<!--[if !mso]><!--><p>new</p><!--<![endif]-->" in html


def test_nothing_is_fetched_that_nobody_asked_for() -> None:
    assert "fonts." not in html_of(a_document("<mj-text>Hi</mj-text>"))


def test_a_layout_takes_content_and_subject() -> None:
    layout = (
        "<!-- {{ content }} goes below --><mjml><mj-head><mj-title>{{subject}}</mj-title></mj-head>"
        "<mj-body><mj-section><mj-column>{{ content }}</mj-column></mj-section></mj-body></mjml>"
    )
    assert read(layout).slots == [COLUMN]
    content = "<!-- x --><mj-text>QQ</mj-text>"
    document, start = combined(layout, content, 'A & B < {{ x | default: "a&b" }}')
    assert document[start:].startswith(content)
    html = html_of(document)
    assert html.count("QQ") == 1
    assert '<title>A &amp; B &lt; {{ x | default: "a&b" }}</title>' in html


def test_the_same_source_gives_the_same_html() -> None:
    source = a_document("<mj-text>lq {{ x }} lqq {{ y }}</mj-text>")
    first = html_of(source)
    compiled.cache_clear()
    assert html_of(source) == first
    assert "lq {{ x }} lqq {{ y }}" in first


# ------------------------------------------------------------------------- what goes wrong, clearly


@pytest.mark.parametrize(
    ("source", "at", "problem", "hint"),
    [
        ("<mj-txt>x</mj-txt>", "<mj-txt>", "<mj-txt> is not known", "<mj-text>"),
        ("<p>x</p>", "<p>", "<p> is not known", "HTML stands in"),
        ("<mj-section></mj-section>", "<mj-section>", "cannot stand in <mj-column>", "<mj-body>"),
        ("<mj-text>x", "<mj-text>", "is not closed", "add </mj-text>"),
        ("<mj-text><b>x</mj-text>", "<b>", "<b> is not closed", "add </b>"),
        ("<mj-text>x</b></mj-text>", "</b>", "closes nothing", "delete it"),
        ("<mj-text>a < b</mj-text>", "< b", "begins no tag", "&lt;"),
        ("<mj-button href=x>a</mj-button>", "<mj-button", "begins no tag", 'name="value"'),
        ('<mj-text title="<">a</mj-text>', "<mj-text", "begins no tag", "&lt;"),
        ("<mj-text <b>>a</mj-text>", "<mj-text", "begins no tag", "&lt;"),
        ('<mj-text colr="red">a</mj-text>', "colr", "colr is no attribute", "color"),
        ("Hello <mj-text>a</mj-text>", "Hello", "a text stands between", "<mj-text>"),
        ("{{ x }}<mj-text>a</mj-text>", "{{ x }}", "stands between blocks", "<mj-text>"),
        ("<mj-text>a<mj-text>b</mj-text></mj-text>", "<mj-text>b", "cannot stand in", "close"),
        ('<mj-include path="x.mjml" />', "<mj-include", "is not known", ""),
        ("<mj-social>{% if x %}</mj-social>", "{% if", "cannot stand in <mj-social>", "around"),
        ("<mj-button><!--[if mso]>x<![endif]--></mj-button>", "<!--", "for Outlook", "mj-raw"),
        ("<mj-text>" + "<div>" * 99_000 + "</mj-text>", None, f"deeper than {DEPTH_MAX}", ""),
    ],
)
def test_a_mistake_is_told_with_its_place(
    source: str, at: str | None, problem: str, hint: str
) -> None:
    mistakes = read(source, COLUMN).mistakes
    first = min(mistakes)
    assert problem in first.problem
    assert hint in first.hint
    if at is not None:
        assert source[first.offset :].startswith(at)


@pytest.mark.parametrize(
    "source",
    [
        "<mj-buton>Go <b>on</b></mj-buton><mj-text>x</mj-text>",
        "<mj-buton>Go <b>on</b></mj-button>",
        "<p>A text and <b>{{ x }}</b></p><mj-text>x</mj-text>",
        "<mj-text>a < b, 1 <= 2</mj-text>",
    ],
)
def test_one_mistake_is_told_once(source: str) -> None:
    assert len(read(source, COLUMN).mistakes) == 1


@pytest.mark.parametrize(
    "source", ["<p>x</p>", "<mj-section></mj-section>", "", "{{ x }}", "<mjml>"]
)
def test_what_is_no_document_is_told(source: str) -> None:
    assert read(source).mistakes or isinstance(compiled(source), Mistake)


def test_liquid_that_gets_lost_is_a_mistake() -> None:
    """An image's width is reckoned with while compiling: `{{ w }}` would vanish without a word."""
    source = a_document('<mj-image src="https://a.example/x.png" width="{{ w }}px" />')
    assert read(source).mistakes == []
    lost = compiled(source)
    assert isinstance(lost, Mistake)
    assert "{{ w }} gets lost" in lost.problem
    assert source[lost.offset :].startswith("{{ w }}")


def test_a_hostile_source_is_read_once() -> None:
    """Looked through anew from each beginning, these take longer than a test may."""
    for begun in ('a="', "<", "{{", "{%", "<!--", "<!--[if", "<p ", "<p a='"):
        assert read("<mj-text " + begun * (400_000 // len(begun)), COLUMN).mistakes
