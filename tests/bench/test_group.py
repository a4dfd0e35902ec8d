"""What becomes of a row that cannot be measured."""

from __future__ import annotations

from pathlib import Path

from bench.group import Setup, attempt
from bench.table import Line, Missing, Row


def _setup(said: list[str]) -> Setup:
    return Setup(Path("nowhere"), True, frozenset({"call"}), said.append)


async def test_a_measurement_that_fails_is_a_line_that_says_why() -> None:
    async def fail() -> list[Line]:
        raise RuntimeError("the callee could not register: 403\nmore")

    said: list[str] = []
    assert await attempt(_setup(said), "call", fail()) == [
        Missing("call", "RuntimeError: the callee could not register: 403", failed=True)
    ]
    assert said == ["call: RuntimeError: the callee could not register: 403\nmore"]


async def test_a_measurement_that_succeeds_is_handed_on() -> None:
    row = Row("call", 1.0, "ms", "echo", 0.5)

    async def measured() -> list[Line]:
        return [row]

    said: list[str] = []
    assert await attempt(_setup(said), "call", measured()) == [row]
    assert said == []
