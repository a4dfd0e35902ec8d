"""Fixtures of the tests against a real server."""

from tests.fixtures.server import server as server
