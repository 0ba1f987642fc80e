"""Tokens: what we signed is read as it was; everything else is None."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import tokens
from messaging.mail.tokens import BrowserTag, ClickToken, ConfirmToken, OpenToken, UnsubscribeToken

SECRET = b"a secret of play"
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

KINDS = [
    OpenToken("v1", "s1"),
    ClickToken("v1", "s1", "https://shop.example/a?b=c&d=ü#e", NOW),
    UnsubscribeToken("v1", "s1", "mailbox"),
    ConfirmToken("v1", "s1", "mailbox"),
    BrowserTag("v1", NOW),
]


@pytest.mark.parametrize("token", KINDS)
def test_a_signed_token_is_read_as_it_was(token):
    assert tokens.verify(SECRET, tokens.sign(SECRET, token)) == token


@pytest.mark.parametrize("token", KINDS)
def test_a_token_stands_in_a_path_without_escaping(token):
    assert set(tokens.sign(SECRET, token)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


@pytest.mark.parametrize("token", KINDS)
def test_no_bit_of_a_token_can_be_changed(token):
    text = tokens.sign(SECRET, token)
    blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for bit in range(len(blob) * 8):
        forged = bytearray(blob)
        forged[bit // 8] ^= 1 << bit % 8
        assert tokens.verify(SECRET, base64.urlsafe_b64encode(bytes(forged)).decode()) is None


@given(st.text())
def test_any_text_that_we_did_not_sign_is_none(text):
    assert tokens.verify(SECRET, text) is None


@pytest.mark.parametrize("text", ["", "=", "a", "AAAA", "%00", "x" * 100_000, "ä"])
def test_texts_that_are_no_tokens_are_none(text):
    assert tokens.verify(SECRET, text) is None


def test_strange_characters_inside_a_token_are_not_skipped():
    text = tokens.sign(SECRET, KINDS[0])
    assert tokens.verify(SECRET, text[:5] + "!" + text[5:]) is None
    assert tokens.verify(SECRET, text[:5] + "\n" + text[5:]) is None


def test_another_secret_reads_nothing():
    assert tokens.verify(b"another", tokens.sign(SECRET, KINDS[0])) is None


def test_a_token_of_one_kind_is_not_taken_for_another():
    opened, clicked, left, confirmed, tag = (tokens.sign(SECRET, token) for token in KINDS)
    assert tokens.verify_open(SECRET, opened) == KINDS[0]
    assert tokens.verify_open(SECRET, opened + ".gif") == KINDS[0]
    assert tokens.verify_click(SECRET, clicked) == KINDS[1]
    assert tokens.verify_unsubscribe(SECRET, left) == KINDS[2]
    assert tokens.verify_browser_tag(SECRET, tag, NOW) == "v1"
    assert tokens.verify_confirm(SECRET, confirmed) == KINDS[3]
    assert tokens.verify_confirm(SECRET, left) is None
    assert tokens.verify_unsubscribe(SECRET, confirmed) is None
    assert tokens.verify_unsubscribe(SECRET, opened) is None
    assert tokens.verify_click(SECRET, left) is None
    assert tokens.verify_open(SECRET, tag) is None
    assert tokens.verify_browser_tag(SECRET, opened, NOW) is None


def test_a_click_tags_the_browser_until_its_token_expires():
    click = ClickToken("v1", "s1", "https://shop.example/a?b=c#e", NOW)
    before = urlsplit(tokens.destination(SECRET, click, NOW - timedelta(seconds=1)))
    query = parse_qs(before.query)
    assert query["b"] == ["c"]
    assert before.fragment == "e"
    assert tokens.verify_browser_tag(SECRET, query["mdma_v"][0], NOW) == "v1"
    assert tokens.destination(SECRET, click, NOW) == click.url


def test_where_a_click_leads_can_stand_in_a_header():
    click = ClickToken("v1", "s1", "https://bücher.example/ü%20?x=\r\nSet-Cookie: a=b", NOW)
    leads_to = tokens.destination(SECRET, click, NOW)
    assert leads_to == "https://b%C3%BCcher.example/%C3%BC%20?x=%0D%0ASet-Cookie:%20a=b"


def test_a_browser_tag_is_believed_for_a_while_only():
    text = tokens.sign(SECRET, BrowserTag("v1", NOW))
    assert tokens.verify_browser_tag(SECRET, text, NOW + tokens.TAG_VALID) == "v1"
    late = NOW + tokens.TAG_VALID + timedelta(seconds=1)
    assert tokens.verify_browser_tag(SECRET, text, late) is None


def test_a_link_too_long_to_be_read_again_is_not_signed():
    with pytest.raises(ValueError, match="too long"):
        tokens.sign(SECRET, ClickToken("v1", "s1", "https://x/" + "a" * 5_000, NOW))


def test_a_mailbox_is_one_for_all_spellings_of_an_address():
    assert tokens.mailbox_hash(SECRET, " ANN@example.com") == tokens.mailbox_hash(
        SECRET, "ann@example.com"
    )
    assert tokens.mailbox_hash(SECRET, "a@b.c") != tokens.mailbox_hash(b"another", "a@b.c")
    assert len(tokens.mailbox_hash(SECRET, "a@b.c")) == 24
