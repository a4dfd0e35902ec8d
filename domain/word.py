"""Words of declarations that more than one thing has: numbers, PINs, truth values.

What may live here: what such a word looks like. Each raises Refusal with line and field.
"""

from __future__ import annotations

import re

from domain.document import Item

NUMBER = re.compile(r"[0-9*#+]{1,32}")
_PIN = re.compile(r"[0-9]{3,16}")


def match(item: Item, pattern: re.Pattern[str], meaning: str) -> str:
    value = item.text()
    if not pattern.fullmatch(value):
        item.refuse(f"{value!r} is not usable: {meaning}")
    return value


def number(item: Item) -> str:
    """A number inside a tenant."""
    return match(item, NUMBER, "digits, *, # and +, at most 32")


def pin(item: Item | None) -> str | None:
    """Digits, empty for none, or None where nothing is said of it."""
    if item is None:
        return None
    return "" if item.is_nothing else match(item, _PIN, "3 to 16 digits in quotes, or null for none")
