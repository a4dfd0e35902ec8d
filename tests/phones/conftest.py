from collections.abc import AsyncIterator

import pytest_asyncio

from tests.phones.factory import Phones, all_stopped


@pytest_asyncio.fixture
async def phones() -> AsyncIterator[Phones]:
    async with all_stopped() as start:
        yield start
