"""Two phones that hear each other: the tones that prove it."""

from __future__ import annotations

import asyncio
from typing import Any

from media.tone import levels
from tests.fixtures.server import PASSWORD, Server
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones
from tests.phones.phone import Phone

CLOCK_RATE_HZ = 8000
HEARD_S = 0.6
LOUD_DBFS = -35.0
QUIET_DBFS = -50.0
TONES_HZ = {"1001": 440.0, "1002": 697.0, "1003": 1000.0, "1004": 1336.0}


async def phone(
    server: Server,
    phones: Phones,
    maker: str,
    username: str,
    transport: str = "udp",
    tenant: str = "acme",
    **options: Any,
) -> Phone:
    """A phone of this maker, registered at the tenant as `username`; it ends with the test."""
    one = await phones(
        maker,
        username,
        password=PASSWORD.format(username=username),
        domain=f"{tenant}.example",
        proxy=f"127.0.0.1:{server.port(transport)}",
        transport=transport,
        tone_hz=TONES_HZ[username],
        **options,
    )
    await one.registered(10)
    return one


async def hears(call: PhoneCall, tone_hz: float, *others_hz: float) -> None:
    """The call hears this tone, loud, and none of the others."""
    samples = await call.heard(HEARD_S)
    found = levels(samples, CLOCK_RATE_HZ, (tone_hz, *others_hz))
    heard, others = found[0], found[1:]
    assert heard > LOUD_DBFS, f"expected {tone_hz} Hz, found {found}"
    assert all(level < QUIET_DBFS for level in others), f"expected only {tone_hz} Hz, found {found}"


async def both_hear(caller: PhoneCall, caller_hz: float, callee: PhoneCall, callee_hz: float) -> None:
    """Each hears the other's tone and not its own."""
    await asyncio.gather(hears(caller, callee_hz, caller_hz), hears(callee, caller_hz, callee_hz))


async def silent(call: PhoneCall, *tones_hz: float) -> None:
    """None of these tones is heard now, once what was on its way has been played."""
    samples = await call.heard(2 * HEARD_S)
    found = levels(samples[len(samples) // 2 :], CLOCK_RATE_HZ, tones_hz)
    assert all(level < QUIET_DBFS for level in found), f"expected silence, found {found}"


async def connect(caller: Phone, callee: Phone, number: str) -> tuple[PhoneCall, PhoneCall]:
    """`caller` dials `number`, `callee` rings and answers."""
    out = await caller.dial(number)
    incoming = await callee.incoming(10)
    await incoming.ring()
    await out.state("ringing", 10)
    await incoming.answer()
    await out.state("answered", 10)
    return out, incoming


async def hold_and_resume(
    holder: PhoneCall, holder_hz: float, other: PhoneCall, other_hz: float, wait_s: float
) -> None:
    """The holder is not heard while it holds, and both are heard again afterwards."""
    await holder.hold()
    await holder.state("held", wait_s)
    await silent(other, holder_hz)
    await holder.resume()
    await holder.state("answered", wait_s)
    await both_hear(holder, holder_hz, other, other_hz)
