"""`kill -9` at random moments under load: nothing that was acknowledged is lost, and every record is exact.

SOAK_KILLS makes it longer (`make soak-kill`), SOAK_RATE heavier, SOAK_SEED repeats a run,
SOAK_TRACE_BYTES keeps what was on the wire.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.load import Load
from tests.faults.load_call import Plan, Seen
from tests.fixtures.server import Server, tenant

KILLS = int(os.environ.get("SOAK_KILLS", "20"))
RATE = float(os.environ.get("SOAK_RATE", "100"))
SEED = int(os.environ.get("SOAK_SEED", str(secrets.randbits(30))))
AGREE_S = 0.1
DRAIN_S = 120.0
CALLERS = [str(2000 + number) for number in range(20)]
CALLEES = [str(3000 + number) for number in range(20)]

Cdr = Mapping[str, Any]
Away = tuple[float, float]
"""From when to when the server was killed and not ready again, in Unix seconds."""


async def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    print(f"SOAK_SEED={SEED}")
    server = Server.at(tmp_path, SIP_DIGEST="MD5", TRACE_BYTES=os.environ.get("SOAK_TRACE_BYTES", "0"))
    await under_load(server, Load(server.udp, CALLERS, CALLEES, RATE, SEED), kill_again_and_again)


async def under_load(
    server: Server, load: Load, trouble: Callable[[Server, Load], Coroutine[None, None, list[Away]]]
) -> None:
    """Start it, let `trouble` befall it while phones call, and check everything once every call is over.

    `trouble` returns when nobody was there for the phones.
    """
    try:
        await server.start()
        await server.apply(tenant("acme", [*CALLERS, *CALLEES], ring_s=60))
        await load.start()
        calling = asyncio.create_task(load.run())
        away = await trouble(server, load)
        load.stop()
        await calling
        await load.drained(DRAIN_S)
        await check(server, load, away)
    finally:
        load.close()
        await server.stop()


async def kill_again_and_again(server: Server, load: Load) -> list[Away]:
    """Half of the kills take the parent, half the sessions process alone; a phone registers anew in between."""
    chance, away = random.Random(SEED), []
    for count in range(KILLS):
        await asyncio.sleep(chance.uniform(0.5, 4))
        begun_at = time.time()
        if chance.random() < 0.5:
            await server.kill()
            await server.start()
        else:
            await server.replace_role("sessions")
        away.append((begun_at, time.time()))
        refreshed = asyncio.create_task(load.register(chance.choice(CALLEES)))
        states = Counter(seen.state for seen in load.calls.values())
        print(f"kill {count + 1} of {KILLS}: {dict(states)}", flush=True)
        await refreshed
    return away


async def check(server: Server, load: Load, away: list[Away]) -> None:
    """Everything that the phones saw agrees with the records."""
    calls = list(load.calls.values())
    print(Counter((seen.plan.name, seen.status, seen.refused) for seen in calls))
    forked = [seen for seen in calls if len(seen.offers) > 1]
    assert not forked, f"a callee was offered a call twice: {forked[:3]}"
    wanted = [seen for seen in calls if seen.taken]
    lost = [seen for seen in wanted if seen.refused]
    assert not lost, f"{len(lost)} calls: {lost[:20]}"
    assert len(wanted) > len(calls) / 2, "most calls found the server away or overloaded"
    records = await final_records(server, len(wanted))
    for seen in wanted:
        agrees(seen, records, any(begin <= seen.settled_at and seen.invited_at <= end for begin, end in away))
    gaps = server.query("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence) LIMIT 3")
    assert not gaps, f"a stream has a gap: {gaps}"
    async with server.client() as client:
        bound = {item["number"] for item in (await client.get("/v1/registrations")).json()["items"]}
    assert load.registered <= bound, "a registration that was acknowledged is gone"


async def final_records(server: Server, count: int) -> dict[str, list[Cdr]]:
    """SIP Call-ID of the caller's leg -> its call records."""
    sql = (
        "SELECT l.sip_call_id AS sip_call_id, c.* FROM cdr AS c INNER JOIN cdr_legs AS l ON l.call_id = c.call_id "
        "WHERE l.side = 'caller' AND c.final AND l.sip_call_id LIKE 'c%'"
    )
    rows = await server.rows(sql, lambda found: len(found) >= count, timeout_s=60)
    found: dict[str, list[Cdr]] = {}
    for row in rows:
        found.setdefault(row["sip_call_id"], []).append(row)
    return found


def agrees(seen: Seen, records: Mapping[str, list[Cdr]], touched: bool) -> None:
    """One record, with the phones' outcome and times; `touched` = the server was away during the call."""
    found = records.get(f"{seen.token}@load", [])
    assert len(found) == 1, f"{len(found)} records of {seen}"
    (cdr,) = found
    expected = {
        Plan.CALLER_HANGS_UP: ("answered", "caller"),
        Plan.HOLD: ("answered", "caller"),
        Plan.CALLEE_HANGS_UP: ("answered", "callee"),
        Plan.REJECT: ("busy", "callee"),
        Plan.CANCEL: ("cancelled", "caller"),
    }[seen.plan]
    story = f"{seen}\n{dict(cdr)}"
    assert (cdr["disposition"], cdr["hangup_by"]) == expected, story
    assert touched or not cdr["takeovers"], story
    if touched:  # each side learned late what the other one did while nobody was there
        assert seen.invited_at - AGREE_S <= _unix(cdr["started_at"]) <= _unix(cdr["ended_at"]), story
        assert bool(seen.answered_at) == bool(cdr["answered_at"]), story
        return
    clocks = {
        "answered_at": (seen.callee_answered_at, seen.answered_at),
        "ended_at": (seen.cancelled_at, seen.callee_ended_at, seen.ended_at),
    }
    for name, moments in clocks.items():
        known = [at for at in moments if at]
        assert bool(known) == bool(cdr[name]), f"{name}: {story}"
        if known:  # not before the one side did it, not after the other one knew it
            assert min(known) - AGREE_S <= _unix(cdr[name]) <= max(known) + AGREE_S, f"{name} {known}: {story}"


def _unix(at: datetime) -> float:
    return at.timestamp()
