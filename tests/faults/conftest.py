"""Fixtures of the tests that kill things: the same phones and server as the end-to-end tests have."""

from tests.e2e.conftest import phones as phones
from tests.fixtures.server import server as server
