"""Say what is wrong with where the links of an e-mail lead. Pure: nobody is asked.

Rules
1. What is judged is the target, behind the links by which clicks are seen: those always work, whatever they lead to.
2. What a reader's program would do with it counts: an e-mail has no page that a relative link could start from.
3. A fault names what is wrong and what to do; the target itself is quoted, cut.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from html import unescape
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from messaging.mail.templates import TemplateFailed, fill

SHOWN_CHARACTERS_MAX = 80
SCHEMES = ("https", "http", "mailto", "tel", "sms")
"""What the programs that show e-mails follow."""

HOST_CHARACTERS_MAX = 253
PORT_MAX = 65_535

_ENDINGS = frozenset({"html", "htm", "php", "asp", "aspx", "jsp", "pdf", "jpg", "png", "gif"})
"""Of files: what ends so is no host."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_MAIL = re.compile(r"[^\s@?]+@([^\s@?]+)")
_CODE = r"\{\{(?:(?!\}\}).)*\}\}|\{%(?:(?!%\}).)*%\}"
# Template code may hold the very quotes that the attribute stands in. Possessive: a lone quote costs one look.
_HREF = re.compile(
    rf"\bhref\s*+=\s*+(?:\"((?:{_CODE}|[^\"])*+)\"|'((?:{_CODE}|[^'])*+)')",
    re.IGNORECASE | re.DOTALL,
)
_OUTPUT = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)


class Fault(msgspec.Struct, frozen=True):
    """Say what is wrong with a link."""

    target: str
    said: str
    """What, and what to do."""


def faults_of(target: str) -> str:
    """Return what is wrong with a target and what to do; empty: nothing, as far as can be seen without asking.

    >>> faults_of("https://shop.example/p?a=1"), faults_of("")
    ('', 'is empty: give it an address, or take the link out')
    >>> faults_of("htps://shop.example")
    'has the unknown scheme “htps”: did you mean https?'
    """
    if not target:
        return "is empty: give it an address, or take the link out"
    if "{{" in target or "{%" in target:
        return "still holds template code: close the brackets of its expression"
    match = _SCHEME.match(target)
    # "shop.example:8080/x" is a host and its port, and no scheme has a dot here.
    scheme = match[1].lower() if match is not None else ""
    if not scheme or "." in scheme or (scheme == "localhost"):
        return _relative(target)
    if scheme not in SCHEMES:
        return f"has the unknown scheme “{scheme[:20]}”: {_meant(scheme)}"
    if scheme in ("http", "https"):
        return _of_web(target)
    if scheme == "mailto":
        return _of_mail(target)
    digits = sum(each.isdigit() for each in target)
    return "" if digits >= 3 else f"has no number behind {scheme}: write it with its digits"


def untold(html: str, variables: Mapping[str, Any]) -> list[Fault]:
    """Return the expressions in links of a template that come to nothing for this reader; `html`: the template's.

    One that asks for a loop's or a block's own variable cannot be worked out alone, and is left to the target.
    """
    found: dict[str, None] = {}
    for match in _HREF.finditer(html):
        href = unescape(match[1] if match[1] is not None else match[2])
        for output in _OUTPUT.finditer(href):
            expression = "{{" + output[1] + "}}"
            try:
                is_empty = not fill(expression, variables, html=False).strip()
            except TemplateFailed:
                continue  # the whole says so better, or it stands where its name is known
            if is_empty:
                found[" ".join(expression.split())] = None
    said = (
        "comes to nothing for this reader: name a default, or leave the link out where it is empty"
    )
    return [Fault(each, said) for each in found]


def _relative(target: str) -> str:
    if target.startswith("#"):
        return "leads to a place in the page: an e-mail has none, write a whole address"
    if target.startswith("//"):
        return f"has no scheme: write https:{target[:SHOWN_CHARACTERS_MAX]}"
    host = re.split(r"[/:?#]", target, maxsplit=1)[0]
    is_file = host.rpartition(".")[2].lower() in _ENDINGS
    if host and "." in host and not is_file and not _fault_of_host(host):
        return f"has no scheme: write https://{target[:SHOWN_CHARACTERS_MAX]}"
    return (
        "is relative: an e-mail has no page it could start from, write it whole (https://host/path)"
    )


def _meant(scheme: str) -> str:
    near = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"readers follow {', '.join(SCHEMES)}"


def _of_web(target: str) -> str:
    if any(each.isspace() for each in target.strip()):
        return "has a blank in it: write %20"
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return "has a malformed host or port: write https://host/path"
    if not parts.hostname:
        return "names no host: write https://host/path"
    if port == 0:
        return f"has the port 0: ports are 1 to {PORT_MAX}"
    if parts.username is not None or parts.password is not None:
        return "has a user before its host: filters take that for a trap, leave it out"
    fault = _fault_of_host(parts.hostname)
    return f"has a malformed host: {fault}" if fault else ""


def _of_mail(target: str) -> str:
    match = _MAIL.match(target.partition(":")[2])
    if match is None:
        return "names no address behind mailto: write mailto:name@host"
    fault = _fault_of_host(match[1])
    return f"has a malformed host: {fault}" if fault else ""


def _fault_of_host(host: str) -> str:
    """Return what is wrong with a host's name; empty: it may be one."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        pass
    else:
        return ""
    try:
        name = host.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return f"“{host[:SHOWN_CHARACTERS_MAX]}” is no name of a host"
    labels = name.split(".")
    if len(name) > HOST_CHARACTERS_MAX or not all(_LABEL.fullmatch(each) for each in labels):
        return f"“{host[:SHOWN_CHARACTERS_MAX]}” is no name of a host"
    if len(labels) < 2 and name != "localhost":
        return f"“{host[:SHOWN_CHARACTERS_MAX]}” has no dot, so nobody outside can find it"
    if labels[-1].isdigit():
        return f"“{host[:SHOWN_CHARACTERS_MAX]}” is no whole address"
    return ""
