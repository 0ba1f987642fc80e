"""Read the settings: command line, then environment, then `.env`, then `settings.yaml`.

Rules
1. What is misspelt is an error, and so is a line of a file that cannot be read; the environment is shared with others,
   so a `MDMA_…` there that is like no setting is only told (`environment`).
2. A secret shows itself only by `get_secret_value()`: not in a repr, not in an error, not in a log.
3. An error is one line that names the setting as it is written in the environment.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from agents.rules.source import parse
from config import setting_checks as checks
from config.env_file import env_problems
from config.environment import near, strangers
from messaging.social.places import is_named
from messaging.vocabulary.errors import MdmaError, RuleError

PREFIX = "MDMA_"
FILE = "settings.yaml"
SPEED_MAX = 10_000_000.0
"""A world-year in three seconds; the gate holds the clock back long before."""

BotName = Literal["behavior", "rules", "engagement", "email", "sales", "social", "learner"]


class SettingsInvalid(MdmaError):  # noqa: N818 - a fact, like all of ours
    """Say which settings are wrong; `problems` holds one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _speed(value: Any) -> Any:
    return SPEED_MAX if value == "max" else checks.number(value)


_MONGO_URL = checks.secret_url(("mongodb", "mongodb+srv"))
_SMTP_URL = checks.secret_url(("smtp", "smtps", "smtp+starttls"))
_WEB_HOOK = checks.secret_url(("https", "http"))
_NUMBER = BeforeValidator(checks.number)


class Settings(BaseSettings):
    """Hold every setting; each is `MDMA_<NAME>` in the environment and `<name>` in `settings.yaml`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    host: str = "127.0.0.1"
    port: Annotated[int, _NUMBER, Field(ge=0, le=65535)] = 8080
    public_url: Annotated[str, AfterValidator(checks.public_url)] | None = None
    """Where visitors reach the gateway; None: `http://<host>:<port>`."""
    data: Path = Path(".mdma")
    """Where embedded parts keep their files."""
    config: Path | None = None
    """Folder that `up` publishes when the store is empty; None: the shipped routine."""
    mongo_url: Annotated[SecretStr, AfterValidator(_MONGO_URL)] | None = None
    """None: the embedded one."""
    mongo_db: Annotated[str, AfterValidator(checks.mongo_db)] = "mdma"
    ray_address: str | None = None
    """None: a Ray of our own, on this machine."""
    smtp_url: Annotated[SecretStr, AfterValidator(_SMTP_URL)] | None = None
    """None: the embedded sink, whose mail stays here."""
    sender: Annotated[str, AfterValidator(checks.sender)] | None = None
    """`Name <address>`; replaces the sender `shop` of the rules."""
    postal_address: str = ""
    alert_email: Annotated[str, AfterValidator(checks.alert_email)] | None = None
    alert_webhook: Annotated[SecretStr, AfterValidator(_WEB_HOOK)] | None = None
    alert_webhook_secret: Annotated[SecretStr, AfterValidator(checks.whsec)] | None = None
    """Signs what is sent to `alert_webhook` (Standard Webhooks): `whsec_` and base64."""
    alert_webhook_private: bool = False
    """True: `alert_webhook` may name a private address, and plain http."""
    webhook_secret: Annotated[SecretStr, AfterValidator(checks.whsec)] | None = None
    """Signs what the webhooks of paths send (Standard Webhooks); without it none is called."""
    webhook_private: bool = False
    """True: webhooks of paths may name private addresses, and plain http."""
    write_keys: Annotated[
        list[SecretStr], NoDecode, BeforeValidator(checks.keys), AfterValidator(checks.write_keys)
    ] = []
    """With commas between them, without colon or blank. Empty: `up` makes one."""
    stripe_secrets: Annotated[list[SecretStr], NoDecode, BeforeValidator(checks.keys)] = []
    """Signing secrets of `/hooks/stripe`, with commas between them: the old and the new one while they change."""
    shopify_secrets: Annotated[list[SecretStr], NoDecode, BeforeValidator(checks.keys)] = []
    """The same of `/hooks/shopify`. Empty: the route is not there."""
    admin_token: Annotated[SecretStr, AfterValidator(checks.some_secret)] | None = None
    """Best 16 characters or more. None: one is made and printed once."""
    secret: Annotated[SecretStr, AfterValidator(checks.some_secret)] | None = None
    """Signs tokens; best 16 characters or more. None: one is made and kept under `data`."""
    speed: Annotated[
        float, BeforeValidator(_speed), Field(gt=0, le=SPEED_MAX, allow_inf_nan=False)
    ] = 1.0
    """World seconds for each second; `max` is the highest."""
    clock_start: Annotated[datetime, BeforeValidator(checks.moment)] | None = None
    holdout: Annotated[float, _NUMBER, Field(ge=0, le=0.5)] = 0.05
    learning: bool = True
    """False (`off`): every visitor gets the rules' default hour and template; measuring goes on."""
    retrain_days: Annotated[int, _NUMBER, Field(ge=1, le=365)] = 7
    """World-days between two trainings of a probability."""
    social: bool = False
    """True (`on`): the Social bot asks Gravatar and the address' own domain about leads."""
    social_gravatar_url: Annotated[str, AfterValidator(checks.web_url)] = (
        "https://api.gravatar.com/v3"
    )
    social_webfinger_url: Annotated[str, AfterValidator(checks.web_url)] = "https://{domain}"
    """Where WebFinger is asked; `{domain}` stands for the address' own."""
    social_resolver: Annotated[str, AfterValidator(checks.name_server)] = ""
    """`address:port` of a name server for look-ups; empty: the machine's own."""
    social_allow: Annotated[list[str], NoDecode, BeforeValidator(checks.keys)] = []
    """`host:port` (or `host`) with commas between: those that may be private, use http and other ports than 443."""
    social_rate: Annotated[float, _NUMBER, Field(gt=0, le=1000)] = 1.0
    """Requests to one host in a second, at most."""
    consent: Literal["opt-in", "double-opt-in", "assumed"] = "opt-in"
    log: Annotated[str, AfterValidator(checks.log)] = "console:info"
    bots: dict[BotName, Annotated[int, _NUMBER, Field(ge=1, le=256)]] = {}
    """Shards of each bot; one where nothing is said."""

    @property
    def base_url(self) -> str:
        """Return where the gateway is reached, without a slash at the end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def sender_parts(self) -> tuple[str, str] | None:
        """Return the sender's (name, address), None if none is set."""
        return parseaddr(self.sender) if self.sender is not None else None

    @property
    def log_json(self) -> bool:
        """Say whether logs are JSON lines."""
        return "json" in self.log.lower()

    @property
    def log_level(self) -> str:
        """Return the lowest level that is logged."""
        levels = ("debug", "info", "warning", "error")
        return next((level for level in levels if level in self.log.lower()), "info")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the sources in their order; the YAML file comes last (`read_settings` hands it in)."""
        del dotenv_settings, file_secret_settings
        given = dict(init_settings())
        folder, file = given.pop("_folder", None), given.pop("_file", {})
        sources: list[PydanticBaseSettingsSource] = [
            InitSettingsSource(settings_cls, init_kwargs=given),
            env_settings,
        ]
        if folder is not None:
            file_of_words = Path(folder) / ".env"
            sources.append(
                DotEnvSettingsSource(
                    settings_cls, env_file=file_of_words, dotenv_filtering="match_prefix"
                )
            )
        return (*sources, InitSettingsSource(settings_cls, init_kwargs=file))


def read_settings(folder: Path | None = None, **given: Any) -> Settings:
    """Return the settings. Raise SettingsInvalid with every problem.

    Args:
        folder: where `.env` and `config/settings.yaml` are looked for; None: the working folder.
        given: what the command line said; None stands for "not said".
    """
    base = Path.cwd() if folder is None else folder
    misspelt = [f"{name}: {_none(like)}" for name, like in _strangers().items() if like]
    if unread := [*env_problems(base / ".env", PREFIX), *misspelt]:
        raise SettingsInvalid(unread)
    said = {name: value for name, value in given.items() if value is not None}
    config = said.get("config") or _configured(base)
    file = (base / "config" if config is None else base / config) / FILE
    try:
        values = _read_file(file)
        settings = Settings(**said, _folder=base, _file=values)  # type: ignore[call-arg]
    except ValidationError as error:
        problems = [
            _problem(each["loc"], each["msg"]) for each in error.errors(include_input=False)
        ]
    except SettingsError as error:  # a list or table in the environment that is no JSON
        problems = [re.sub(r'error parsing value for field "(\w+)" .*', _not_read, str(error))]
    else:
        problems = [] if settings.alert_webhook is None else _webhook_problems(settings)
        problems += _look_up_problems(settings) if settings.social else []
        if not problems:
            return settings
    raise SettingsInvalid(problems)


def _webhook_problems(settings: Settings) -> list[str]:
    """Return what is missing for `alert_webhook`: it is found out here, not at the first alert."""
    problems = []
    if settings.alert_webhook_secret is None:
        problems.append(
            f"{PREFIX}ALERT_WEBHOOK_SECRET: {PREFIX}ALERT_WEBHOOK needs it, to sign; "
            "write it like whsec_ and 24 to 64 bytes in base64"
        )
    url = settings.alert_webhook.get_secret_value().strip() if settings.alert_webhook else ""
    if not url.startswith("https://") and not settings.alert_webhook_private:
        problems.append(
            f"{PREFIX}ALERT_WEBHOOK: must be https, unless {PREFIX}ALERT_WEBHOOK_PRIVATE=on"
        )
    return problems


def _look_up_problems(settings: Settings) -> list[str]:
    """Return which places of look-ups would never be asked: they need a word of whoever set the system up."""
    problems = []
    for name in ("social_gravatar_url", "social_webfinger_url"):
        parts = urlsplit(getattr(settings, name))
        port = parts.port or (443 if parts.scheme == "https" else 80)
        is_plain = (parts.scheme, port) == ("https", 443) and not is_loopback(parts.hostname or "")
        if not is_plain and not is_named(parts.hostname or "", port, settings.social_allow):
            problems.append(
                f"{PREFIX}{name.upper()}: only https on port 443 is asked; "
                f"name {parts.hostname}:{port} in {PREFIX}SOCIAL_ALLOW if you mean it"
            )
    return problems


def _configured(base: Path) -> str | None:
    """Return the folder that MDMA_CONFIG names: it must be known before the file in it can be."""
    name = f"{PREFIX}CONFIG"
    if os.environ.get(name):
        return os.environ[name]
    words = {key.upper(): value for key, value in dotenv_values(base / ".env").items()}
    return words.get(name) or None


def _read_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = parse(str(file), file.read_bytes().decode()).data
    except UnicodeDecodeError as error:
        raise SettingsInvalid([f"{file}: this is not UTF-8"]) from error
    except RuleError as error:
        raise SettingsInvalid([str(error)]) from error
    if not isinstance(values, dict):
        raise SettingsInvalid([f"{file}:1: the file holds no keys (begin with `host: 127.0.0.1`)"])
    return values


def _problem(location: tuple[int | str, ...], message: str) -> str:
    name = PREFIX + "__".join(str(part) for part in location[:2]).upper()
    if message.startswith("Extra inputs"):
        return f"{name}: {_none(near(name.removeprefix(PREFIX), _names()))}"
    words = message.removeprefix("Value error, ")
    return f"{name}: {words[:1].lower()}{words[1:]}"


def _none(like: str) -> str:
    meant = f"; did you mean {PREFIX}{like}?" if like else ""
    return f"there is no such setting{meant}"


def _names() -> list[str]:
    return [name.upper() for name in Settings.model_fields]


def _strangers() -> dict[str, str]:
    return strangers(os.environ, PREFIX, _names())


def not_read() -> list[str]:
    """Return what stands in the environment, begins as a setting and is like none, in a line each."""
    return [
        f"{name} is no setting: it is not read" for name, like in _strangers().items() if not like
    ]


def _not_read(found: re.Match[str]) -> str:
    return f"{PREFIX}{found[1].upper()}: cannot be read; write it as JSON"


# ------------------------------------------------------------------------ what speed forbids


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("mail.example")
    (True, True, False)
    """
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def unreal_because(settings: Settings, *, demo: bool = False, kept: bool = False) -> str:
    """Return what makes the world unreal, empty if it is the real one.

    `kept`: the data has a world clock of its own, from an earlier start.
    """
    if demo:
        return "--demo"
    if settings.speed != 1:
        return f"--speed {settings.speed:g}"
    if settings.clock_start is not None:
        return "--clock-start"
    return f"the world clock kept in {settings.data}" if kept else ""


def non_loopback_smtp(settings: Settings, *, demo: bool = False, kept: bool = False) -> str:
    """Return why these settings must not start: unreal time would send mail to real people.

    Empty if they may. There is no override.
    """
    because = unreal_because(settings, demo=demo, kept=kept)
    if not because or settings.smtp_url is None:
        return ""
    host = urlsplit(settings.smtp_url.get_secret_value().strip()).hostname or ""
    if is_loopback(host):
        return ""
    return f"{because} refuses the SMTP host {host}: only loopback is taken; unset MDMA_SMTP_URL"


def lacks_for_real_mail(settings: Settings) -> list[str]:
    """Return what e-mails to real people should not go without, in a line each; empty where nothing is missing."""
    if settings.smtp_url is None:
        return []
    host = urlsplit(settings.smtp_url.get_secret_value().strip()).hostname or ""
    if is_loopback(host):
        return []
    lacking = []
    if settings.public_url is None:
        lacking.append("MDMA_PUBLIC_URL is not set: links of e-mails lead to this machine alone")
    if not settings.postal_address.strip():
        lacking.append(
            "MDMA_POSTAL_ADDRESS is not set: most countries' law wants it in each e-mail"
        )
    if settings.sender is None:
        lacking.append("MDMA_SENDER is not set: e-mails come from the sender of the rules")
    return lacking


def guessable(settings: Settings) -> list[str]:
    """Return which secrets are so short that they can be tried out, in a line each."""
    given = {"MDMA_ADMIN_TOKEN": settings.admin_token, "MDMA_SECRET": settings.secret}
    least = checks.SECRET_CHARACTERS_MIN
    return [
        f"{name} is short enough to be guessed: write {least} characters or more"
        for name, value in given.items()
        if value is not None and len(value.get_secret_value()) < least
    ]


def look_ups_stay_here(settings: Settings) -> bool:
    """Say whether both sources are on this machine: then no other host than those named is reached either."""
    urls = (settings.social_gravatar_url, settings.social_webfinger_url)
    return all(is_loopback(urlsplit(url).hostname or "") for url in urls)


def web_look_ups(settings: Settings, *, demo: bool = False, kept: bool = False) -> str:
    """Return why these settings must not start: unreal time would look real people up on the web.

    Empty if they may. There is no override.
    """
    because = unreal_because(settings, demo=demo, kept=kept)
    if not because or not settings.social or look_ups_stay_here(settings):
        return ""
    return f"{because} refuses look-ups on the web; set MDMA_SOCIAL=off"
