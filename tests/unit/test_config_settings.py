"""Hold where settings come from, how they are refused, and what an unreal clock forbids."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.environment import OF_TOOLS
from config.settings import (
    SPEED_MAX,
    Settings,
    SettingsInvalid,
    guessable,
    is_loopback,
    lacks_for_real_mail,
    non_loopback_smtp,
    not_read,
    read_settings,
    web_look_ups,
)
from scripts.cli_up import up
from scripts.folder import Refused


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("MDMA_")]:
        monkeypatch.delenv(name)


def write(folder: Path, *, env: str = "", yaml: str = "") -> Path:
    """Write `.env` and `config/settings.yaml`."""
    (folder / "config").mkdir(exist_ok=True)
    if env:
        (folder / ".env").write_text(env)
    if yaml:
        (folder / "config" / "settings.yaml").write_text(yaml)
    return folder


def test_without_any_setting_everything_stays_on_this_machine(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert (settings.host, settings.port, settings.base_url) == (
        "127.0.0.1",
        8080,
        "http://127.0.0.1:8080",
    )
    assert settings.smtp_url is settings.mongo_url is settings.ray_address is None
    assert (settings.consent, settings.holdout, settings.speed, settings.social) == (
        "opt-in",
        0.05,
        1.0,
        False,
    )


def test_the_command_line_wins_over_environment_over_env_file_over_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, env="MDMA_PORT=2\nMDMA_HOLDOUT=0.2\nMDMA_SPEED=2\nOTHER=1\n")
    write(tmp_path, yaml="port: 1\nholdout: 0.1\nspeed: 1\nconsent: assumed\n")
    monkeypatch.setenv("MDMA_PORT", "3")
    monkeypatch.setenv("MDMA_HOLDOUT", "0.3")
    settings = read_settings(tmp_path, port=4, host=None)
    assert (settings.port, settings.holdout, settings.speed, settings.consent) == (
        4,
        0.3,
        2.0,
        "assumed",
    )


def test_the_yaml_file_is_looked_for_in_the_configured_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, yaml="port: 1\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "settings.yaml").write_text("port: 2\n")
    assert read_settings(tmp_path).port == 1
    assert read_settings(tmp_path, config=Path("mine")).port == 2
    monkeypatch.setenv("MDMA_CONFIG", "mine")
    assert read_settings(tmp_path).port == 2
    monkeypatch.delenv("MDMA_CONFIG")
    write(tmp_path, env="MDMA_CONFIG=mine\n")
    assert read_settings(tmp_path).port == 2


def test_every_kind_of_value_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WRITE_KEYS": "a, b,",
        "CLOCK_START": "2017-06-01",
        "SENDER": "My Shop <me@shop.example>",
        "SOCIAL": "on",
        "LOG": "json:debug",
        "PUBLIC_URL": "https://track.example/",
        "BOTS__BEHAVIOR": "4",
        "DATA": "",
    }.items():
        monkeypatch.setenv(f"MDMA_{name}", value)
    settings = read_settings(tmp_path)
    assert [key.get_secret_value() for key in settings.write_keys] == ["a", "b"]
    assert settings.clock_start == datetime(2017, 6, 1, tzinfo=UTC)
    assert settings.sender_parts == ("My Shop", "me@shop.example")
    assert settings.social
    assert (settings.log_json, settings.log_level) == (True, "debug")
    assert settings.base_url == "https://track.example"
    assert settings.bots == {"behavior": 4}
    assert settings.data == Path(".mdma"), "empty means: not set"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("SPEED", "0"),
        ("SPEED", "inf"),
        ("HOLDOUT", "0.9"),
        ("CONSENT", "yes"),
        ("CLOCK_START", "June"),
        ("SENDER", "nobody"),
        ("LOG", "xml"),
        ("LOG", "json,console"),
        ("SMTP_URL", "http://user:hunter2@mail.example"),
        ("SMTP_URL", "smtp://user:hunter2@mail.example:99999"),
        ("MONGO_URL", "postgres://user:hunter2@db.example"),
        ("ALERT_WEBHOOK", "https://hooks..example/hunter2"),
        ("SMTP_URL", "smtp://mail..example"),
        ("PUBLIC_URL", "track.example"),
        ("BOTS", "{hunter2"),
        ("MONGO_DB", "a.b"),
        ("MONGO_DB", "admin"),
        ("MONGO_DB", "Config"),
        ("CLOCK_START", "0001-01-01T00:00:00+05:00"),
        ("CLOCK_START", "9999-12-31T23:59:59-05:00"),
        ("CLOCK_START", "9999-12-31"),
        ("ADMIN_TOKEN", " hunter2-hunter2-hunter2"),
        ("ADMIN_TOKEN", "                "),
        ("SECRET", "hunter2-hunter2-hunter2\t"),
        ("WRITE_KEYS", "hunter2:a"),
        ("WRITE_KEYS", "a,hunter2 b"),
        ("ALERT_EMAIL", "a@ops.example, b@ops.example"),
        ("ALERT_EMAIL", "a@ops.example;b@ops.example"),
        ("ALERT_EMAIL", "Ann <a@ops.example>, Bob <b@ops.example>"),
        ("ALERT_EMAIL", "nobody"),
        ("SENDER", "a@shop.example, b@shop.example"),
        ("SENDER", "Shop <a@shop.example> <b@shop.example>"),
        ("PUBLIC_URL", "https://track.example:99999"),
        ("PUBLIC_URL", "https://[::1"),
        ("PUBLIC_URL", "https://[::zz]/"),
        ("PUBLIC_URL", "https://user:hunter2@track.example"),
        ("PUBLIC_URL", "https://track..example"),
        ("PUBLIC_URL", "https://track.example/?a=1"),
        ("PORT", "true"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_and_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"MDMA_{name}", value)
    with pytest.raises(SettingsInvalid) as caught:
        read_settings(tmp_path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"MDMA_{name}: ")
    assert "\n" not in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MDMA_SMPT_URL", "MDMA_SMTP_URL"),
        ("MDMA_CONSNET", "MDMA_CONSENT"),
        ("MDMA_CONSENT_MODE", "MDMA_CONSENT"),
        ("MDMA_SMTP", "MDMA_SMTP_URL"),
        ("mdma_secrets", "MDMA_SECRET"),
        ("MDMA_PROT", "MDMA_PORT"),
        ("MDMA_BOT__BEHAVIOR", "MDMA_BOTS"),
    ],
)
def test_a_misspelt_setting_in_the_environment_is_refused_with_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsInvalid) as error:
        read_settings(tmp_path)
    assert error.value.problems == [f"{name}: there is no such setting; did you mean {meant}?"]
    monkeypatch.setenv(name, "")
    read_settings(tmp_path)


def test_what_is_like_no_setting_is_told_and_what_others_need_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDMA_BOTS__BEHAVIOR", "2")
    others = ("SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR")
    for name in (*OF_TOOLS, *others, "ROOT", "VENV", "NAME", "SOMETHING_ELSE"):
        monkeypatch.setenv(f"MDMA_{name}", "1")
    assert read_settings(tmp_path).bots == {"behavior": 2}
    names = ("NAME", "ROOT", "SOMETHING_ELSE", "VENV")
    assert not_read() == [f"MDMA_{each} is no setting: it is not read" for each in names]


def test_the_tools_read_nothing_from_the_environment_that_is_not_known() -> None:
    root = Path(__file__).parents[2]
    files = [each for each in (root / "tests").rglob("*.py") if each != Path(__file__)]
    reads = re.compile(r"environ(?:\.get\(|\[)\s*[\"']MDMA_(\w+)")
    named = {name for each in files for name in reads.findall(each.read_text())}
    assert named - {each.upper() for each in Settings.model_fields} <= OF_TOOLS
    assert "EXPLORE" in named


def test_a_misspelt_setting_in_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"MDMA_CONSNET: there is no such .* MDMA_CONSENT\?"):
        read_settings(write(tmp_path, env="MDMA_CONSNET=assumed\n"))
    (tmp_path / ".env").unlink()
    with pytest.raises(SettingsInvalid, match="MDMA_PROT: there is no such setting"):
        read_settings(write(tmp_path, yaml="prot: 1\n"))
    with pytest.raises(SettingsInvalid, match=r"settings.yaml:2: port is given twice"):
        read_settings(write(tmp_path, yaml="port: 1\nport: 2\n"))


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ('MDMA_CONSENT="double-opt-in\n', 1),
        ("# mine\n\nMDMA_HOLDOUT=0.1\n\nMDMA_CONSENT='double-opt-in\nMDMA_PORT=2\n", 5),
        ('A=1\nMDMA_CONSENT="double-opt-in" x\n', 2),
        ("MDMA_CONSENT: double-opt-in\n", 1),
        ("A=1\nMDMA_CONSENT\n", 2),
        ("=double-opt-in\n", 1),
        ('MDMA_POSTAL_ADDRESS="1 Road\nMDMA_CONSENT=double-opt-in\nMDMA_SENDER=a@b.example"\n', 1),
    ],
)
def test_a_broken_line_of_the_env_file_is_refused_and_not_dropped(
    tmp_path: Path, broken: str, line: int
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_settings(write(tmp_path, env=broken))
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / '.env'}:{line}: ")
    assert "write it like" in problem
    assert "double" not in problem, "the line may hold a secret"


def test_an_env_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        "MDMA_PORT=2\nMDMA_SENDER=Caf\xe9 <a@b.example>\n".encode("latin-1")
    )
    with pytest.raises(SettingsInvalid, match=r"\.env:2: .*UTF-8"):
        read_settings(tmp_path)


def test_an_env_file_as_shells_and_editors_write_it_is_read(tmp_path: Path) -> None:
    lines = (
        "\ufeff# mine\r\nexport MDMA_PORT = 2 # here\r\nOTHER\r\n\r\n"
        "MDMA_POSTAL_ADDRESS='1 Road\nTown'\r\nMDMA_SENDER=\r\n  \r\n"
    )
    settings = read_settings(write(tmp_path, env=lines))
    assert (settings.port, settings.postal_address, settings.sender) == (2, "1 Road\nTown", None)


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("port: true", "MDMA_PORT: .*number"),
        ("holdout: false", "MDMA_HOLDOUT: .*number"),
        ("bots: {behavior: true}", "MDMA_BOTS__BEHAVIOR: .*number"),
        ("admin_token: ''", "MDMA_ADMIN_TOKEN: .*16 characters"),
        ("secret: ''", "MDMA_SECRET: .*16 characters"),
        ("write_keys: ['']", "MDMA_WRITE_KEYS: .*colon"),
        ("alert_email: ''", "MDMA_ALERT_EMAIL: .*one address"),
        ("alert_email: a@x.example, b@x.example", "MDMA_ALERT_WEBHOOK"),
        ("sender: a@x.example, b@x.example", "MDMA_SENDER: .*Your Shop"),
        ("public_url: track.example", "MDMA_PUBLIC_URL: write it like https://"),
        ("mongo_db: local", "MDMA_MONGO_DB: .*MongoDB"),
        ("clock_start: 0001-01-01T00:00:00+05:00", "MDMA_CLOCK_START: .*1970"),
    ],
)
def test_what_could_not_work_is_refused_with_what_to_write(
    tmp_path: Path, yaml: str, words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=words) as caught:
        read_settings(write(tmp_path, yaml=yaml + "\n"))
    assert len(caught.value.problems) == 1


def test_secrets_that_can_be_guessed_are_told_of_and_taken(tmp_path: Path) -> None:
    found = guessable(read_settings(tmp_path, admin_token="hunter2", secret="s" * 16))
    assert [each.partition(" is ")[0] for each in found] == ["MDMA_ADMIN_TOKEN"]
    assert "hunter2" not in found[0]
    assert guessable(read_settings(tmp_path)) == []


@pytest.mark.parametrize(
    "url",
    ["https://mdma.example", "http://[::1]:8080", "https://m.example/mdma/", "http://localhost:0"],
)
def test_a_public_address_that_works_is_taken(tmp_path: Path, url: str) -> None:
    assert read_settings(tmp_path, public_url=url).base_url == url.rstrip("/")


def test_the_highest_speed_is_called_max_wherever_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings(tmp_path, speed="max").speed == SPEED_MAX
    monkeypatch.setenv("MDMA_SPEED", "max")
    assert read_settings(tmp_path).speed == SPEED_MAX


def test_a_secret_does_not_show(tmp_path: Path) -> None:
    given = {
        "smtp_url": "smtp://user:hunter2@127.0.0.1",
        "mongo_url": "mongodb://user:hunter2@a.example:1,b.example:2/?replicaSet=x",
        "admin_token": "hunter2-" * 2,
        "secret": "hunter2-" * 2,
        "write_keys": ["hunter2"],
        "alert_webhook": "https://hooks.example/hunter2",
        "alert_webhook_secret": "whsec_" + "hunter2/" * 4,
        "stripe_secrets": "hunter2,hunter2",
    }
    settings = read_settings(tmp_path, **given)
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == "hunter2-" * 2


def unreal(folder: Path, **given: object) -> Settings:
    return read_settings(folder, **given)


def test_an_unreal_clock_takes_no_smtp_host_but_loopback(tmp_path: Path) -> None:
    real = "smtp://user:hunter2@mail.example:25"
    for given in ({"speed": 60.0}, {"clock_start": "2017-06-01"}):
        text = non_loopback_smtp(unreal(tmp_path, smtp_url=real, **given))
        assert "mail.example" in text
        assert "hunter2" not in text
        for here in ("smtp://127.0.0.1:2525", "smtp://localhost", "smtp://[::1]:25"):
            assert non_loopback_smtp(unreal(tmp_path, smtp_url=here, **given)) == ""
        assert non_loopback_smtp(unreal(tmp_path, **given)) == ""
    assert "--demo" in non_loopback_smtp(unreal(tmp_path, smtp_url=real), demo=True)
    assert non_loopback_smtp(unreal(tmp_path, smtp_url=real)) == ""
    kept = non_loopback_smtp(unreal(tmp_path, smtp_url=real), kept=True)
    assert "the world clock kept in" in kept


def test_an_unreal_clock_looks_nobody_up(tmp_path: Path) -> None:
    assert "look-ups" in web_look_ups(unreal(tmp_path, speed=2.0, social=True))
    assert web_look_ups(unreal(tmp_path, social=True)) == ""
    assert web_look_ups(unreal(tmp_path, speed=2.0)) == ""
    assert "look-ups" in web_look_ups(unreal(tmp_path, social=True), kept=True)


def test_look_ups_on_this_machine_may_be_made_in_an_unreal_world(tmp_path: Path) -> None:
    here = {
        "social": True,
        "social_gravatar_url": "http://127.0.0.1:8081/v3",
        "social_webfinger_url": "http://localhost:8081",
        "social_allow": "127.0.0.1:8081, localhost",
    }
    assert web_look_ups(unreal(tmp_path, speed=2.0, **here)) == ""
    half = here | {"social_webfinger_url": "https://{domain}"}
    assert "look-ups" in web_look_ups(unreal(tmp_path, speed=2.0, **half))


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("social_gravatar_url", "http://api.example", "SOCIAL_ALLOW"),
        ("social_gravatar_url", "https://127.0.0.1", "SOCIAL_ALLOW"),
        ("social_webfinger_url", "https://{domain}:8443", "SOCIAL_ALLOW"),
        ("social_webfinger_url", "ftp://a.example", "https://"),
        ("social_webfinger_url", "https://a.example/?q=", "without ?"),
        ("social_resolver", "ns.example", "192.0.2.1:53"),
        ("social_resolver", "192.0.2.1:0", "192.0.2.1:53"),
        ("social_rate", 0, "greater than 0"),
    ],
)
def test_places_that_could_never_be_asked_are_named(
    tmp_path: Path, name: str, value: object, word: str
) -> None:
    with pytest.raises(SettingsInvalid) as error:
        read_settings(tmp_path, social=True, **{name: value})
    assert word in str(error.value)
    assert f"MDMA_{name.upper()}" in str(error.value)


def test_names_that_only_look_like_loopback_are_not() -> None:
    for host in ("127.0.0.1.example", "localhost.example", "0.0.0.0", "10.0.0.1", "", "127.1"):
        assert not is_loopback(host), host


def test_real_mail_without_a_public_address_is_said_to_lack_it(tmp_path: Path) -> None:
    real = {"smtp_url": "smtp://mail.example:25"}
    said = lacks_for_real_mail(read_settings(tmp_path, **real))
    assert [line.partition(" ")[0] for line in said] == [
        "MDMA_PUBLIC_URL",
        "MDMA_POSTAL_ADDRESS",
        "MDMA_SENDER",
    ]
    whole = {
        "public_url": "https://mdma.example",
        "postal_address": "1 Road, Town",
        "sender": "Shop <shop@mdma.example>",
    }
    assert lacks_for_real_mail(read_settings(tmp_path, **real, **whole)) == []
    assert lacks_for_real_mail(read_settings(tmp_path, smtp_url="smtp://127.0.0.1:25")) == []
    assert lacks_for_real_mail(read_settings(tmp_path)) == []


@pytest.mark.parametrize("said", [["--speed", "max"], ["--set", "speed=max"]])
def test_up_takes_max_as_a_flag_and_as_a_setting(said: list[str], tmp_path: Path) -> None:
    """It goes as far as what an unreal clock forbids."""
    with pytest.raises(Refused, match="refuses the SMTP host") as caught:
        up.main(
            [*said, "--data", str(tmp_path), "--set", "smtp_url=smtp://mail.example"],
            standalone_mode=False,
        )
    assert caught.value.code == 2
