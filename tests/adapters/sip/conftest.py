"""Fixtures of the SIP tests."""

from tests.adapters.sip.station import run

__all__ = ["run"]
