"""Show the console a template as one real reader would get it, and send one to try it.

Rules
1. It is composed by the very code that composes what goes out, for the newest version of the rules.
2. Its links are signed with another key: looking at a preview, or trying one out, opens, clicks and unsubscribes
   nobody.
3. A test goes to one address, twenty an hour for one user; never to an address that is never written to again.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import msgspec

from agents.rules.compiled import CONFIRM_TEMPLATE, CompiledRules
from agents.runtime.readers import StoreReader
from agents.runtime.views import VERSIONS
from config.load import compile_files
from messaging.gateway.console.attempts import Attempts
from messaging.gateway.console.mailings import Preview, TemplateLine, TemplatesNow
from messaging.mail.compose import Sender, TemplateFailed, TemplateText, compose
from messaging.mail.judging import Judgement, judged
from messaging.mail.reading import parse_mail
from messaging.mail.tokens import mailbox_hash
from messaging.ports import Clock, MailTransport, Store
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.ids import derive
from messaging.vocabulary.messages import SendPlan
from scripts.rules import newest, published
from scripts.visible import shown

TESTS_MAX, TESTS_WINDOW_SECONDS = 20, 3_600.0

NOBODY = "reader@example.com"
"""Who gets a preview for nobody in particular."""

SAMPLE = {"order_id": "A-1001", "order_value": 49.0, "order_currency": "EUR"}
"""What the success e-mail may name besides the traits."""


class Post(msgspec.Struct, frozen=True):
    """Hold how this system writes."""

    key: bytes
    public_url: str
    sender: str = ""
    """`Name <address>` of the settings; empty: the rules' own sender."""
    postal_address: str = ""
    shop_url: str = ""
    """Where the shop is, if not where the rules' sender says."""

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Post({self.public_url})"


class StoredMailings:
    """Implement `messaging.gateway.console.mailings.Mailings`.

    Parameters:
        store: where versions and visitors are.
        clock: tells world time.
        post: how this system writes.
        transport: makes what hands a test over, when the first is sent.
    """

    def __init__(
        self, store: Store, clock: Clock, post: Post, transport: Callable[[], MailTransport]
    ) -> None:
        self._store = store
        self._reader = StoreReader(store)
        self._clock = clock
        self._post = post
        self._key = hmac.digest(post.key, b"mdma preview", "sha256")
        self._make_transport = transport
        self._transport: MailTransport | None = None
        self._tests = Attempts(TESTS_MAX, TESTS_WINDOW_SECONDS)
        self._sent = 0
        self._rules: CompiledRules | None = None

    async def templates(self, part: str = "") -> TemplatesNow:
        """Return the templates of the newest version in whose name or subject a text stands."""
        rules = await self._newest()
        if rules is None:
            return TemplatesNow(version=0, is_published=False, templates=[])
        lines = [
            TemplateLine(name=name, subject=shown(each.subject), used=_used(rules, name))
            for name, each in sorted(rules.templates.items())
            if part.casefold() in f"{name}\n{each.subject}".casefold()
        ]
        is_published = rules.version == await published(self._store)
        return TemplatesNow(version=rules.version, is_published=is_published, templates=lines)

    async def preview(self, name: str, visitor: str) -> Preview | None:
        """Return a template as a visitor would get it."""
        rules = await self._newest()
        reader = await self._reader_of(visitor)
        if rules is None or name not in rules.templates or reader is None:
            return None
        known: dict[str, Any] = {
            "name": name,
            "version": rules.version,
            "visitor": visitor,
            "who": shown(reader[0]) if visitor else "",
            "used": _used(rules, name),
        }
        try:
            raw = await asyncio.to_thread(self._composed, rules, name, reader, visitor)
        except TemplateFailed as error:
            failed = shown(str(error))
            wrong = [Judgement("wrong", f"it cannot be composed for this reader: {failed}")]
            return Preview(**known, failed=failed, mail=None, judgements=wrong)
        mail = parse_mail(raw)
        found = judged(mail, postal_address=self._post.postal_address)
        return Preview(**known, failed="", mail=mail, judgements=found)

    async def send_test(self, name: str, to: str, by: str) -> str:
        """Send a template to an address of our own. What is known of a visitor goes to nobody else."""
        rules = await self._newest()
        if rules is None or name not in rules.templates:
            return "there is no such template any more"
        try:
            address = written_address(to)
        except AddressRefused as error:
            return f"the address cannot be written to: {error}"
        if await self._store.suppressed([mailbox_hash(self._post.key, address)]):
            return "this address is never written to again: its owner left"
        seconds = self._tests.take(by, self._clock.machine())
        if seconds:
            return f"you sent {TESTS_MAX} tests within an hour: try again in {seconds / 60:.0f} minutes"
        try:
            raw = await asyncio.to_thread(self._composed, rules, name, (address, {}), "")
        except TemplateFailed as error:
            return f"it cannot be composed for this reader: {shown(str(error))}"
        sender = self._sender(rules, name).address
        outcome = await self._handing().send(sender, address, raw)
        if outcome.outcome == "handed over":
            return "sent"
        return f"{outcome.outcome}: {shown(outcome.reason)} ({outcome.code})"

    async def close(self) -> None:
        """Close the connections of tests, if there were any."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            await close()

    def _handing(self) -> MailTransport:
        if self._transport is None:
            self._transport = self._make_transport()
        return self._transport

    async def _newest(self) -> CompiledRules | None:
        """Return the newest version; compiled once, since it never changes."""
        version = await newest(self._store)
        if version and (self._rules is None or self._rules.version != version):
            row = await self._store.get_document(VERSIONS, str(version))
            assert row is not None, "the newest is there"
            self._rules = await asyncio.to_thread(
                compile_files, row["files"], version, row.get("html")
            )
        return self._rules if version else None

    async def _reader_of(self, visitor: str) -> tuple[str, dict[str, Any]] | None:
        """Return (address, traits) of a visitor, of nobody in particular for an empty id; None if unknown."""
        if not visitor:
            return NOBODY, {}
        found = await self._reader.visitor(visitor)
        return (found["email"] or NOBODY, found["traits"]) if found is not None else None

    def _composed(
        self, rules: CompiledRules, name: str, reader: tuple[str, dict[str, Any]], visitor: str
    ) -> bytes:
        template, now = rules.templates[name], self._clock.now()
        address, traits = reader
        plan = self._plan(rules, name, now)
        return compose(
            TemplateText(template.subject, template.preheader, template.html, template.text),
            traits | SAMPLE if plan.success else traits,
            plan=plan,
            visitor=visitor or "0" * 24,
            address=address,
            sender=self._sender(rules, name),
            postal_address=self._post.postal_address,
            public_url=self._post.public_url,
            secret=self._key,
            date=now,
        )

    def _plan(self, rules: CompiledRules, name: str, now: datetime) -> SendPlan:
        self._sent += 1
        return SendPlan(
            send_id=f"test-{derive('test', name, str(self._clock.machine()), str(self._sent))}",
            path="",
            run="",
            stage="",
            step="",
            attempt=0,
            template=name,
            rules_version=rules.version,
            entered_at=now,
            sender="",
            success=any(path.success.template == name for path in rules.paths.values()),
            confirms=name == CONFIRM_TEMPLATE,
        )

    def _sender(self, rules: CompiledRules, name: str) -> Sender:
        """Return who writes: as `scripts.compose.Letters` does."""
        paths = [path for path in rules.paths.values() if name in set(_templates_of(path))]
        names = [path.sender for path in paths] + list(rules.senders)
        written = rules.senders.get(names[0]) if names else None
        url = self._post.shop_url or (written.url if written is not None else "")
        own_name, own_address = parseaddr(self._post.sender)
        if own_address:
            return Sender(own_name or own_address, own_address, url)
        if written is None:
            raise TemplateFailed("the rules name no sender")
        return Sender(written.name, written.address, url)


def _templates_of(path: Any) -> Iterator[str]:
    for stage in path.stages:
        yield from (template for template, _ in stage.email.templates)
    if path.success.template:
        yield path.success.template


def _used(rules: CompiledRules, name: str) -> str:
    """Return where a template is used, in words."""
    found = [
        f"{path.name}, {'step' if path.steps else 'stage'} {stage.name}"
        for path in rules.paths.values()
        for stage in path.stages
        if any(template == name for template, _ in stage.email.templates)
    ]
    found += [
        f"{path.name}, when the goal is reached"
        for path in rules.paths.values()
        if path.success.template == name
    ]
    if name == CONFIRM_TEMPLATE:
        found.append("asks to confirm an address")
    return "; ".join(found)
