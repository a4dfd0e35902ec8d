"""A blocking ClickHouse client for the projector: `clickhouse-driver` with our errors and a fresh start after each.

One `Warehouse` belongs to one thread. The same code reads a ClickHouse server and our own gateway.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from clickhouse_driver import Client, defines  # type: ignore[import-untyped]
from clickhouse_driver import errors as driver_errors
from clickhouse_driver.block import ColumnOrientedBlock  # type: ignore[import-untyped]

from adapters.analytics import block, protocol
from adapters.analytics.endpoint import Endpoint

__all__ = ["Endpoint", "Warehouse", "WarehouseError"]

CONNECT_S = 5
ANSWER_S = 120

TRANSIENT = frozenset({159, 160, 202, 203, 209, 210, 225, 241, 242, 252, 319, 394, 425, 999})
"""Server codes after which the same statement may succeed later: time-outs, overload, memory, read-only replicas."""


class WarehouseError(Exception):
    """ClickHouse did not do it. `retryable` = the same again may succeed later; else it needs a person."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class _Client(Client):  # type: ignore[misc]
    """The driver with our own, cheaper encoding of columnar inserts where the types allow it."""

    def send_data(self, sample_block: Any, data: Any, types_check: bool = False, columnar: bool = False) -> int:
        """The driver's step of an INSERT between the server's list of columns and its answer."""
        connection = self.connection
        marked = connection.server_info.used_revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION
        try:
            encoded = block.encode(sample_block.columns_with_types, data, marked=marked)
        except block.Unsuited:
            sent: int = super().send_data(sample_block, data, types_check=types_check, columnar=columnar)
            return sent
        connection.fout.write(protocol.client_data(encoded))
        connection.fout.flush()
        self.receive_profile_events()
        connection.send_data(ColumnOrientedBlock())  # an empty one is the end
        self.receive_profile_events()
        return len(data[0])


class Warehouse:
    """Statements and inserts. Connects on first use and again after any error."""

    def __init__(self, endpoint: Endpoint, *, answer_s: float = ANSWER_S) -> None:
        self.endpoint = endpoint
        self._answer_s = answer_s
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a statement; `%(name)s` in it stands for a parameter. Raises WarehouseError."""
        with self._connected() as client:
            rows = client.execute(sql, dict(parameters) if parameters else None)
        return list(rows) if isinstance(rows, list) else []

    def select(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
        """Rows of a query and the names of their columns. Raises WarehouseError."""
        with self._connected() as client:
            rows, columns = client.execute(sql, dict(parameters) if parameters else None, with_column_types=True)
        return list(rows), tuple(name for name, _ in columns)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
        """Insert `rows`; returns how many. Done when it returns. Raises WarehouseError."""
        if not rows:
            return 0
        names = ", ".join(f"`{name}`" for name in columns)
        with self._connected() as client:
            client.execute(
                f"INSERT INTO {table} ({names}) VALUES",
                list(zip(*rows, strict=True)),
                columnar=True,
            )
        return len(rows)

    def ping(self) -> bool:
        """Does it answer?"""
        try:
            self.execute("SELECT 1")
        except WarehouseError:
            return False
        return True

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client = None

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        client = self._client or self._connect()
        self._client = client
        try:
            yield client
        except driver_errors.ServerException as error:
            self.close()
            text = str(error.message).partition("Stack trace:")[0].strip()
            raise WarehouseError(
                f"ClickHouse answered {error.code}: {text}",
                retryable=error.code in TRANSIENT,
            ) from error
        except (driver_errors.NetworkError, OSError, EOFError) as error:
            self.close()
            where = f"{self.endpoint.host}:{self.endpoint.port}"
            raise WarehouseError(f"ClickHouse at {where} cannot be reached: {error}", retryable=True) from error
        except (driver_errors.Error, ValueError, TypeError, AttributeError, OverflowError) as error:
            self.close()
            raise WarehouseError(f"not a value or statement for ClickHouse: {error}", retryable=False) from error

    def _connect(self) -> Client:
        at = self.endpoint
        return _Client(
            at.host,
            port=at.port,
            user=at.user,
            password=at.password,
            database=at.database,
            secure=at.secure,
            verify=at.verify,
            ca_certs=at.ca or ssl.get_default_verify_paths().cafile,
            connect_timeout=CONNECT_S,
            send_receive_timeout=self._answer_s,
            compression=False,
        )
