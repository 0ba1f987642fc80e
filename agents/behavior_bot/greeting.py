"""Choose what an e-mail may say of a visitor to themselves: what greets, and what the templates name.

Rules
1. Values are short, of one line, and without a link, whoever told them.
2. What no template names, in any version that somebody may stand on, is told to no other bot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agents.protocol.bot import View
from agents.rules.compiled import GREETING_TRAITS, CompiledRules

GREETING_CHARACTERS_MAX = 80
LINK_MARKS = ("://", "www.")
"""What no name of a person, a company or a place has in it."""


def spoken(view: View) -> frozenset[str]:
    """Return the traits that templates name, in any version that somebody may stand on."""
    present: CompiledRules = view.rules
    return present.spoken.union(*(rules.spoken for rules in view.pinned.values()))


def greeting(traits: Mapping[str, Any], named: Collection[str]) -> dict[str, str]:
    """Return what an e-mail may say of a visitor to themselves: one line each, and no link.

    Whoever has the write key can give anybody a name: it must not become a message under our sender.

    Args:
        traits: name -> value; those that are neither text nor a number are left out.
        named: traits that templates name, beside those that greet.

    >>> greeting(
    ...     {"name": "Ann  Lee", "plan": 2, "note": "see www.example.com", "age": 9},
    ...     ["plan", "note"],
    ... )
    {'name': 'Ann Lee', 'plan': '2'}
    """
    found = {}
    for name in (*GREETING_TRAITS, *sorted({*named} - {*GREETING_TRAITS})):
        value = traits.get(name)
        if isinstance(value, str | int | float) and value != "":
            line = " ".join(str(value).split())[:GREETING_CHARACTERS_MAX]
            if not any(mark in line.lower() for mark in LINK_MARKS):
                found[name] = line
    return found
