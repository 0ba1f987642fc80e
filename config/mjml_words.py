"""List the words of MJML: its elements with their places, and its attributes.

Source: the MJML 4 reference (https://documentation.mjml.io), as far as mrml compiles it. Left out on purpose:
`mj-include`, since a version's files are all its own (a layout is what it is wanted for).
"""

from __future__ import annotations

_COLUMN = ("mj-column", "mj-hero")

PLACES: dict[str, tuple[str, ...]] = {
    "mjml": ("",),
    "mj-head": ("mjml",),
    "mj-body": ("mjml",),
    "mj-title": ("mj-head",),
    "mj-preview": ("mj-head",),
    "mj-attributes": ("mj-head",),
    "mj-style": ("mj-head",),
    "mj-font": ("mj-head",),
    "mj-breakpoint": ("mj-head",),
    "mj-all": ("mj-attributes",),
    "mj-class": ("mj-attributes",),
    "mj-wrapper": ("mj-body",),
    "mj-section": ("mj-body", "mj-wrapper", "mj-attributes"),
    "mj-hero": ("mj-body", "mj-wrapper", "mj-attributes"),
    "mj-group": ("mj-section", "mj-attributes"),
    "mj-column": ("mj-section", "mj-group", "mj-attributes"),
    "mj-raw": ("mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", *_COLUMN),
    "mj-text": (*_COLUMN, "mj-attributes"),
    "mj-button": (*_COLUMN, "mj-attributes"),
    "mj-image": (*_COLUMN, "mj-attributes"),
    "mj-divider": (*_COLUMN, "mj-attributes"),
    "mj-spacer": (*_COLUMN, "mj-attributes"),
    "mj-table": (*_COLUMN, "mj-attributes"),
    "mj-social": (*_COLUMN, "mj-attributes"),
    "mj-social-element": ("mj-social", "mj-attributes"),
    "mj-navbar": (*_COLUMN, "mj-attributes"),
    "mj-navbar-link": ("mj-navbar", "mj-attributes"),
    "mj-accordion": (*_COLUMN, "mj-attributes"),
    "mj-accordion-element": ("mj-accordion", "mj-attributes"),
    "mj-accordion-title": ("mj-accordion-element", "mj-attributes"),
    "mj-accordion-text": ("mj-accordion-element", "mj-attributes"),
    "mj-carousel": (*_COLUMN, "mj-attributes"),
    "mj-carousel-image": ("mj-carousel", "mj-attributes"),
}
"""Element -> the elements it may stand in; empty: it is the document."""

HTML_INSIDE = frozenset(
    {
        *("mj-text", "mj-button", "mj-table", "mj-raw", "mj-style", "mj-title", "mj-preview"),
        *("mj-social-element", "mj-navbar-link", "mj-accordion-title", "mj-accordion-text"),
    }
)
"""Elements that hold text and HTML, and no element of MJML."""

TEXT_INSIDE = frozenset({"mj-title", "mj-preview", "mj-style", "mj-accordion-title"})
"""Those of them that hold text only."""

COMMENT_IN = frozenset({"mj-text", "mj-raw"})
"""Elements of MJML in which a comment for Outlook (`<!--[if mso]>`) may stand."""

RAW_IN = frozenset(PLACES["mj-raw"])
"""Elements between whose parts a tag of Liquid may stand."""

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
"""Elements of HTML that are never closed."""

_ATTRIBUTES = """
align alt background-color background-height background-position background-position-x
background-position-y background-repeat background-size background-url background-width base-url
border border-bottom border-collapse border-left border-radius border-right border-top
border-width cellpadding cellspacing color container-background-color css-class direction dir
fluid-on-mobile font-family font-size font-style font-weight full-width hamburger height href
ico-align ico-close ico-color ico-font-family ico-font-size ico-line-height ico-open ico-padding
ico-padding-bottom ico-padding-left ico-padding-right ico-padding-top ico-text-decoration
ico-text-transform icon-align icon-height icon-padding icon-position icon-size
icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url inline
inner-background-color inner-border inner-border-bottom inner-border-left inner-border-radius
inner-border-right inner-border-top inner-padding lang left-icon letter-spacing line-height
max-height mj-class mode name owa padding padding-bottom padding-left padding-right padding-top
position rel right-icon role sizes src srcset tb-border tb-border-radius tb-hover-border-color
tb-selected-border-color tb-width table-layout target text-align text-decoration text-padding
text-transform thumbnails thumbnails-src title usemap vertical-align width
"""

ATTRIBUTES = frozenset(_ATTRIBUTES.split())
"""Attributes of any element: what counts is that a misspelt one is near to one of them."""
