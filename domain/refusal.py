"""How the product says no to a person or a program: whose fault it is, where, and what to do."""

from __future__ import annotations

from typing import Literal

Kind = Literal["invalid", "forbidden", "missing", "conflict", "unavailable"]


class Refusal(Exception):
    """A command or query that is not carried out; nothing was changed.

    `detail` is one line for people. Where the fault is in a document, `source` is its file name, `line` counts from 1
    (0 = unknown) and `field` is the path of the value (`tenants[0].extensions[1].number`).
    """

    def __init__(self, kind: Kind, detail: str, *, source: str = "", line: int = 0, field: str = "") -> None:
        super().__init__(detail)
        self.kind: Kind = kind
        self.detail = detail
        self.source = source
        self.line = line
        self.field = field

    def __str__(self) -> str:
        place = f"{self.source or 'document'}:{self.line}: " if self.line else ""
        name = f"{self.field}: " if self.field else ""
        return f"{place}{name}{self.detail}"
