"""The role `analytics`: the embedded engine and its gateway, in a process of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from adapters.analytics.engine import Engine, EngineUnusable, Limits
from adapters.analytics.gateway import Accounts, Gateway, GatewayRefused, bind, check

log = logging.getLogger(__name__)


class AnalyticsRefused(Exception):
    """The role cannot start; one line says why and what to do."""


async def serve(
    data_dir: Path,
    listen: tuple[str, int],
    accounts: Accounts,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] = lambda port: None,
    limits: Limits | None = None,
) -> None:
    """Serve the folder `data_dir` on `listen` until `stop`; `ready` is told the port. Raises AnalyticsRefused."""
    host, port = listen
    sizes = limits or Limits()
    try:
        check(accounts, host)
        listening = bind(host, port)
    except GatewayRefused as error:
        raise AnalyticsRefused(str(error)) from error
    try:
        engine = await asyncio.to_thread(Engine, data_dir, sizes)
    except EngineUnusable as error:
        listening.close()
        raise AnalyticsRefused(str(error)) from error
    gateway = Gateway(engine, accounts, engine_limits=sizes)
    bound = await gateway.serve(listening)
    log.info("ClickHouse clients are served on %s:%d", host, bound)
    ready(bound)
    try:
        await stop.wait()
    finally:
        await gateway.close()
        await asyncio.to_thread(engine.close)
