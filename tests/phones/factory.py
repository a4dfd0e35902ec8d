"""Phones for one test: as many as it starts, all stopped when it ends."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.phones.phone import Phone


class Phones:
    """`await phones(kind, username, ...)`: as `Phone.start`, and stopped with the test."""

    def __init__(self) -> None:
        self.started: list[Phone] = []

    async def __call__(self, kind: str, username: str, *args: Any, **options: Any) -> Phone:
        if kind == "pjsua" and importlib.util.find_spec("pjsua2") is None:
            pytest.skip("pjsua2-python has no wheel for this Python: use 3.11 or 3.12")
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
