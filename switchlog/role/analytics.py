"""The role `analytics`: the embedded ClickHouse engine behind its gateway, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.analytics.gateway import Accounts
from adapters.analytics.process import AnalyticsRefused, serve
from adapters.keys.master import KeyStoreError
from switchlog.role.life import RoleError, stop_event
from switchlog.setting.address import address
from switchlog.setting.folder import CLICKHOUSE
from switchlog.store.warehouse import writer_password

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        accounts = Accounts(writer_password(settings), settings.clickhouse_analyst_password)
        await serve(settings.data / CLICKHOUSE, address(settings.clickhouse_listen), accounts, stop)
    except (AnalyticsRefused, KeyStoreError) as error:
        raise RoleError(str(error)) from error
