"""Whatever stands in a mail, a stranger's parser reads the same back, and finds nothing more."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from messaging.mail.compose import Sender, TemplateFailed, TemplateText, compose
from messaging.mail.mime import alternative
from messaging.vocabulary.plans import SendPlan

NOW = datetime(2017, 6, 1, 10, 30, tzinfo=UTC)
PLAN = SendPlan("s1", "p", "1", "new", "first", 1, "t", 1, NOW, "shop", success=True)


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t =.-"),
        max_size=2_000,
    )
)
def test_a_part_is_read_back_as_it_was_written(text):
    raw = alternative([], text=text, html=f"<p>{text}", boundary="mdma_0123")
    one, two = message_from_bytes(raw, policy=policy.default).iter_parts()
    assert one.get_payload(decode=True).decode().replace("\r\n", "\n") == text
    assert two.get_payload(decode=True).decode().replace("\r\n", "\n") == f"<p>{text}"


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_adds_a_header_a_part_or_a_recipient(name, body):
    template = TemplateText("Hi {{ n }}!", "{{ n }}", "<p>{{ b }}</p>", "{{ b }}")
    try:
        raw = compose(
            template,
            {"n": name, "b": body},
            plan=PLAN,
            visitor="v",
            address="a@b.example",
            sender=Sender(name, "shop@shop.example"),
            postal_address=body,
            public_url="https://m.example",
            secret=b"s",
            date=NOW,
        )
    except TemplateFailed:
        raise AssertionError("no text is too strange to be sent") from None
    mail = message_from_bytes(raw, policy=policy.default)
    assert len(mail.keys()) == 10
    assert mail["To"] == "a@b.example"
    assert len(list(mail.iter_parts())) == 2
    assert [a.addr_spec for a in mail["From"].addresses] == ["shop@shop.example"]
