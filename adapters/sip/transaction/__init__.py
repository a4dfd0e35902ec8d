"""Transactions (RFC 3261 section 17): sans-IO, by tables."""
