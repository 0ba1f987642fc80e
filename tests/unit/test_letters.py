"""The e-mails of the routine that ships, as the composition root has them written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any, cast

import pytest

from agents.protocol.bot import View
from config.load import DEFAULTS, compile_folder
from messaging.mail.tokens import verify_click
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.plans import SendPlan
from scripts.chaos_mail import read_mail
from scripts.compose import Letters, Wiring
from scripts.parts import ViewBox

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = compile_folder(DEFAULTS, 1)
SHOP = RULES.senders["shop"].url
CONFIRMS = "confirm-address"
MARKETING = sorted(set(RULES.templates) - {"thank-you", CONFIRMS})


class Views:
    """Show one view, as a `ViewBox` does that has loaded it."""

    view = View(RULES, 1, {1: RULES}, {})


def some_letters(**changes: Any) -> Letters:
    fields = {
        "mongo_url": "",
        "mongo_db": "",
        "smtp_url": "",
        "secret": "a secret of play",
        "write_keys": [],
        "admin_token": "",
        "host": "127.0.0.1",
        "port": 80,
        "public_url": "https://mdma.example",
        "sender": "",
        "postal_address": "1 Main Street",
        "shards": {},
        "holdout": 0.0,
        "consent": "opt-in",
        "learning": False,
        "log": "",
        "log_folder": "",
    }
    return Letters(Wiring(**(fields | changes)), cast("ViewBox", Views()))


def a_hand_over(template: str, *, success: bool = False) -> HandOver:
    plan = SendPlan(
        send_id="abc123",
        path="lead-to-customer",
        run="1",
        stage="invited",
        step="invitation",
        attempt=1,
        template=template,
        rules_version=1,
        entered_at=NOW,
        sender="shop",
        success=success,
        confirms=template == CONFIRMS,
    )
    return HandOver(plan, "ann@example.com", "", NOW)


@pytest.mark.parametrize("sender", ["", "Ann's <ann@shop.example>"])
@pytest.mark.parametrize("template", MARKETING)
def test_every_marketing_mail_leads_to_the_shop_by_a_link_that_tells_of_the_click(
    template: str, sender: str
) -> None:
    letters = some_letters(sender=sender)
    mail = read_mail(letters("v1", a_hand_over(template)).message)
    token = verify_click(b"a secret of play", mail.link.rpartition("/")[2])
    assert token is not None
    assert token.url.startswith(SHOP)
    assert (token.visitor, token.send_id) == ("v1", "abc123")


def test_no_link_of_any_shipped_mail_leads_nowhere() -> None:
    for template in sorted(RULES.templates):
        content = some_letters()("v1", a_hand_over(template, success=template == "thank-you"))
        links = re.findall(r'href=3D"([^"]*)"|href="([^"]*)"', content.message.decode())
        assert all(unescape(a or b).strip() for a, b in links), template
