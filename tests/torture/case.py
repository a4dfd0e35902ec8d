"""The messages of the RFCs with what is expected of each."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent
RFCS = ("rfc4475", "rfc5118")


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message; the fields are explained in `rfc4475/expected.toml`."""

    section: str
    title: str
    rfc: str
    parse: str
    bare: str
    known: str = ""
    stream: str | None = None
    """What the same bytes get on a TCP connection; None where that is `bare`."""
    read: dict[str, str | int] = {}
    answer: dict[str, str | int] = {}
    """What the last answer holds."""
    note: str = ""
    difference: str = ""


@cache
def cases(rfc: str) -> dict[str, Case]:
    """Every message of an RFC by its name there, in the order of the sections."""
    table: dict[str, Any] = tomllib.loads((FOLDER / rfc / "expected.toml").read_text())
    return msgspec.convert(table, dict[str, Case])


def wire(rfc: str, name: str) -> bytes:
    return (FOLDER / rfc / f"{name}.dat").read_bytes()


ALL = [(rfc, name) for rfc in RFCS for name in cases(rfc)]
