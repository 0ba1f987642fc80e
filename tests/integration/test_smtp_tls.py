"""The pool over TLS: from the first byte, or demanded after the greeting; with a login."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from messaging.mail.pool import SmtpPool
from messaging.mail.target import parse_smtp_url

MAIL = b"Subject: Hello\r\n\r\nHi\r\n"


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    """Return (server's, client's) TLS contexts for a certificate made on the spot."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


class Handler:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library finds it by name
        self.mails.append((session.authenticated, server.transport.get_extra_info("cipher")))
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"me", b"p@ss"))


@asynccontextmanager
async def a_server(context, *, starttls):
    handler, loop = Handler(), asyncio.get_running_loop()
    protocol = {"authenticator": login, "auth_required": True, "hostname": "localhost"}
    if starttls:
        protocol |= {"tls_context": context, "require_starttls": True}
    else:
        protocol |= {"auth_require_tls": False}
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **protocol),
        "127.0.0.1",
        0,
        ssl=None if starttls else context,
    )
    try:
        yield server.sockets[0].getsockname()[1], handler
    finally:
        server.close()


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


@pytest.mark.parametrize(("scheme", "starttls"), [("smtps", False), ("smtp+starttls", True)])
async def test_a_mail_is_handed_over_encrypted_and_after_a_login(contexts, scheme, starttls):
    async with a_server(contexts[0], starttls=starttls) as (port, handler):
        target = parse_smtp_url(f"{scheme}://me:p%40ss@127.0.0.1:{port}")
        pool = SmtpPool(target, tls_context=contexts[1])
        outcome = await pool.send("shop@shop.example", "ann@x.example", MAIL)
        await pool.close()
        assert outcome.outcome == "handed over"
        [(authenticated, cipher)] = handler.mails
        assert authenticated
        assert cipher is not None


async def test_a_wrong_password_is_our_affair_and_defers(contexts):
    async with a_server(contexts[0], starttls=True) as (port, handler):
        target = parse_smtp_url(f"smtp+starttls://me:wrong@127.0.0.1:{port}")
        pool = SmtpPool(target, tls_context=contexts[1], send_seconds=1.0)
        outcome = await pool.send("shop@shop.example", "ann@x.example", MAIL)
        assert outcome.outcome == "deferred"
        assert "wrong" not in outcome.reason
        assert handler.mails == []


@pytest.mark.parametrize(("scheme", "starttls"), [("smtps", False), ("smtp+starttls", True)])
async def test_a_certificate_that_nobody_vouches_for_defers(contexts, scheme, starttls):
    async with a_server(contexts[0], starttls=starttls) as (port, handler):
        pool = SmtpPool(parse_smtp_url(f"{scheme}://me:p%40ss@127.0.0.1:{port}"))
        outcome = await pool.send("s@shop.example", "ann@x.example", MAIL)
        assert outcome.outcome == "deferred"
        assert outcome.reason == "CONNECT: SSLCertVerificationError: self-signed certificate"
        assert handler.mails == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("smtps://127.0.0.1", "SSLError: the server speaks no TLS on this port"),
        ("smtp+starttls://127.0.0.1", "the server offers no STARTTLS"),
        ("smtp://me:p%40ss@127.0.0.1", "the server offers no login"),
    ],
)
async def test_what_a_plain_server_does_not_offer_is_said(contexts, url, reason):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), loop=loop, hostname="localhost"), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    more = {} if url.startswith("smtp:") else {"tls_context": contexts[1]}
    pool = SmtpPool(parse_smtp_url(f"{url}:{port}"), **more)
    outcome = await pool.send("s@shop.example", "ann@x.example", MAIL)
    assert (outcome.outcome, outcome.reason) == ("deferred", f"CONNECT: {reason}")
    server.close()


async def test_a_port_that_is_closed_is_no_certificate():
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        pool = SmtpPool(parse_smtp_url(f"smtps://127.0.0.1:{held.getsockname()[1]}"))
        outcome = await pool.send("s@shop.example", "ann@x.example", MAIL)
    assert outcome.reason == "CONNECT: ConnectionRefusedError"


async def test_a_server_without_starttls_gets_nothing_when_it_was_demanded(contexts):
    handler, loop = Handler(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, hostname="localhost"), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    pool = SmtpPool(parse_smtp_url(f"smtp+starttls://127.0.0.1:{port}"), tls_context=contexts[1])
    assert (await pool.send("s@shop.example", "ann@x.example", MAIL)).outcome == "deferred"
    assert handler.mails == []
    server.close()
