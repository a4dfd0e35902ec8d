"""A broker or a Switchlog that is ours alone: started, killed, frozen, and never left behind.

It ends with the process that started it (`cluster.tied`), so it must be started by a thread that lives as long: the
kernel takes the end of a thread for that of the parent.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

_TIED = Path(__file__).with_name("tied.py")


def tied(command: Sequence[str]) -> list[str]:
    """`command`, to be run as a child of this process that ends with it."""
    return [sys.executable, "-I", "-S", str(_TIED), str(os.getpid()), *command]


class Process:
    """A started command. Its words go to the end of the file `log`, None = where ours go; `environment` None = ours."""

    def __init__(self, command: Sequence[str], log: Path | None, environment: Mapping[str, str] | None = None) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start it in the main thread: it ends with the thread that started it")
        with log.open("ab") if log else nullcontext() as out:
            self._process = subprocess.Popen(
                tied(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the parent only, which ends its children in order
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Also while it is frozen."""
        return self._process.poll() is None

    def wait(self, timeout_s: float) -> int:
        """Its exit status, negative = by this signal. Raises TimeoutError."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"process {self.pid} still runs after {timeout_s:.0f} s") from None

    def end(self, timeout_s: float) -> int:
        """As a service manager does: asked first, killed when it does not listen. Returns the exit status."""
        self.ask_to_end()
        return self.ended(timeout_s)

    def ended(self, timeout_s: float) -> int:
        """The same of one that was asked already."""
        try:
            return self.wait(timeout_s)
        except TimeoutError:
            self.kill()
            return -signal.SIGKILL

    def ask_to_end(self) -> None:
        """SIGTERM, also to a frozen one, which would not hear."""
        self._process.terminate()
        self.thaw()

    def kill(self) -> None:
        """`kill -9`; it is gone on return."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It does nothing until `thaw`; what is sent to it is neither answered nor refused."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def fill_disk(self) -> None:
        """Let every write to a file fail from now on, as on a full disk, until it ends; its log has no more either.

        The limit on the size of files is what any user may set, and it needs no file system of its own. A JVM takes the
        signal that comes with it as an error of the write.
        """
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, 0))
