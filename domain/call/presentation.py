"""What of a caller, and of the way that a call has come, its callees may see. Values only."""

from __future__ import annotations

import msgspec

ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"
"""Who calls, for callees that may not know it (RFC 3323 4.1.1.3)."""
ANONYMOUS_NAME = "Anonymous"
MAX_REDIRECTS = 5


class Presentation(msgspec.Struct, frozen=True):
    """`hops` are left to the caller's request (RFC 3261 16.6). `diversion` and `history` are what came with it.

    None = the tenant's policy strips them; otherwise they are passed on, and ours are added.
    """

    hops: int = 70
    anonymous: bool = False
    diversion: tuple[str, ...] | None = None
    history: tuple[str, ...] | None = None

    def uri(self, number: str, domain: str) -> str:
        """Who calls, as callees see it."""
        return ANONYMOUS_URI if self.anonymous else f"sip:{number}@{domain}"

    def display(self, name: str) -> str:
        """The caller's name as callees see it."""
        return ANONYMOUS_NAME if self.anonymous else name


OPEN = Presentation()
"""Nothing is hidden, and nothing came along."""
