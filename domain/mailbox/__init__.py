"""Mailboxes: the messages in them, and what callers do there."""
