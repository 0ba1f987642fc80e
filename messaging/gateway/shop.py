"""Serve the demo shop: a few plain pages that use `/sdk.js` as any site would.

    app = build_app(deps)
    add_shop(app, write_key)        # only for a demo

It stands at the root of the gateway's address, so that the links of the default e-mails and interactions (`/`,
`/contact`) lead into it. All pages are made once, from the files beside the script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from string import Template
from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway.assets import SITE, Asset, Handler, make_asset, serve

SHOP = SITE / "shop"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""As strict as a site can be: it proves that the script needs no more."""

_PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
_FILE_HEADERS = {"Cache-Control": "public, max-age=300"}

LOVED = 3
"""So many products stand on the first page."""


class Product(msgspec.Struct, frozen=True):
    """Hold one product of the shop."""

    id: str
    name: str
    price: int
    line: str
    text: str
    specification: dict[str, str]

    def fields(self) -> dict[str, str]:
        """Return what templates fill in, safe in text and attributes."""
        event = {"product_id": self.id, "name": self.name, "price": self.price}
        return {
            "id": self.id,
            "name": escape(self.name),
            "price": str(self.price),
            "line": escape(self.line),
            "text": escape(self.text),
            "data": escape(msgspec.json.encode(event).decode()),
        }


def add_shop(
    app: web.Application, write_key: str, opened: Callable[[], None] = lambda: None
) -> None:
    """Add the shop's pages and files to an application that does not run yet; `opened` hears of each page."""
    for path, asset in shop_assets(write_key):
        handler = serve(asset)
        is_page = asset.content_type == "text/html"
        app.router.add_get(path, _heard(handler, opened) if is_page else handler)


def _heard(handler: Handler, opened: Callable[[], None]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        opened()
        return await handler(request)

    return handle


def shop_assets(write_key: str) -> Iterator[tuple[str, Asset]]:
    """Give each path of the shop with what it serves."""
    for path, title, main in _pages():
        html = _fill("layout.html", title=escape(title), main=main, key=escape(write_key))
        yield path, make_asset(html.encode(), "text/html", _PAGE_HEADERS)
    text = partial(make_asset, headers=_FILE_HEADERS)
    yield "/shop/style.css", text((SHOP / "style.css").read_bytes(), "text/css")
    yield "/shop/shop.js", text((SHOP / "shop.js").read_bytes(), "text/javascript")
    for product in products():
        art = (SHOP / "art" / f"{product.id}.svg").read_bytes()
        yield f"/shop/art/{product.id}.svg", text(art, "image/svg+xml")


def products() -> list[Product]:
    """Return what the shop sells."""
    return msgspec.json.decode((SHOP / "products.json").read_bytes(), type=list[Product])


def _pages() -> Iterator[tuple[str, str, str]]:
    """Give path, title and content of each page."""
    sold = products()
    cards = [_fill("card.html", **product.fields()) for product in sold]
    yield "/", "Things that do one thing well", _fill("home.html", cards="".join(cards[:LOVED]))
    yield "/products", "All six", _fill("products.html", cards="".join(cards))
    for product in sold:
        fields = product.fields()
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in product.specification.items()
        )
        path = f"/products/{product.id}"
        yield path, product.name, _fill("product.html", **fields)
        title = f"{product.name}: specification"
        yield f"{path}/specification", title, _fill("specification.html", rows=rows, **fields)
    for name, title in (
        ("wish-list", "Your wish list"),
        ("cart", "Your cart"),
        ("checkout", "Checkout"),
        ("thanks", "Thank you"),
        ("contact", "Ask us anything"),
    ):
        yield f"/{name}", title, _fill(f"{name}.html")


def _fill(name: str, /, **fields: Any) -> str:
    return Template((SHOP / name).read_text("utf-8")).substitute(fields)
