"""What the settings name and something is kept in: journal, storage, secrets, analytics, wire trace."""
