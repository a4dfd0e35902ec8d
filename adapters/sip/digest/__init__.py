"""Digest authentication, server and client side."""
