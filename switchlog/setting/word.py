"""What is said of settings: the first thing that is wrong with one, and values that may be shown.

What may live here: words. Which settings there are is `switchlog.setting.settings`'.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo


def first_line(error: ValidationError, prefix: str, fields: Mapping[str, FieldInfo], secret: Collection[str]) -> str:
    """One line that names the setting and says what to do; what a `secret` one was set to is never in it."""
    first = error.errors(include_url=False)[0]
    words = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return words
    name = str(first["loc"][0])
    if first["type"] != "value_error":  # pydantic's own words
        words = _wanted(fields[name], "what is set" if name in secret else repr(first["input"]))
    return f"{prefix}{name.upper()}: {words}"


def _wanted(field: FieldInfo, shown: str) -> str:
    """What would have been right, for a setting that is a number within bounds."""
    bounds = {
        bound: getattr(one, bound) for one in field.metadata for bound in ("ge", "le", "lt") if hasattr(one, bound)
    }
    kind = "a whole number" if field.annotation is int else "a number"
    least = f" from {bounds['ge']}" if "ge" in bounds else ""
    most = f" to {bounds['le']}" if "le" in bounds else f", below {bounds['lt']}" if "lt" in bounds else ""
    return f"{shown} cannot be used: write {kind}{least}{most} ({field.description})"


def masked(value: str) -> str:
    """A URL without its password."""
    url = urlsplit(value) if "://" in value else None
    return value.replace(f":{url.password}@", ":********@") if url and url.password else value
