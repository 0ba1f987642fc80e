"""`mdma user add | list | remove`: who may log in to the console."""

from __future__ import annotations

import asyncio
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from messaging.gateway.console.users import ADMIN_NAME, EDITOR, NAME_RULE, ROLES, VIEWER, is_name
from scripts.client import data_option, json_option, opened_store, tell
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say

BY = "cli"
"""Who changed something, in the audit log: whoever is on the machine."""

USERS_MAX = 10_000


def _named(ctx: click.Context, _: click.Parameter, name: str) -> str:
    """Take a user's name. Raise UsageError for what is none."""
    if name == ADMIN_NAME:
        raise click.UsageError(f"{name} is whoever has the admin token: choose another name", ctx)
    if not is_name(name):
        raise click.UsageError(NAME_RULE, ctx)
    return name


name_argument = click.argument("name", metavar="NAME", callback=_named)


@click.group(
    short_help="Say who may log in to the console.",
    epilog="Example: mdma user add kim --role editor",
)
def user() -> None:
    """Say who may log in to the console: viewers read, editors also change."""


@user.command(epilog="Example: mdma user add kim --role editor")
@name_argument
@click.option("--role", type=click.Choice(ROLES), default=VIEWER, show_default=True)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)
@json_option
@data_option
def add(name: str, role: str, password_stdin: bool, data: Path, as_json: bool) -> None:
    """Add a user, or give one another role and password; their sessions end then.

    The password is asked for twice.
    """
    from messaging.gateway.console import passwords

    password = _password(is_given=password_stdin)
    problem = passwords.problem_of(password)
    if problem:
        raise click.UsageError(problem)
    stored = passwords.hashed(password, secrets.token_bytes(passwords.SALT_BYTES))
    is_new = asyncio.run(_add(data, name, role, stored))
    said = f"{name} may log in as {role}" + ("" if is_new else ", with the new password only")
    tell({"user": name, "role": role, "new": is_new}, said, as_json=as_json)


def _password(*, is_given: bool) -> str:
    if is_given:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("say --password-stdin: there is nobody to ask")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


async def _add(data: Path, name: str, role: str, stored: str) -> bool:
    from messaging.gateway.console.users import USERS, User, put_user
    from messaging.store.audit_log import Change, note

    now = datetime.now(UTC)
    async with opened_store(data) as store:
        before = await store.get_document(USERS, name)
        await put_user(store, User(name=name, role=role, password=stored, at=now, by=BY))
        act = "user.added" if before is None else "user.changed"
        await note(store, Change(by=BY, act=act, of=name, said=f"role {role}"), now)
    return before is None


@user.command("list", epilog="Example: mdma user list --json")
@json_option
@data_option
def list_(data: Path, as_json: bool) -> None:
    """List who may log in."""
    found = asyncio.run(_users(data))
    if as_json:
        tell({"users": found}, "", as_json=True)
        return
    for each in found:
        say(f"{each['user']:24} {each['role']:8} since {each['at'][:16].replace('T', ' ')} UTC")
    say(counted(len(found), "users") + f", and {ADMIN_NAME} with the admin token ({EDITOR})")


async def _users(data: Path) -> list[dict[str, Any]]:
    from messaging.gateway.console.users import USERS

    async with opened_store(data) as store:
        rows = await store.rows(USERS, {}, limit=USERS_MAX, newest=False)
    return [{"user": row["id"], "role": row["role"], "at": row["at"].isoformat()} for row in rows]


@user.command(epilog="Example: mdma user remove kim")
@name_argument
@json_option
@data_option
def remove(name: str, data: Path, as_json: bool) -> None:
    """Remove a user; their sessions end at once."""
    if not asyncio.run(_remove(data, name)):
        raise Refused(f"there is no user {name}")
    tell({"user": name, "removed": True}, f"{name} may not log in any more", as_json=as_json)


async def _remove(data: Path, name: str) -> bool:
    from messaging.gateway.console.users import remove_user
    from messaging.store.audit_log import Change, note

    async with opened_store(data) as store:
        was_there = await remove_user(store, name)
        if was_there:
            await note(store, Change(by=BY, act="user.removed", of=name), datetime.now(UTC))
    return was_there
