"""Draw the console's pages: templates in `pages/`, with what every page has around it.

Rules
1. Everything that is put into a page is escaped (jinja2's autoescape); a name that a template asks for and nobody
   gave is an error, not an empty place.
2. No script and no style stands in a page: the policy would not let it run. A bar's length is an attribute of SVG.
3. A file that pages load has its content's hash in its name, and is kept by browsers for a year.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from messaging.gateway import frame
from messaging.gateway.assets import SITE, Asset, make_asset

ROOT = "/console/"

PLACES = (
    ("", "Overview"),
    ("visitors", "Visitors"),
    ("alerts", "Alerts"),
    ("routines", "Routines"),
    ("broadcasts", "Broadcasts"),
    ("rules", "Rules"),
    ("templates", "Templates"),
    ("try", "Try"),
    ("simulate", "Simulate"),
    ("experiments", "Experiments"),
    ("deliverability", "Deliverability"),
    ("learning", "Learning"),
    ("system", "System"),
    ("changes", "Changes"),
)
"""Where the navigation leads to, under the root -> its name."""

HEADERS = {
    **frame.HEADERS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}

_FILES = (
    ("look/look.css", "text/css"),
    ("look/look.js", "text/javascript"),
    ("console/console.css", "text/css"),
    ("console/console.js", "text/javascript"),
    ("console/kept.js", "text/javascript"),
)


def _hashed_name(path: str, body: bytes) -> str:
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{ending}"


def _assets() -> tuple[dict[str, Asset], dict[str, str]]:
    """Return (name with hash -> file, plain name -> its address)."""
    found: dict[str, Asset] = {}
    addresses: dict[str, str] = {}
    for path, content_type in _FILES:
        body = SITE.joinpath(path).read_bytes()
        name = _hashed_name(path, body)
        found[name] = make_asset(body, content_type, _YEAR)
        addresses[path.rpartition("/")[2]] = f"{ROOT}static/{name}"
    return found, addresses


ASSETS, _ADDRESSES = _assets()

_environment = Environment(
    loader=PackageLoader("messaging.gateway.console", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters["count"] = "{:,}".format
_environment.filters["part"] = lambda text: quote(str(text), safe="")
_environment.globals.update(places=PLACES, root=ROOT, addresses=_ADDRESSES)


def drawn(template: str, values: Mapping[str, Any]) -> str:
    """Return a page's HTML."""
    return _environment.get_template(template).render(values)


def answer(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a page as an answer."""
    return web.Response(
        status=status, text=html, content_type="text/html", headers={**HEADERS, **(headers or {})}
    )
