"""The embedded engine for this folder's tests."""

from tests.fixtures.clickhouse import clickhouse, warehouse

__all__ = ["clickhouse", "warehouse"]
