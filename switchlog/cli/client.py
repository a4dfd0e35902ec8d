"""The command line as a client of the HTTP API: where the server is, and what its answers mean for the exit code."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from switchlog.setting.folder import HANDLE

if TYPE_CHECKING:  # `serve` asks nobody, and is to be up soon: who asks imports it
    import httpx

DONE, NO, MISUSED, UNREACHABLE = 0, 1, 2, 3
"""Exit codes: done; the answer is no; used wrongly; the server cannot be reached."""
_TIMEOUT_S = 60.0


class CliError(Exception):
    """Ends the command with one line on stderr and an exit code."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code = code


class LocalApi(msgspec.Struct, frozen=True):
    """Where the server of a data folder is, and an operator key that holds as long as it runs."""

    url: str
    key: str


def local_api(data: Path) -> LocalApi | None:
    """What a server on this machine has left for us; None if there is nothing that can be read."""
    try:
        return msgspec.json.decode((data / HANDLE).read_bytes(), type=LocalApi)
    except (OSError, msgspec.DecodeError):
        return None


class Client:
    """Asks the server of SWITCHLOG_URL with SWITCHLOG_API_KEY, or the one whose data folder is SWITCHLOG_DATA."""

    def __init__(self, url: str, key: str) -> None:
        import httpx

        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_S, trust_env=False
        )
        self._url = url

    @classmethod
    def found(cls) -> Client:
        """To be used in a `with`. Raises CliError."""
        data = Path(os.environ.get("SWITCHLOG_DATA") or "data")
        local = local_api(data)
        url = os.environ.get("SWITCHLOG_URL") or (local.url if local else "")
        key = os.environ.get("SWITCHLOG_API_KEY") or (local.key if local and url == local.url else "")
        if not url:
            raise CliError(
                UNREACHABLE, f"no server was found in {data}: start one, or set SWITCHLOG_URL and SWITCHLOG_API_KEY"
            )
        if not key:
            raise CliError(MISUSED, f"no key for {url}: set SWITCHLOG_API_KEY")
        if not key.isascii() or not key.isprintable():
            raise CliError(MISUSED, "SWITCHLOG_API_KEY is not a key")
        return cls(url, key)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The answer's JSON; parameters that are None are left out. Raises CliError."""
        return self._ask("GET", path, params=_given(params)).json()

    def post(self, path: str, *, params: dict[str, Any] | None = None, **body: Any) -> Any:
        """The answer's JSON. Raises CliError."""
        return self._ask("POST", path, params=_given(params or {}), **body).json()

    def put(self, path: str, content: bytes, kind: str, **params: Any) -> Any:
        """As `get`."""
        headers = {"Content-Type": kind}
        return self._ask("PUT", path, params=_given(params), content=content, headers=headers).json()

    def delete(self, path: str, **params: Any) -> Any:
        """As `get`."""
        return self._ask("DELETE", path, params=_given(params)).json()

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """JSON lines of a long answer, as they come. Raises CliError."""
        import httpx

        patient = httpx.Timeout(_TIMEOUT_S, read=None)
        with self._reaching(), self._http.stream("POST", path, timeout=patient) as answer:
            if answer.is_error:
                answer.read()
                _refuse(answer)
            for line in answer.iter_lines():
                yield json.loads(line)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Bytes of a long answer, as they come. Raises CliError."""
        with self._reaching(), self._http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
                _refuse(answer)
            yield from answer.iter_bytes()

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._reaching():
            answer = self._http.request(method, path, **more)
            if answer.is_error:
                _refuse(answer)
            return answer

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise CliError(UNREACHABLE, f"{self._url} cannot be reached: {error}") from None
        except ValueError:
            raise CliError(UNREACHABLE, f"{self._url} does not answer like a Switchlog") from None


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _refuse(answer: httpx.Response) -> NoReturn:
    """A problem (RFC 9457) as one line."""
    try:
        content = answer.json()
    except ValueError:
        content = {}
    problem = content if isinstance(content, dict) else {}
    line = str(problem.get("detail") or f"the server answered {answer.status_code}")
    if problem.get("field") and not line.startswith(f"{problem['field']}:"):
        line = f"{problem['field']}: {line}"
    if problem.get("line"):
        line = f"{problem.get('source', 'document')}:{problem['line']}: {line}"
    raise CliError(UNREACHABLE if answer.status_code >= 500 else MISUSED, line)
