"""Compose the parts: here ports meet their implementations, inside the process that runs them.

Rules
1. `build` is called in an actor, on the part's own loop: clients of MongoDB and SMTP belong to it.
2. An actor knows nothing but its name and the JSON of `Wiring`: with those it comes back from any crash.
3. Secrets travel in that JSON alone; they are in no repr and no log.
"""

from __future__ import annotations

import os
import random
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from pydantic import SecretStr

from agents.protocol.bot import View
from agents.runtime.build import build_of_code
from agents.runtime.garbage import collect_seldom
from agents.runtime.postman import Letterpress, Postman
from agents.runtime.registry import IDENTITY, WIRING, senders_of
from agents.runtime.scout import Scout
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from agents.runtime.trainer import Trainer
from agents.runtime.views import ViewLoader, ViewSettings
from config.load import compile_files
from config.settings import Settings, look_ups_stay_here
from messaging.clock import GatedClock, RealClock
from messaging.journal.mongo import MongoJournal
from messaging.mail.compose import Sender, TemplateText, compose
from messaging.mail.pool import SmtpPool
from messaging.mail.target import parse_smtp_url
from messaging.mail.tokens import key_hash, mailbox_hash
from messaging.ports import Peers
from messaging.store.connection import Connection, connect
from messaging.store.mongo import MongoStore
from messaging.vocabulary.effects import HandOver
from scripts.logs import configure
from scripts.made_past import MadeUpPast
from scripts.parts import ShardPart, ViewBox
from scripts.training import TrainingProcess

if TYPE_CHECKING:
    from messaging.social.look_ups import WebLookUps

BOT_NICENESS = 15
"""Who waits for an acknowledgement goes before what can be caught up with. Not 19: whatever else runs on the machine
must not stop the bots either. 10 and 19 made no difference that could be told from the neighbours' noise."""

log = structlog.get_logger()


class Made(msgspec.Struct, kw_only=True):
    """Hold what `up` makes where the settings leave it open."""

    mongo_url: str = ""
    smtp_url: str = ""
    secret: str = ""
    write_keys: list[str] = []
    admin_token: str = ""
    port: int = 0
    public_url: str = ""
    mail_folder: str = ""
    """Where the built-in sink keeps e-mails; empty where it does not run."""
    demo: bool = False


class LookUpPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Say whom the Social bot asks, and how often."""

    gravatar_url: str
    webfinger_url: str
    resolver: str
    allow: list[str]
    per_second: float
    stays_here: bool
    """True: nobody is asked but those that `allow` names."""


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """Hold all that a part needs to know of its system. Written by `up`, read in the actors."""

    mongo_url: str
    mongo_db: str
    smtp_url: str
    secret: str
    write_keys: list[str]
    admin_token: str
    host: str
    port: int
    public_url: str
    sender: str
    postal_address: str
    shards: dict[str, int]
    holdout: float
    consent: str
    learning: bool
    retrain_days: int = 7
    log: str
    log_folder: str
    mail_folder: str = ""
    """Where the built-in SMTP sink keeps its e-mails; empty where there is none."""
    hook_secrets: dict[str, list[str]] = {}
    alert_email: str = ""
    alert_webhook: str = ""
    alert_webhook_secret: str = ""
    alert_webhook_private: bool = False
    webhook_secret: str = ""
    webhook_private: bool = False
    demo: bool = False
    """The gateway serves the shop, and e-mails lead into it."""
    look_ups: LookUpPlaces | None = None
    """None: the Social bot does not run."""

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Wiring({self.host}:{self.port}, {self.shards})"

    @property
    def key(self) -> bytes:
        """Return the key that signs tokens and hashes addresses."""
        return self.secret.encode()


def wiring_of(settings: Settings, made: Made, *, log_folder: Path) -> Wiring:
    """Return the wiring of settings and of what `up` made where they say nothing."""
    return Wiring(
        mongo_url=made.mongo_url,
        mongo_db=settings.mongo_db if "mongo_db" in settings.model_fields_set else "",
        smtp_url=made.smtp_url,
        secret=made.secret,
        write_keys=made.write_keys,
        admin_token=made.admin_token,
        host=settings.host,
        port=made.port,
        public_url=made.public_url,
        sender=settings.sender or "",
        postal_address=settings.postal_address,
        shards=shards_of(settings),
        holdout=settings.holdout,
        consent=settings.consent,
        learning=settings.learning,
        retrain_days=settings.retrain_days,
        log=settings.log,
        log_folder=str(log_folder),
        mail_folder=made.mail_folder,
        hook_secrets={
            "stripe": [each.get_secret_value() for each in settings.stripe_secrets],
            "shopify": [each.get_secret_value() for each in settings.shopify_secrets],
        },
        alert_email=settings.alert_email or "",
        alert_webhook=_revealed(settings.alert_webhook),
        alert_webhook_secret=_revealed(settings.alert_webhook_secret),
        alert_webhook_private=settings.alert_webhook_private,
        webhook_secret=_revealed(settings.webhook_secret),
        webhook_private=settings.webhook_private,
        demo=made.demo,
        look_ups=look_up_places(settings) if settings.social else None,
    )


def look_up_places(settings: Settings) -> LookUpPlaces:
    """Return whom these settings let the Social bot ask."""
    return LookUpPlaces(
        gravatar_url=settings.social_gravatar_url,
        webfinger_url=settings.social_webfinger_url,
        resolver=settings.social_resolver,
        allow=settings.social_allow,
        per_second=settings.social_rate,
        stays_here=look_ups_stay_here(settings),
    )


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value().strip() if secret is not None else ""


def shards_of(settings: Settings) -> dict[str, int]:
    """Return bot -> number of shards, for every bot that runs: Social does so only where it is wanted."""
    given: dict[str, int] = {str(bot): shards for bot, shards in settings.bots.items()}
    return {bot: given.get(bot, 1) for bot in WIRING if bot != "social" or settings.social}


def configure_logs(name: str, wiring: str) -> None:
    """Let an actor write its log into a file of its own."""
    read = read_wiring(wiring)
    configure(read.log, Path(read.log_folder) / f"{name}.log")


def read_wiring(text: str) -> Wiring:
    """Read a wiring's JSON."""
    return msgspec.json.decode(text, type=Wiring)


def connected(wiring: Wiring) -> Connection:
    """Return a connection to the system's database."""
    connection = connect(wiring.mongo_url)
    if wiring.mongo_db:
        connection.database = connection.client[wiring.mongo_db]
    return connection


def view_loader(store: MongoStore, wiring: Wiring) -> ViewLoader:
    """Return the loader of views for these settings."""
    settings = ViewSettings(
        mailbox=lambda address: mailbox_hash(wiring.key, address),
        veil=lambda key: key_hash(wiring.key, key),
        holdout=wiring.holdout,
        consent=wiring.consent,
        learning=wiring.learning,
        social="social" in wiring.shards,
    )
    return ViewLoader(store, settings, compile_files)


async def build(name: str, wiring: str, clock: RealClock, peers: Peers) -> Any:
    """Return the part of this name (`agents.cluster.part.Factory`)."""
    collect_seldom()
    read = read_wiring(wiring)
    kind, _, number = name.rpartition("-")
    if kind == "gateway":
        # Imported here: a shard's process starts a second sooner without the gateway's libraries.
        from scripts.gateway_part import build_gateway

        return await build_gateway(name, read, clock, peers)
    os.nice(BOT_NICENESS)  # of this thread and of those it starts: they do the bot's work
    return await _shard(kind, int(number), read, clock, peers)


async def _shard(bot: str, index: int, wiring: Wiring, clock: RealClock, peers: Peers) -> ShardPart:
    connection = connected(wiring)
    store = MongoStore(connection)
    wired = WIRING[bot]
    views = ViewBox(view_loader(store, wiring), store)
    await views.first()
    trainer = _trainer(wiring, views, store, clock) if wired.trains else None
    pool = SmtpPool(parse_smtp_url(wiring.smtp_url)) if wired.hands_mail_over else None
    web = web_look_ups(wiring.look_ups, clock) if wired.looks_up and wiring.look_ups else None
    spec = ShardSpec(
        bot=wired.make(),
        index=index,
        of=wiring.shards[bot],
        shards=wiring.shards,
        senders=senders_of(bot, wiring.shards),
        store=store,
        peers=peers,
        clock=clock,
        view=views.view,
        log=log,
        jitter=random.random,  # spreads retries: no decision hangs on it
        journal=MongoJournal(connection) if wired.reads_journal else None,
        identity=IDENTITY if wired.reads_journal else None,
        postman=Postman(pool, Letters(wiring, views), clock) if pool is not None else None,
        scout=Scout(web, clock) if web is not None else None,
        trainer=trainer,
        may_linger=not isinstance(clock, GatedClock),
        build=build_of_code(),
    )
    used = [each for each in (pool, web) if each is not None]
    return ShardPart(Shard(spec), views, connection, store, used)


def web_look_ups(places: LookUpPlaces, clock: RealClock) -> WebLookUps:
    """Return what asks others about an address. Imported here: only Social's process needs it."""
    from messaging.names import Resolve, machine_names, nameserver
    from messaging.social.fetch import Fetcher
    from messaging.social.look_ups import WebLookUps
    from messaging.social.places import place_of
    from messaging.social.turns import Turns

    resolve: Resolve = machine_names
    if places.resolver:
        resolve = nameserver(*place_of(places.resolver))
    fetcher = Fetcher(
        Turns(clock, places.per_second),
        allowed=frozenset(places.allow),
        is_outside_open=not places.stays_here,
        resolve=resolve,
    )
    urls = {"gravatar_url": places.gravatar_url, "webfinger_url": places.webfinger_url}
    return WebLookUps(fetcher, clock, **urls)


def _trainer(wiring: Wiring, views: ViewBox, store: MongoStore, clock: RealClock) -> Trainer:
    return Trainer(
        store=store,
        clock=clock,
        teacher=MadeUpPast() if wiring.demo else TrainingProcess(),
        rules=lambda: views.view.rules,
        every_hours=24 * wiring.retrain_days,
        log=log,
    )


class Letters:
    """Compose e-mails from the version of the rules that each send was planned under.

    Parameters:
        wiring: sender, postal address, public address, key.
        views: where the versions are.
    """

    def __init__(self, wiring: Wiring, views: ViewBox) -> None:
        self._wiring = wiring
        self._views = views
        self._own = parseaddr(wiring.sender)
        self._shop = wiring.public_url if wiring.demo else ""

    def __call__(self, visitor: str, act: HandOver) -> Letterpress:
        """Return one e-mail. Raise ValueError where it cannot be composed."""
        plan, wiring = act.plan, self._wiring
        rules = self._rules(plan.rules_version)
        template = rules.templates.get(plan.template) if rules is not None else None
        if template is None:
            raise ValueError(f"template {plan.template} of version {plan.rules_version} is gone")
        sender = self._sender(rules, plan.sender)
        message = compose(
            TemplateText(template.subject, template.preheader, template.html, template.text),
            plan.variables,
            plan=plan,
            visitor=visitor,
            address=act.address,
            sender=sender,
            postal_address=wiring.postal_address,
            public_url=wiring.public_url,
            secret=wiring.key,
            date=act.at,
        )
        return Letterpress(sender.address, act.address, message)

    def _rules(self, version: int) -> Any:
        view: View = self._views.view
        return view.pinned.get(version)

    def _sender(self, rules: Any, name: str) -> Sender:
        """Return who writes; the setting replaces name and address, not where the shop is."""
        written = rules.senders.get(name)
        url = self._shop or (written.url if written is not None else "")
        own_name, own_address = self._own
        if own_address:
            return Sender(own_name or own_address, own_address, url)
        if written is None:
            raise ValueError(f"sender {name} is gone")
        return Sender(written.name, written.address, url)
