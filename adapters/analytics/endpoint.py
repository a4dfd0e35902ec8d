"""Where a ClickHouse is. Apart from the client, whose driver is slow to load and not needed to know this."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

DEFAULT_PORT, DEFAULT_TLS_PORT = 9000, 9440
LOOKS_LIKE = "clickhouse://user:password@host:port/database"
_YES = {"1": True, "true": True, "0": False, "false": False}


class Endpoint(msgspec.Struct, frozen=True):
    """Where ClickHouse is and who we are there. `secure` is TLS, checked against the authorities in the file `ca`
    (empty = the system's) unless `verify` is off."""

    host: str
    port: int
    user: str
    password: str
    database: str = "switchlog"
    secure: bool = False
    verify: bool = True
    ca: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """`clickhouse://user:password@host:port/database`, or `clickhouses://` for TLS, which may be followed by
        `?ca_certs=FILE` or `?verify=false`. What is special in a URL is percent-encoded.

        Raises ValueError that says what it should look like and never what was in it: that may be a password.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:  # such as a port of six digits
            raise ValueError(LOOKS_LIKE) from None
        if host is None or parts.scheme not in ("clickhouse", "clickhouses"):
            raise ValueError(LOOKS_LIKE)
        secure, verify, ca = _tls(parts)
        return cls(
            host,
            port or (DEFAULT_TLS_PORT if secure else DEFAULT_PORT),
            unquote(parts.username or "switchlog"),
            unquote(parts.password or ""),
            unquote(parts.path.strip("/")) or "switchlog",
            secure,
            verify,
            ca,
        )


def _tls(parts: SplitResult) -> tuple[bool, bool, str]:
    """`secure`, `verify` and `ca` of an address, by the driver's own words. Raises ValueError."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - {"secure", "verify", "ca_certs"})
    if unknown:
        raise ValueError(f"{LOOKS_LIKE}, with options of secure, verify and ca_certs only")
    try:
        secure = _YES[options.get("secure", str(parts.scheme == "clickhouses").lower())]
        verify = _YES[options.get("verify", "true")]
    except KeyError:
        raise ValueError(f"{LOOKS_LIKE}, where secure and verify are true or false") from None
    if not secure and options.keys() & {"verify", "ca_certs"}:
        raise ValueError(f"{LOOKS_LIKE.replace('clickhouse:', 'clickhouses:')}: verify and ca_certs belong to TLS")
    return secure, verify, options.get("ca_certs", "")
