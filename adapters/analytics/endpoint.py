"""Where a ClickHouse is. Apart from the client, whose driver is slow to load and not needed to know this."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec

DEFAULT_PORT = 9000


class Endpoint(msgspec.Struct, frozen=True):
    """Where ClickHouse is and who we are there."""

    host: str
    port: int
    user: str
    password: str
    database: str = "switchlog"

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """`clickhouse://user:password@host:port/database`. Raises ValueError that says which part is wrong."""
        parts = urlsplit(url)
        if parts.scheme != "clickhouse" or not parts.hostname:
            raise ValueError("a ClickHouse address looks like clickhouse://user:password@host:port/database")
        return cls(
            parts.hostname,
            parts.port or DEFAULT_PORT,
            unquote(parts.username or "switchlog"),
            unquote(parts.password or ""),
            parts.path.strip("/") or "switchlog",
        )
