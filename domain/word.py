"""Words of declarations that more than one thing has: numbers, PINs, languages, text of one line.

What may live here: what such a word looks like. Each raises Refusal with line and field.
"""

from __future__ import annotations

import re

from domain.document import Item, Mapping

NUMBER = re.compile(r"[0-9*#+]{1,32}")
_PIN = re.compile(r"[0-9]{3,16}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


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


def has_pin(fields: Mapping, name: str) -> bool:
    """Whether there shall be the PIN that there is, and whoever wrote this does not know it: an export without secrets
    says no more of one."""
    item = fields.get(f"has_{name}")
    if item is None:
        return False
    if not item.is_true:
        item.refuse(f"can be true only: {name}: null takes a PIN away")
    if fields.get(name) is not None:
        item.refuse(f"give either {name} or has_{name}, not both")
    return True


def language(item: Item | None) -> str:
    """A tag of BCP 47 in lower case, empty if nothing is said."""
    value = item.text().lower() if item else ""
    if item and not _LANGUAGE.fullmatch(value):
        item.refuse(f"{value!r} is not usable: a language as in BCP 47, such as en or de-CH")
    return value


def line(item: Item, most: int) -> str:
    """Text of one line, of at most so many characters."""
    value = item.text()
    if len(value) > most or _CONTROL.search(value):
        item.refuse(f"must have at most {most} characters and no control characters")
    return value
