"""The pool against servers that misbehave at every step: the outcome is exact."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from messaging.mail.pool import SmtpPool
from messaging.mail.target import SmtpTarget, parse_smtp_url

MAIL = b"Subject: Hello\r\n\r\nHi\r\n"


class Server:
    """Speak SMTP by script: `answers[step]` is a line, or `close`, `hang`, `close after`."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.sessions = 0
        self.mails = []
        self.commands = []
        self._writers = []

    @asynccontextmanager
    async def open(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            await asyncio.sleep(0)

    def drop_all(self):
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        script = self.scripts[min(self.sessions, len(self.scripts) - 1)] if self.scripts else {}
        self.sessions += 1
        try:
            await self._talk(reader, writer, script)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader, writer, script):
        if not await self._answer(writer, script.get("CONNECT", "220 hello")):
            return
        while line := await reader.readline():
            verb = line.split(b" ")[0].split(b":")[0].strip().decode().upper()
            self.commands.append(line.decode().strip())
            usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 OK")
            if not await self._answer(writer, script.get(verb, usual)):
                return
            if verb == "DATA" and script.get(verb, usual).startswith("354"):
                if script.get("BODY") == "close":
                    await reader.read(10)
                    return
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                if not await self._answer(writer, script.get("END", "250 taken")):
                    return

    async def _answer(self, writer, text):
        if text == "close":
            return False
        if text == "hang":
            await asyncio.sleep(60)
        writer.write(text.encode() + b"\r\n")
        await writer.drain()
        return True


def a_pool(port, **more):
    return SmtpPool(parse_smtp_url(f"smtp://127.0.0.1:{port}"), **({"send_seconds": 5.0} | more))


async def send(pool, to="ann@x.example"):
    return await pool.send("shop@shop.example", to, MAIL)


BEFORE = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("step", [*BEFORE, "END"])
@pytest.mark.parametrize(
    ("answer", "outcome"), [("451 4.3.0 later", "deferred"), ("550 5.7.1 no", "bounced")]
)
async def test_a_clear_answer_is_taken_as_it_is(step, answer, outcome):
    # 5xx to EHLO makes the client try HELO, which this server takes.
    expected = "deferred" if step in ("CONNECT", "MAIL") else outcome
    if step == "EHLO":
        expected = "handed over"
    server = Server({step: answer})
    async with server.open() as port:
        pool = a_pool(port)
        assert (await send(pool)).outcome == expected
        await pool.close()


@pytest.mark.parametrize("step", BEFORE)
async def test_a_connection_lost_before_the_message_is_deferred(step):
    server = Server({step: "close"})
    async with server.open() as port:
        pool = a_pool(port)
        outcome = await send(pool)
        assert (outcome.outcome, outcome.code) == ("deferred", 0)
        assert server.mails == []


@pytest.mark.parametrize("script", [{"BODY": "close"}, {"END": "close"}, {"END": "what? no code"}])
async def test_a_connection_lost_after_the_message_began_is_uncertain(script):
    server = Server(script)
    async with server.open() as port:
        outcome = await send(a_pool(port))
        assert outcome.outcome == "uncertain"
        assert server.sessions == 1, "no second try: the first may have arrived"


@pytest.mark.parametrize("step", BEFORE)
async def test_a_server_that_says_nothing_before_the_message_is_deferred(step):
    async with Server({step: "hang"}).open() as port:
        assert (await send(a_pool(port, send_seconds=0.2))).outcome == "deferred"


async def test_a_server_that_says_nothing_after_the_final_dot_is_uncertain():
    server = Server({"END": "hang"})
    async with server.open() as port:
        pool = a_pool(port, send_seconds=0.2)
        assert (await send(pool)).outcome == "uncertain"
        assert len(server.mails) == 1
        server.scripts = [{}, {}]
        assert (await send(pool)).outcome == "handed over"
        assert server.sessions == 2, "the session of the time-out is thrown away"
        await pool.close()


async def test_a_server_that_is_not_there_defers():
    async with Server().open() as port:
        pass
    outcome = await send(a_pool(port))
    assert (outcome.outcome, outcome.code) == ("deferred", 0)


async def test_a_session_is_used_again():
    server = Server()
    async with server.open() as port:
        pool = a_pool(port)
        for _ in range(5):
            assert (await send(pool)).outcome == "handed over"
        assert server.sessions == 1
        await pool.close()


async def test_a_kept_session_that_died_costs_one_new_connection_and_no_mail():
    server = Server()
    async with server.open() as port:
        pool = a_pool(port)
        await send(pool)
        server.drop_all()
        assert (await send(pool)).outcome == "handed over"
        assert len(server.mails) == 2
        await pool.close()


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_a_kept_session_that_dies_while_it_is_used_is_replaced_once(verb):
    class SecondTime(dict):
        """Answer the first mail of a session as usual and break at the second."""

        seen = 0

        def get(self, key, default=None):
            if key == verb:
                SecondTime.seen += 1
                # DATA is asked for twice a mail: its answer, and whether the body follows.
                if SecondTime.seen > (2 if verb == "DATA" else 1):
                    return "close"
            return default

    server = Server(SecondTime(), {})
    async with server.open() as port:
        pool = a_pool(port)
        assert (await send(pool)).outcome == "handed over"
        assert (await send(pool)).outcome == "handed over"
        assert server.sessions == 2
        assert len(server.mails) == 2
        await pool.close()


async def test_a_new_session_that_dies_is_not_tried_again():
    server = Server({"MAIL": "close"})
    async with server.open() as port:
        assert (await send(a_pool(port))).outcome == "deferred"
        assert server.sessions == 1


async def test_a_421_on_a_kept_session_gets_a_new_one():
    server = Server({"END": "250 taken"}, {})
    async with server.open() as port:
        pool = a_pool(port)
        await send(pool)
        server.scripts[0]["MAIL"] = "421 4.4.2 idle too long"
        assert (await send(pool)).outcome == "handed over"
        assert server.sessions == 2
        await pool.close()


async def test_a_session_ends_after_so_many_mails_or_when_idle():
    server = Server()
    async with server.open() as port:
        pool = a_pool(port, mails_per_session=2)
        for _ in range(4):
            await send(pool)
        assert server.sessions == 2
        impatient = a_pool(port, idle_seconds=0.0)
        await send(impatient)
        await send(impatient)
        assert server.sessions == 4
        await impatient.close()


async def test_no_more_sessions_are_open_than_allowed():
    server = Server()
    async with server.open() as port:
        pool = a_pool(port, sessions=3)
        outcomes = await asyncio.gather(*(send(pool) for _ in range(20)))
        assert {o.outcome for o in outcomes} == {"handed over"}
        assert server.sessions == 3
        await pool.close()


async def test_an_address_in_another_script_needs_a_server_that_takes_it():
    server = Server()
    async with server.open() as port:
        pool = a_pool(port)
        outcome = await send(pool, "jörg@x.example")
        assert (outcome.outcome, outcome.code) == ("bounced", 553)
        assert "5.6.7" in outcome.reason


async def test_a_cancelled_send_leaves_no_session_behind():
    server = Server({"END": "hang"})
    async with server.open() as port:
        pool = a_pool(port)
        task = asyncio.create_task(send(pool))
        while not server.mails:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.scripts = [{}]
        assert (await send(pool)).outcome == "handed over"
        await pool.close()


# ------------------------------------------------------------------------------------ the address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://localhost", SmtpTarget("localhost", 25, "plain")),
        ("smtps://mail.example", SmtpTarget("mail.example", 465, "tls")),
        (
            "smtp+starttls://me%40a:p%3A%2F@mail.example:2525",
            SmtpTarget("mail.example", 2525, "starttls", "me@a", "p:/"),
        ),
        ("smtp://[::1]:25", SmtpTarget("::1", 25, "plain")),
    ],
)
def test_an_smtp_url_is_read(url, expected):
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "mail.example", "http://a", "smtp://", "smtp://u:secret@a:x", "smtp://u:secret@a/b"]
)
def test_what_is_no_smtp_url_is_refused_without_repeating_the_password(url):
    with pytest.raises(ValueError, match="SMTP URL") as raised:
        parse_smtp_url(url)
    assert "secret" not in str(raised.value)


def test_a_target_shows_no_password():
    assert "secret" not in repr(parse_smtp_url("smtps://me:secret@mail.example"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("[::1]", True),
        ("mail.example", False),
        ("10.0.0.1", False),
    ],
)
def test_a_target_knows_whether_mail_stays_on_this_machine(host, expected):
    assert parse_smtp_url(f"smtp://{host}").loopback is expected
