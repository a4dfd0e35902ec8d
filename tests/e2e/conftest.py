"""Fixtures of the end-to-end tests: real phones, and (from `tests.fixtures`) a real server for them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fixtures.server import server as server
from tests.phones.factory import Phones, all_stopped


@pytest_asyncio.fixture
async def phones() -> AsyncIterator[Phones]:
    """Start phones with `await phones("pjsua", "1001", ...)`, as `Phone.start`; all end with the test."""
    async with all_stopped() as start:
        yield start
