"""The e-mails of the routine that ships, as readers get them: complete, readable, in any light, never clipped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from html import unescape
from html.parser import HTMLParser

import pytest
import yaml

from agents.runtime.views import ViewLoader, ViewSettings
from config.load import DEFAULTS, compile_files, compile_folder, read_folder, write_folder
from messaging.mail import tokens
from messaging.mail.compose import Sender, TemplateText, compose
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.plans import SendPlan
from scripts import rules as versions

SECRET = b"a secret of play"
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
PUBLIC = "https://mdma.example"
ADDRESS = '12 King\'s "New" Road, Port Town'
GMAIL_CLIPS_AT = 102_000
ORDER = {"order_id": "A-1001", "order_value": 59.9, "order_currency": "EUR"}

RULES = compile_folder(DEFAULTS, 1)
NAMES = sorted(RULES.templates)
CONFIRMS = "confirm-address"
LAYOUT = read_folder(DEFAULTS)["layouts/letter.mjml"]


def mail_of(name, **variables):
    """Return (message, text, HTML) of a template as it would be sent."""
    template = RULES.templates[name]
    success = name == "thank-you"
    plan = SendPlan(
        send_id="abc123",
        path="lead-to-customer",
        run="1",
        stage="invited",
        step="invitation",
        attempt=1,
        template=name,
        rules_version=1,
        entered_at=NOW,
        sender="shop",
        success=success,
        confirms=name == CONFIRMS,
    )
    raw = compose(
        TemplateText(template.subject, template.preheader, template.html, template.text),
        (ORDER if success else {}) | variables,
        plan=plan,
        visitor="v1",
        address="ann@example.com",
        sender=Sender("Hill & Harbour", "hello@shop.example", "https://shop.example"),
        postal_address=ADDRESS,
        public_url=PUBLIC,
        secret=SECRET,
        date=NOW,
    )
    message = message_from_bytes(raw, policy=policy.default)
    text, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    return message, text, html


class Page(HTMLParser):
    """Collect what the tests ask of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.seen = ""
        self._unseen = []
        self.feed(html)
        self.words = " ".join(self.seen.split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag in ("style", "title") or "display:none" in (attributes.get("style") or ""):
            self._unseen.append(tag)

    def handle_endtag(self, tag):
        if self._unseen and self._unseen[-1] == tag:
            self._unseen.pop()

    def handle_data(self, data):
        if not self._unseen:
            self.seen += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("name", NAMES)
class TestEveryDefaultEmail:
    def test_has_a_preheader_before_all_else_that_is_not_the_subject_again(self, name):
        message, _, html = mail_of(name)
        body = html[html.index("<body") :]
        hidden = re.search(r'<div style="display:none[^>]*>([^&<]+)', body)
        assert hidden is not None
        assert 15 <= len(hidden[1]) <= 90
        assert hidden[1] != message["Subject"]
        assert body.index(hidden[1]) < body.index("Hill &amp; Harbour")

    def test_has_a_written_text_part_that_says_what_the_html_says(self, name):
        _, text, html = mail_of(name, firstName="Ann")
        words = Page(html).words
        # Whoever typed the address may not own it: a stranger's words must not reach them by a name.
        assert text.startswith("Hello,\n\n" if name == CONFIRMS else "Hi Ann,\n\n")
        assert not re.search(r"[<>{}]|&\w+;|%}", text)
        assert all(len(line) <= 78 for line in text.splitlines() if "https://" not in line)
        button = re.search(r"^(.+): https://mdma\.example/c/", text, re.MULTILINE)
        assert button is not None
        assert button[1] in words
        for paragraph in text.split("\n\n")[1:-3]:
            sentence = re.split(r"[.:?] ?", paragraph.removeprefix("- ").replace("\n", " "))[0]
            assert sentence.removeprefix("Thank you for your order") in words

    def test_can_be_left_with_one_click_and_says_who_writes(self, name):
        message, text, html = mail_of(name)
        leave = message["List-Unsubscribe"].strip("<>")
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        links = [a for a in Page(html).all("a") if a["href"] == leave]
        assert len(links) == 1, "the layout's own, and none added below it"
        assert text.count(leave) == 1
        assert unescape(html).count(ADDRESS) == 1
        assert text.count(ADDRESS) == 1

    def test_leads_every_other_link_through_us_to_the_shop(self, name):
        message, _, html = mail_of(name)
        leave = message["List-Unsubscribe"].strip("<>")
        links = [a["href"] for a in Page(html).all("a") if a["href"] != leave]
        ours = [each for each in links if each.startswith(f"{PUBLIC}/confirm/")]
        assert len(ours) == (name == CONFIRMS)
        links = [each for each in links if each not in ours]
        assert links
        for link in links:
            token = tokens.verify_click(SECRET, link.removeprefix(f"{PUBLIC}/c/"))
            assert token.url == "https://shop.example"
        pixels = [img["src"] for img in Page(html).all("img")]
        assert len(pixels) == 1, "no image but the pixel"
        seen = tokens.verify_open(SECRET, pixels[0].removeprefix(f"{PUBLIC}/o/"))
        assert seen == tokens.OpenToken("v1", "abc123")

    def test_is_far_from_being_clipped_and_goes_out_unencoded(self, name):
        message, _, html = mail_of(name, firstName="A" * 200)
        assert len(html.encode()) < GMAIL_CLIPS_AT / 4, "room for a marketer's own words"
        ways = [part["Content-Transfer-Encoding"] for part in message.iter_parts()]
        assert ways == ["7bit", "7bit"]

    def test_is_readable_to_everybody(self, name):
        message, _, html = mail_of(name)
        page = Page(html)
        assert page.all("html")[0]["lang"] == "en"
        assert f"<title>{message['Subject']}</title>" in unescape(html)
        assert all(table.get("role") == "presentation" for table in page.all("table"))
        assert len(page.all("h1")) == 1
        assert all(img["alt"] == "" for img in page.all("img"))
        named = {meta.get("name"): meta.get("content") for meta in page.all("meta")}
        assert named["color-scheme"] == named["supported-color-schemes"] == "light dark"
        assert "user-scalable" not in named["viewport"]
        assert "prefers-color-scheme: dark" in html
        assert "fonts.googleapis" not in html

    def test_has_a_button_that_any_client_draws(self, name):
        _, _, html = mail_of(name)
        cell = re.search(r'<td[^>]*bgcolor="#1d5c4d"[^>]*>\s*<a [^>]*background:#1d5c4d', html)
        assert cell is not None, "a coloured table cell around a coloured link: no image, no VML"

    def test_is_written_in_a_file_of_content_only(self, name):
        file = read_folder(DEFAULTS)[f"templates/{name}.yaml"]
        template = yaml.safe_load(file)
        assert template["layout"] == "letter"
        assert "style=" not in template["mjml"]
        assert len(file.splitlines()) <= 45


# ------------------------------------------------------------------------------------- contrast


def luminance(colour):
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("#2b3033", "#ffffff"),  # words on the card
        ("#16191b", "#ffffff"),  # headings
        ("#2b3033", "#f3f1ec"),  # words in a box
        ("#1d5c4d", "#f3f1ec"),  # the shop's name
        ("#ffffff", "#1d5c4d"),  # the button
        ("#62676a", "#f3f1ec"),  # the footer
        ("#d9d7d1", "#1d2124"),  # and all of them in the dark
        ("#f5f3ee", "#1d2124"),
        ("#d9d7d1", "#2a2f33"),
        ("#8ed8c2", "#121416"),
        ("#0f2a22", "#8ed8c2"),
        ("#a3a8aa", "#121416"),
    ],
)
def test_words_stand_out_from_their_ground(text, ground):
    assert text in LAYOUT
    assert ground in LAYOUT
    dark, light = sorted((luminance(text), luminance(ground)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5, "WCAG AA"


# --------------------------------------------------------------------------- compiled once, kept


def a_loader(store):
    return ViewLoader(store, ViewSettings(mailbox=str), compile_files)


async def test_a_version_keeps_its_html_and_sends_are_made_of_that():
    """Whatever a later release of the compiler would make of it: what was pushed is what goes out."""
    store = MemoryStore(MemoryDatabase())
    number, _ = await versions.push(store, DEFAULTS, at=NOW, by="test")
    await versions.publish(store, number, at=NOW, by="test")
    row = await store.get_document("rules_versions", str(number))
    assert row["html"] == {name: RULES.templates[name].html for name in NAMES}
    assert "{{ unsubscribe_url }}" in row["html"]["invite-hello"]
    assert "<mj-" not in "".join(row["html"].values())
    kept = row["html"] | {"invite-hello": "<p>as it was compiled then</p>"}
    await store.put_document("rules_versions", str(number), dict(row) | {"html": kept})
    view = await a_loader(store).load()
    assert view.rules.templates["invite-hello"].html == "<p>as it was compiled then</p>"


async def test_a_version_from_before_there_was_html_in_it_is_compiled_when_it_is_read():
    store = MemoryStore(MemoryDatabase())
    files = read_folder(DEFAULTS)
    await store.put_document("rules_versions", "1", {"files": files, "at": NOW, "by": "up"})
    await versions.publish(store, 1, at=NOW, by="up")
    view = await a_loader(store).load()
    assert view.rules.templates["invite-hello"].html == RULES.templates["invite-hello"].html


async def test_pull_gives_back_the_mjml_byte_for_byte(tmp_path):
    store = MemoryStore(MemoryDatabase())
    write_folder(tmp_path / "mine", read_folder(DEFAULTS))
    layout = tmp_path / "mine" / "layouts" / "letter.mjml"
    layout.write_bytes(layout.read_bytes().replace(b"\n", b"\r\n") + b"<!-- \xc3\xbc -->")
    number, _ = await versions.push(store, tmp_path / "mine", at=NOW, by="test")
    write_folder(tmp_path / "pulled", await versions.files_of(store, number))
    assert (tmp_path / "pulled/layouts/letter.mjml").read_bytes() == layout.read_bytes()
    assert read_folder(tmp_path / "pulled") == read_folder(tmp_path / "mine")
    again, made = await versions.push(store, tmp_path / "pulled", at=NOW, by="test")
    assert (again, made) == (number, False)
