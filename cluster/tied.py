"""`python tied.py PARENT_PID COMMAND...`: become COMMAND, and end with the process PARENT_PID, however that ends.

Nothing of ours is imported, and nothing slow: it runs with `python -I -S` before every broker and node.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process; the signal at the parent's death stays set over `exec`."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
