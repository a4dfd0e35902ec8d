"""Values that were parsed before, by their text: the same From, To or Contact comes with every message of a phone.

What may live here: a bounded table. What is kept must not be changed by anybody, since everybody gets the same object.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")

LONGEST_TEXT = 256
"""A longer text is parsed each time: so a table of `limit` values has a bounded size whatever strangers send."""


class Memo(Generic[Value]):
    """At most `limit` values; when it is full it is emptied, which costs less than keeping an order of use."""

    __slots__ = ("_limit", "_values", "get")

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._values: dict[str, Value] = {}
        self.get = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def put(self, text: str, value: Value) -> Value:
        """Keep a value, unless its text is too long; returns it."""
        if len(text) <= LONGEST_TEXT:
            if len(self._values) >= self._limit:
                self._values.clear()
            self._values[text] = value
        return value
