"""Tell a misspelt setting in the environment from what others put there.

Rules
1. What is nearly a setting is meant for one, and refused: its default would hold, and that of consent asks less.
2. What is like none is not read, and a start says so. The environment is shared: what `scripts/` and `tests/` read, and
   what Kubernetes says of a service that is called so, is no mistake.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

NEAR = 0.75
"""So like a setting's name another one is a misspelt one: PROT is PORT, SHOTS is not HOST."""

OF_TOOLS = frozenset({"PYTHON", "CHROMIUM", "SHOTS", "EXPLORE", "RULE_TREES", "FUZZ_BODIES"})
"""What `scripts/` and `tests/` read, behind the prefix."""

_OF_KUBERNETES = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)


def near(name: str, settings: Iterable[str]) -> str:
    """Return the setting that is probably meant by a name that is none; empty: it is like none.

    A setting's name with more behind it, or the beginning of one, is meant for it, too.

    >>> near("SMPT_URL", ["SMTP_URL", "PORT"]), near("SOMETHING", ["SMTP_URL", "PORT"])
    ('SMTP_URL', '')
    >>> near("CONSENT_MODE", ["CONSENT", "SMTP_URL"]), near("SMTP", ["CONSENT", "SMTP_URL"])
    ('CONSENT', 'SMTP_URL')
    """
    name, known = name.partition("__")[0], sorted(settings)
    found = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
    parts = (
        each for each in known if f"{name}_".startswith(f"{each}_") or each.startswith(f"{name}_")
    )
    return next(iter(found), "") or next(parts, "")


def strangers(environ: Mapping[str, str], prefix: str, settings: Collection[str]) -> dict[str, str]:
    """Return what begins as settings do and is none -> the setting that is probably meant, or empty; by name.

    Args:
        environ: the environment; what is empty there says nothing.
        prefix: how settings begin there, in capital letters.
        settings: their names behind it, in capital letters.
    """
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        rest = name.upper().removeprefix(prefix)
        if not value or rest == name.upper() or rest.partition("__")[0] in settings:
            continue
        if rest not in OF_TOOLS and not _OF_KUBERNETES.fullmatch(rest):
            found[name] = near(rest, settings)
    return found
