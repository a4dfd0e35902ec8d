"""The entry of a child process: its life tied to its parent's, one role.

Nothing but that is loaded here: a media worker takes the place of this process, and has all to load itself.
"""

from __future__ import annotations

import os
import signal
import sys

from switchlog.tied import end_with_parent


def main() -> None:
    """`python -m switchlog.child PART PARENT_PID WORDS` with the settings as JSON on standard input; none = end.

    Why the role cannot run is written to the descriptor WORDS.
    """
    part, parent, words = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(words, False)
    end_with_parent(parent)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a role asks for it
    role, _, number = part.partition("-")
    if role == "media":
        from switchlog.role import media

        media.run(int(number), words)
    else:
        # structlog would load it for tracebacks that we do not want: a tenth of what a child loads.
        sys.modules["rich"] = None  # type: ignore[assignment]
        from switchlog import servant

        servant.run(part, words)


if __name__ == "__main__":
    main()
