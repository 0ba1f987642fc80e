"""Check and write e-mail addresses as they stand in identities, envelopes and headers."""

from __future__ import annotations

import re

ADDRESS_CHARACTERS_MAX = 254
"""RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, its brackets among them."""

# What needs quoting in a local part is refused: nobody's mailbox, and the stuff of injections.
_ADDRESS = re.compile(
    r"(?P<local>[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f-\x9f\ud800-\udfff]{1,64})"
    r"@(?P<domain>[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f-\x9f\ud800-\udfff]{1,253})"
)


class AddressRefused(ValueError):  # noqa: N818 - a fact, named in the past tense like all facts
    """Say that a text cannot be written to as an e-mail address; it does not repeat the text."""


def written_address(address: str) -> str:
    """Return an address as envelopes and headers take it: the domain in ASCII, nothing that needs quotes.

    Raise AddressRefused for what is no such address.

    >>> written_address(" ann@bücher.example ")
    'ann@xn--bcher-kva.example'
    """
    text = address.strip()
    match = _ADDRESS.fullmatch(text)
    if match is None or len(text) > ADDRESS_CHARACTERS_MAX:
        raise AddressRefused("the address cannot stand in an e-mail")
    domain = match["domain"]
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise AddressRefused("the address has a domain that cannot be written") from None
    return f"{match['local']}@{domain}"
