"""What the commands that change something have in common: they answer once it is durable.

What may live here: that waiting, on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from domain.ports import JournalError
from domain.refusal import Refusal
from domain.switchboard import NotOwned


async def changed(
    begin: Callable[[Callable[[bool], None], Callable[[], None]], None], lost: Refusal
) -> dict[str, bool]:
    """{changed}: what `begin(done, gone)` came to. Raises Refusal: `lost` if its shard is lost meanwhile."""
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    try:
        begin(done.set_result, lambda: done.set_exception(lost))
    except (JournalError, NotOwned) as error:
        raise Refusal("unavailable", str(error)) from error
    return {"changed": await done}
