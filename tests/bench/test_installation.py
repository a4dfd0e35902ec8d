"""The server that is measured: what one row leaves must not be in the way of the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import sipp
from bench.installation import installation
from bench.signalling import Load, calls, registers
from domain.registering import MAX_CONTACTS


@pytest.mark.skipif(not sipp.installed(), reason="needs SIPp (Debian: sip-tester)")
async def test_a_callee_that_is_gone_is_not_rung_any_more(tmp_path: Path) -> None:
    async with installation(tmp_path) as at:
        for _ in range(2):
            async with at.callee():
                stats = await calls(at, Load(5, 5))
                assert (stats.succeeded, stats.failed, stats.retransmissions) == (5, 0, 0)
        records = await at.server.cdrs(10)
        assert [record["legs"] for record in records] == [2] * 10


@pytest.mark.skipif(not sipp.installed(), reason="needs SIPp (Debian: sip-tester)")
async def test_runs_that_follow_one_another_are_of_the_same_phones(tmp_path: Path) -> None:
    async with installation(tmp_path) as at:
        for _ in range(MAX_CONTACTS + 1):
            stats = await registers(at, Load(2, 100))
            assert (stats.succeeded, stats.failed) == (2, 0)
        assert len(await at.server.items("/v1/registrations", lambda bound: len(bound) >= 2)) == 2
