"""Subscriptions (RFC 6665): phones that asked to be told of something, and what they were told."""
