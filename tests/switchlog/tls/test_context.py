"""Certificates that are read again: whatever is wrong with them, the old ones stay and the next time is heard."""

from __future__ import annotations

import asyncio
import contextlib
import io
import ssl
from typing import Literal

import pytest

from switchlog.tls.certificate import CertificateError, client_context
from switchlog.tls.context import Tls, renew_whenever
from tests.switchlog.logged import lines


class Asked(asyncio.Event):
    """An event that is set again as often as there are turns, and then tells that all were taken."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.over = asyncio.Event()
        self._left = turns

    async def wait(self) -> Literal[True]:
        if not self._left:
            self.over.set()
            await asyncio.get_running_loop().create_future()
        self._left -= 1
        return True


class Files:
    """What each reading finds."""

    def __init__(self, *found: Tls | Exception) -> None:
        self._found = iter(found)

    def read(self) -> Tls:
        found = next(self._found)
        if isinstance(found, Exception):
            raise found
        return found


GOOD = Tls(None, client_context(None, None, None))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (CertificateError("TLS cannot use a.pem: not PEM"), "TLS cannot use a.pem: not PEM"),
        (PermissionError(13, "Permission denied", "/data/tls.crt"), "PermissionError: [Errno 13] Permission denied"),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "what"), "UnicodeDecodeError"),
        (RuntimeError("of some library"), "RuntimeError: of some library; see that the files can be read"),
    ],
)
def test_any_bad_file_leaves_the_old_certificates_and_one_line(bad: Exception, words: str, stream: io.StringIO) -> None:
    put: list[ssl.SSLContext] = []

    async def keep(server: ssl.SSLContext | None, client: ssl.SSLContext) -> None:
        put.append(client)

    renewed(Files(bad, GOOD), keep)
    assert put == [GOOD.client]
    wrong, right = lines(stream)
    assert wrong["event"] == "certificates not read again, the old ones stay"
    assert words in wrong["reason"]
    assert "exception" not in wrong
    assert right["event"] == "certificates read again"


def test_contexts_that_cannot_be_put_to_use_are_told_too(stream: io.StringIO) -> None:
    results: list[Exception | None] = [OSError(24, "Too many open files"), None]

    async def full(server: ssl.SSLContext | None, client: ssl.SSLContext) -> None:
        if (error := results.pop(0)) is not None:
            raise error

    renewed(Files(GOOD, GOOD), full)
    wrong, right = lines(stream)
    assert "Too many open files" in wrong["reason"]
    assert right["event"] == "certificates read again"


def renewed(files: Files, put: object, turns: int = 2) -> None:
    """Read as often as asked."""

    async def main() -> None:
        asked = Asked(turns)
        task = asyncio.create_task(renew_whenever(asked, files.read, put))  # type: ignore[arg-type]
        over = asyncio.create_task(asked.over.wait())
        await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
        assert not task.done(), "nobody would hear the next SIGHUP"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
