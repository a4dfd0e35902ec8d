"""The certificates that media handshakes show (RFC 5763), named by their hash in the SDP.

What may live here: which one is shown when. They follow from a secret of the installation and the year, and from
nothing else: so after a restart, or at the node that takes a call over, the certificate of a call is the one that its
SDP names, and a media worker that is told of it again sees no change. Whoever has the secret can make them too.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple


class UnknownCertificateError(LookupError):
    """A fingerprint is of no certificate of this installation, or of one that is over: its call needs a new offer."""


class Certificate(NamedTuple):
    """A certificate and its private key, both PEM, and what `a=fingerprint` says of it."""

    certificate: bytes
    key: bytes
    fingerprint: str


class Certificates:
    """Those of one installation; each is made once."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._made: dict[int, Certificate] = {}

    def current(self, now: dt.datetime) -> Certificate:
        """The one for new calls: that of the year, good for the next one too."""
        return self._of(now.astimezone(dt.UTC).year)

    def shown(self, fingerprint: str, now: dt.datetime) -> Certificate:
        """The one that was named so, this year or last. Raises UnknownCertificateError."""
        year = now.astimezone(dt.UTC).year
        for each in (year, year - 1, year + 1):  # another node's clock may be ahead of ours
            if (found := self._of(each)).fingerprint == fingerprint:
                return found
        raise UnknownCertificateError(f"no certificate of this installation is {fingerprint}")

    def _of(self, year: int) -> Certificate:
        if year not in self._made:
            from adapters.media.self_signed import self_signed  # its library is slow to load, and seldom needed

            self._made[year] = self_signed(self._secret, year)
        return self._made[year]
