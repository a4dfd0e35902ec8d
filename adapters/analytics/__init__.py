"""ClickHouse: the embedded engine behind a gateway, the client, and the tables."""
