"""What tests of the media worker share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.media.party import Stage, stage


@pytest.fixture
def made() -> Iterator[Stage]:
    """An engine without contexts yet."""
    with stage() as made:
        yield made
