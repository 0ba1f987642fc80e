"""Show the console a template as one real reader would get it, and send one to try it.

Rules
1. It is composed by the code that composes what goes out, for the newest version of the rules or the published one.
2. Its links are signed with another key: looking at a preview, or trying one out, opens, clicks and unsubscribes
   nobody.
3. A test goes to one address, twenty an hour for one user; never to an address that is never written to again.
4. Where links lead is asked only when a person wants to know; what is being written is kept nowhere.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import msgspec

from agents.behavior_bot.greeting import greeting
from agents.rules.compiled import CONFIRM_TEMPLATE, CompiledRules, spoken_in
from agents.runtime.readers import StoreReader
from agents.runtime.views import VERSIONS
from config.load import RulesInvalid, compile_files, compile_template
from config.templates import lacking_without_event
from messaging.gateway.console.attempts import Attempts
from messaging.gateway.console.mailings import Draft, Preview, TemplateLine, TemplatesNow
from messaging.gateway.problems import ProblemError
from messaging.mail.asking import AsksLinks, LinkAnswer, LinkAsker
from messaging.mail.compose import Sender, TemplateFailed, TemplateText, compose
from messaging.mail.judging import Judgement, Reading, judged, links_of
from messaging.mail.reading import parse_mail
from messaging.mail.targets import untold
from messaging.mail.templates import NOW
from messaging.mail.tokens import mailbox_hash, verify_click
from messaging.ports import Clock, MailTransport, Store
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.errors import RuleError
from messaging.vocabulary.ids import TEST_SEND, derive
from messaging.vocabulary.plans import SendPlan
from scripts.refused import Refusals
from scripts.rules import files_of, newest
from scripts.rules import published as published_of
from scripts.visible import shown

TESTS_MAX, TESTS_WINDOW_SECONDS = 20, 3_600.0
CHECKS_MAX = 30
"""Times that one user may have links asked in that window: others' servers answer for it."""

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
        asks: asks links whether anything is there; None: nobody is asked.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        post: Post,
        transport: Callable[[], MailTransport],
        asks: AsksLinks | None = None,
    ) -> None:
        self._store = store
        self._reader = StoreReader(store)
        self._clock = clock
        self._post = post
        self._key = hmac.digest(post.key, b"mdma preview", "sha256")
        self._make_transport = transport
        self._transport: MailTransport | None = None
        self._tests = Attempts(TESTS_MAX, TESTS_WINDOW_SECONDS)
        self._checks = Attempts(CHECKS_MAX, TESTS_WINDOW_SECONDS)
        self._asks = asks or LinkAsker(is_outside_open=False)
        self._refusals = Refusals(store.refusals, clock)
        self._sent = 0
        self._rules: dict[int, CompiledRules] = {}

    async def templates(self, part: str = "") -> TemplatesNow:
        """Return the templates of the newest version in whose name or subject a text stands."""
        rules = await self._newest()
        if rules is None:
            return TemplatesNow(version=0, is_published=False, templates=[])
        failed = await self._refusals.failed()
        lines = [
            TemplateLine(
                name=name,
                subject=shown(each.subject),
                used=_used(rules, name),
                failed=failed[name],
            )
            for name, each in sorted(rules.templates.items())
            if part.casefold() in f"{name}\n{each.subject}".casefold()
        ]
        is_published = rules.version == await published_of(self._store)
        return TemplatesNow(version=rules.version, is_published=is_published, templates=lines)

    async def preview(
        self, name: str, visitor: str, draft: Draft | None = None, *, published: bool = False
    ) -> Preview | None:
        """Return a template as a visitor would get it."""
        sent, newest = await self._published(), await self._newest()
        rules, reader = sent if published else newest, await self._reader_of(visitor)
        if rules is None or newest is None or reader is None:
            return None
        errors: list[RuleError] = []
        if draft is not None:
            rules, errors = await self._drafted(rules, name, draft)
        if name not in rules.templates and not errors:
            return None
        known: dict[str, Any] = {
            "name": name,
            "version": rules.version,
            "visitor": visitor,
            "who": shown(reader[0]) if visitor else "",
            "used": _used(rules, name),
            "newest": newest.version,
            "goes_out": sent.version if sent is not None and name in sent.templates else 0,
            "is_what_goes_out": sent is not None and _is_alike(sent, rules, name),
            "refused": await self._refusals.of(name),
        }
        if errors:
            return _unread(known, errors)
        template = rules.templates[name]
        known["by_itself"] = await asyncio.to_thread(lacking_without_event, name, template)
        reader = reader[0], greeting(reader[1], rules.spoken)
        try:
            raw = await asyncio.to_thread(self._composed, rules, name, reader, visitor)
        except TemplateFailed as error:
            failed = shown(str(error))
            wrong = [Judgement("wrong", f"it cannot be composed for this reader: {failed}")]
            return Preview(**known, failed=failed, mail=None, judgements=wrong)
        mail = parse_mail(raw)
        reading = self._reading(rules, name, reader[1])
        found = judged(mail, postal_address=self._post.postal_address, reading=reading)
        return Preview(
            **known,
            failed="",
            mail=mail,
            judgements=found,
            links=links_of(mail, reading),
            is_marketing=bool(reading.leaves),
        )

    async def ask_links(self, links: list[str], by: str) -> list[LinkAnswer]:
        """Ask whether anything is where these links lead."""
        seconds = self._checks.take(by, self._clock.machine())
        if seconds:
            said = f"you checked links {CHECKS_MAX} times within an hour: try again in {seconds / 60:.0f} minutes"
            raise ProblemError(429, said, retry_after_seconds=int(seconds) + 1)
        return await self._asks.ask(links)

    async def _drafted(
        self, rules: CompiledRules, name: str, draft: Draft
    ) -> tuple[CompiledRules, list[RuleError]]:
        """Return the rules with a template as somebody is writing it, and what keeps it from being read."""
        files = await files_of(self._store, draft.base) or {}
        file = f"templates/{name}.yaml"
        layouts = {each: text for each, text in files.items() if each.startswith("layouts/")}
        try:
            made = await asyncio.to_thread(compile_template, {**layouts, file: draft.text}, name)
        except RulesInvalid as error:
            return rules, error.errors
        templates = {**rules.templates, name: made}
        return replace(rules, templates=templates, spoken=spoken_in(templates.values())), []

    def _reading(self, rules: CompiledRules, name: str, traits: dict[str, Any]) -> Reading:
        """Return how the links of a preview are read: behind the tracked ones, which its own key signed."""
        base, now = self._post.public_url.rstrip("/"), self._clock.now()
        tracked, leave = f"{base}/c/", f"{base}/u/"
        plan = self._plan(rules, name, now)

        def target_of(link: str) -> str:
            click = verify_click(self._key, link.removeprefix(tracked))
            return click.url if link.startswith(tracked) and click is not None else link

        sender = self._sender(rules, name)
        known = {
            **(traits | SAMPLE if plan.success else traits),
            NOW: now,
            "unsubscribe_url": leave,
            "confirm_url": f"{base}/confirm/",
            "postal_address": self._post.postal_address,
            "shop_name": sender.name,
            "shop_url": sender.url,
        }
        return Reading(
            target_of=target_of,
            leaves=leave if plan.marketing else "",
            own=(leave, f"{base}/confirm/"),
            untold=untold(rules.templates[name].html, known),
        )

    async def send_test(self, name: str, to: str, by: str, draft: Draft | None = None) -> str:
        """Send a template to an address of our own. What is known of a visitor goes to nobody else."""
        rules = await self._newest()
        if rules is not None and draft is not None:
            rules, errors = await self._drafted(rules, name, draft)
            if errors:
                return f"its file cannot be read: line {errors[0].line}: {shown(errors[0].problem, 300)}"
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
        return await self._compiled(await newest(self._store))

    async def _published(self) -> CompiledRules | None:
        return await self._compiled(await published_of(self._store))

    async def _compiled(self, version: int) -> CompiledRules | None:
        """Return a version; compiled once, since it never changes, and kept while it is one of two."""
        if version and version not in self._rules:
            row = await self._store.get_document(VERSIONS, str(version))
            assert row is not None, "a version that is named is there"
            made = await asyncio.to_thread(compile_files, row["files"], version, row.get("html"))
            kept = list(self._rules.items())[-1:]
            self._rules = {**dict(kept), version: made}
        return self._rules[version] if version else None

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
            send_id=f"{TEST_SEND}{derive('test', name, str(self._clock.machine()), str(self._sent))}",
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


def _is_alike(sent: CompiledRules, shown_by: CompiledRules, name: str) -> bool:
    """Return whether two versions hold the same template, to the letter."""
    return name in sent.templates and sent.templates[name] == shown_by.templates.get(name)


def _unread(known: dict[str, Any], errors: list[RuleError]) -> Preview:
    """Return the preview of a draft that cannot be read: every error by its line."""
    wrong = [
        Judgement(
            "wrong",
            f"line {each.line}: {shown(each.problem, 300)}"
            + (f" ({shown(each.hint)})" if each.hint else ""),
        )
        for each in errors
    ]
    return Preview(**known, failed=wrong[0].said, mail=None, judgements=wrong)


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
