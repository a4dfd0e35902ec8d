"""ClickHouse: the embedded engine behind a gateway, the client, and the tables."""

import os

# By the driver's own spelling: else it makes a table of all days from 1900 to 2299 as it is loaded.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "1")
