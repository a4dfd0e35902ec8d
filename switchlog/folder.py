"""The names inside the data folder."""

JOURNAL = "journal.db"
SESSIONS_SOCKET = "sessions.sock"
PROJECTOR_SOCKET = "projector.sock"
CLICKHOUSE = "clickhouse"
"""The embedded engine's own folder."""
HANDLE = "api.json"
"""Where the command line on the same machine finds URL and key of the API."""
