"""Phones for one test: as many as it starts, all stopped when it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.phones.phone import Phone


class Phones:
    """`await phones(kind, username, ...)`: as `Phone.start`, and stopped with the test."""

    def __init__(self) -> None:
        self.started: list[Phone] = []

    async def __call__(self, kind: str, username: str, *args: Any, **options: Any) -> Phone:
        phone = await Phone.start(kind, username, *args, **options)
        self.started.append(phone)
        return phone


@asynccontextmanager
async def all_stopped() -> AsyncIterator[Phones]:
    phones = Phones()
    try:
        yield phones
    finally:
        await asyncio.gather(*(phone.stop() for phone in phones.started))
