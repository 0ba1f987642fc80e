"""What a person is told of an alert: the e-mail, the webhook's signature, and which addresses are called."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path

import msgspec
import pytest

from config.settings import SettingsInvalid, read_settings
from messaging.alerts.channels import FAILED, WebhookChannel
from messaging.alerts.mail import mail_of
from messaging.alerts.notice import body_of, notice_of
from messaging.alerts.signing import key_of, signed_headers
from messaging.alerts.webhook import WebhookClient
from messaging.outside import Refused, is_public
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS
from tests.alert_builders import ANN, rows_of_a_test_alert, rows_of_an_alert
from tests.gateway_builders import NOON

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""Of the published example of Svix, which Standard Webhooks was made from."""


def an_alert(**changes: object) -> dict[str, object]:
    row = rows_of_an_alert()[0]
    return row.fields | {"id": row.id} | changes


def test_the_published_example_is_signed_as_published() -> None:
    body = b'{"test": 2432232314}'
    headers = signed_headers(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_x!", "whsec_YWJj"]
)
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        key_of(secret)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "192.88.99.1",
        "no address",
    ],
)
def test_what_is_not_out_on_the_internet_is_not_called(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_called() -> None:
    assert all(
        is_public(each) for each in ("93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8")
    )


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/x", "https://127.0.0.1/x", "https://[::1]/x", "https://127。0。0。1/x"],
)
async def test_private_and_plain_addresses_are_refused_before_any_connection(url: str) -> None:
    client = WebhookClient(url, SECRET)
    with pytest.raises(Refused):
        await client.post("msg_1", 1, b"{}")
    await client.close()


def test_the_email_says_what_happened_and_what_to_do() -> None:
    tried = [{"attempt": 1, "template": "hello", "status": "handed over", "opened": False}]
    alert = an_alert(kind="Four attempts\r\nBcc: all@example.com", history=tried)
    notice = notice_of(alert, "email", "https://mdma.example")
    raw = mail_of(notice, sender=("Shop", "shop@a.example"), to=("", "ops@a.example"), now=NOON)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["Subject"] == "Alert: Four attempts Bcc: all@example.com (lead)"
    assert (parsed["To"], parsed["Bcc"]) == ("ops@a.example", None)
    assert parsed["Auto-Submitted"] == "auto-generated"
    body = parsed.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for words in (
        f"mdma visitor {ANN}",
        "template hello",
        "https://mdma.example/api/v1/alerts/a1/",
        "https://mdma.example/console/alerts?status=open#a-a1",
        f"https://mdma.example/console/visitors/{ANN}",
        "attempt 1, template hello, handed over, not opened",
    ):
        assert words in text
    page = parsed.get_body(("html",))
    assert page is not None
    html = page.get_content()
    assert 'href="https://mdma.example/console/alerts?status=open#a-a1"' in html
    assert "width=device-width" in html
    assert "prefers-color-scheme: dark" in html
    assert "<script" not in html
    assert "{" not in html.partition("</style>")[2]
    again = mail_of(notice, sender=("Shop", "shop@a.example"), to=("", "ops@a.example"), now=NOON)
    assert again == raw


def test_the_webhooks_body_names_the_alert_and_nobody() -> None:
    document = json.loads(body_of(notice_of(an_alert(), "webhook", "http://here")))
    assert document["type"] == "alert.opened"
    assert document["data"]["alert"] == "a1"
    assert document["data"]["history"][0]["template"] == "hello"
    assert "@" not in msgspec.json.encode(document).decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alert_webhook": "https://a.example/x"}, "MDMA_ALERT_WEBHOOK_SECRET: .* needs it"),
        ({"alert_webhook_secret": "hunter2"}, "MDMA_ALERT_WEBHOOK_SECRET: write it like whsec_"),
        (
            {"alert_webhook": "http://a.example/x", "alert_webhook_secret": SECRET},
            "MDMA_ALERT_WEBHOOK: must be https",
        ),
    ],
)
def test_settings_that_cannot_work_are_found_out_at_the_start(
    tmp_path: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=words) as raised:
        read_settings(tmp_path, **given)
    assert "hunter2" not in str(raised.value)


def test_a_private_webhook_must_be_allowed_by_name(tmp_path: Path) -> None:
    given = {"alert_webhook": "http://127.0.0.1:9/x", "alert_webhook_secret": SECRET}
    assert read_settings(tmp_path, **given, alert_webhook_private=True).alert_webhook_private


def test_an_alert_about_one_email_can_only_be_closed() -> None:
    notice = notice_of(an_alert(kind=UNCERTAIN_SUCCESS), "email", "http://here")
    raw = mail_of(notice, sender=("", "a@a.example"), to=("", "ops@a.example"), now=NOON)
    assert b"/close" in raw
    assert b"resume" not in raw
    assert b"Subject: Alert: a success e-mail may not have arrived" in raw
    assert b"uncertain" not in raw, "some of them surely did not arrive"


async def test_a_host_that_no_client_can_ask_for_fails_its_notice_and_nothing_else():
    """A label may not be empty, nor longer than 63 characters: aiohttp says so by a ValueError."""

    class Client:
        async def post(self, *_: object) -> int:
            raise UnicodeError("label empty or too long")

    channel = WebhookChannel(Client(), lambda: NOON)  # type: ignore[arg-type]
    outcome = await channel.tell(notice_of(an_alert(), "webhook", "http://here"), NOON)
    assert (outcome.status, outcome.reason) == (FAILED, "the address cannot be called")


def a_test_alert() -> dict[str, object]:
    row = rows_of_a_test_alert()[0]
    return row.fields | {"id": row.id}


def test_the_email_about_a_split_test_says_which_what_was_seen_and_what_to_do() -> None:
    notice = notice_of(a_test_alert(), "email", "https://mdma.example")
    raw = mail_of(notice, sender=("Shop", "shop@a.example"), to=("", "ops@a.example"), now=NOON)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["Subject"] == "Alert: sample ratio mismatch (lead)"
    bodies = [parsed.get_body((kind,)) for kind in ("plain", "html")]
    for body in bodies:
        assert body is not None
        text = " ".join(body.get_content().split())
        for words in (
            "Visitors of split test words (path lead, stage invited) do not come by its shares",
            "since 2017-06-01 12:00 UTC.",
            "What was expected and seen",
            "a: 401 visitors, 300.5 expected by its share of 50 %",
            "https://mdma.example/console/experiments",
            f"https://mdma.example/console/alerts?status=open#a-{notice.alert}",
            "mdma experiments",
            f"/api/v1/alerts/{notice.alert}/close",
        ):
            assert words in text, words
        for words in ("visitors/", "resume", "mdma visitor", "What was tried", "run ,"):
            assert words not in text, words
    page = bodies[1]
    assert page is not None
    assert "Look for a variant that cannot be sent" in page.get_content()


def test_the_webhook_about_a_split_test_names_the_test_and_no_visitor() -> None:
    data = json.loads(body_of(notice_of(a_test_alert(), "webhook", "http://here")))["data"]
    assert (data["visitor"], data["visitor_page"], data["policy"]) == (
        "",
        "",
        "split_test/lead/invited/words/5f1",
    )
    assert data["test_page"] == "http://here/console/experiments"
    assert data["url"] == "http://here/api/v1/alerts?status=open&path=lead"
    assert [row["seen"] for row in data["history"]] == [401, 200]
