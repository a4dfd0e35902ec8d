"""The short form of `make proof`: the tables of the same journal are the same, however often they are filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adapters.journal.kafka.address import parse
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.sqlite import SqliteJournal
from bench.courses import COURSES, TENANTS
from bench.proof import Filled, Proof, prove, report
from domain.ports import Journal
from switchlog.setting.folder import JOURNAL
from tests.fixtures.broker import fresh_journal

CALLS = 500
Opened = tuple[Journal, Mapping[str, str]]


@pytest.fixture(params=["sqlite", "kafka"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """To write to, and what a server is to be told of it."""
    if request.param == "sqlite":
        return SqliteJournal(tmp_path / JOURNAL), {}
    address = fresh_journal(request.getfixturevalue("broker"))
    return KafkaJournal(parse(address), "proof"), {"JOURNAL": address}


async def test_rebuilt_twice_and_at_a_server_all_hashes_are_equal(journal: Opened, tmp_path: Path) -> None:
    proof = await prove("the journal", *journal, tmp_path, CALLS)
    assert proof.differences() == []
    assert [one.generation for one in proof.filled] == [1, 2, 3, 1]
    months = {(tenant, month) for table, tenant, month in proof.filled[0].hashes if table == "cdr"}
    assert months == {(tenant, month) for tenant in TENANTS for month in (202603, 202604, 202605)}
    assert len(COURSES) * len(TENANTS) < CALLS, "every course is among them"


def _proof(change: Callable[[dict[tuple[str, str, int], tuple[int, str]]], object]) -> Proof:
    hashes = {("cdr", "acme", 202603): (2, "ab"), ("events", "acme", 202603): (12, "cd")}
    other = dict(hashes)
    change(other)
    return Proof("sqlite", 2, 12, [Filled("followed", 1, hashes, 1.0), Filled("rebuilt once", 2, other, 1.0)])


def test_what_is_not_the_same_is_named() -> None:
    assert _proof(lambda hashes: None).differences() == []
    missing = _proof(lambda hashes: hashes.pop(("cdr", "acme", 202603)))
    assert missing.differences() == ["rebuilt once: cdr, acme, 202603"]
    other = _proof(lambda hashes: hashes.update({("events", "acme", 202603): (12, "ce")}))
    assert other.differences() == ["rebuilt once: events, acme, 202603"]
    assert "DIFFERS" in [*report(other).columns[-1].cells] and "equal" in [*report(other).columns[-1].cells]


def test_rows_that_are_missing_everywhere_are_named() -> None:
    proof = _proof(lambda hashes: None)._replace(calls=3)
    assert proof.differences() == ["followed: 2 rows of cdr for 3"]
