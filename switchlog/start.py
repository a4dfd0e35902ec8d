"""The command `switchlog`, from its first moment: what a server waits for longest begins before all else is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from switchlog.early import FIRST, EarlyChild


def first_child(words: Sequence[str]) -> EarlyChild | None:
    """The child that `serve` will want; None when it may not, then `serve` sees to it itself."""
    serves = words[:1] == ["serve"] and not any(word.startswith(("--role", "--help")) for word in words)
    return EarlyChild(FIRST) if serves else None


def main() -> None:
    """The entry point. Always raises SystemExit."""
    early = first_child(sys.argv[1:])
    from switchlog.cli import app as cli

    cli.main(early=early)
