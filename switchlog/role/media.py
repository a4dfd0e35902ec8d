"""The role `media`: a media worker in place of this process, which knows nothing of ours and so is soon there."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from domain.node import number_of
from switchlog.role.life import at_start
from switchlog.setting.folder import SOUNDS, media_socket, socket_name

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


async def run(settings: Settings) -> None:
    """Never returns: the worker has this process's id, parent and end. Raises RoleError when it cannot be started."""
    with at_start():
        control = socket_name(settings.data / media_socket(number_of(settings.node)), inherited=True)
        words = [sys.executable, "-m", "media", "--control", str(control), "--host", settings.media_host]
        words += ["--kept", str(settings.data / SOUNDS)]
        os.execv(sys.executable, words)
