"""The role `media`: a media worker in place of this process, which knows nothing of ours and so is soon there.

Loads next to nothing, for the same reason.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from switchlog.setting.folder import SOUNDS, media_socket, socket_name
from switchlog.setting.given import given
from switchlog.tied import end_unusable, refused

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


def run(number: int, words: int) -> None:
    """Never returns: the worker of that number has this process's id, parent and end.

    The settings come as in `switchlog.child`. Why the worker cannot be started is written to the descriptor `words`.
    """
    content = sys.stdin.buffer.read()
    if not content:
        sys.exit(0)
    try:
        os.execv(sys.executable, command(given(content), number))
    except OSError as error:
        end_unusable(words, refused(error))


def command(settings: Settings, number: int) -> list[str]:
    """What a worker is. Raises OSError."""
    control = socket_name(settings.data / media_socket(number), inherited=True)
    words = [sys.executable, "-m", "media", "--control", str(control), "--host", settings.media_host]
    return [*words, "--kept", str(settings.data / SOUNDS), "--legs", str(settings.media_legs)]
