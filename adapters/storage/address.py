"""Which storage is meant: a folder, or `s3://KEY@bucket/prefix?endpoint=https://host:port&region=NAME`.

What may live here: the address as a value. The secret comes apart from it, because addresses are shown and logged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from domain.storage import checked_prefix

LOOKS_LIKE = "s3://KEY@bucket/prefix?endpoint=https://host:port&region=NAME"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,60}")
_REGION_USUAL = "us-east-1"


@dataclass(frozen=True)
class Bucket:
    """A bucket of a service and our place in it. Without an endpoint it is Amazon's, without a key whoever the machine
    is there."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = _REGION_USUAL
    key: str = ""
    secret: str = field(default="", repr=False)


def is_bucket(address: str) -> bool:
    """Whether it is not a folder."""
    return address.startswith("s3:")


def parse(url: str, secret: str = "") -> Bucket:
    """The bucket that `url` names, with the `secret` of its key. Raises ValueError: a line that says what to do."""
    parts = urlsplit(url)
    login, _, name = parts.netloc.rpartition("@")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(name) or parts.fragment:
        raise ValueError(f"must be {LOOKS_LIKE}")
    if ":" in login:
        raise ValueError("must name the key only: what belongs to it goes into SWITCHLOG_STORAGE_SECRET")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    unknown = sorted(asked.keys() - {"endpoint", "region"})
    if unknown:
        raise ValueError(f"{unknown[0]} is not known: choose of endpoint and region")
    if bool(login) != bool(secret):
        raise ValueError(f"a key and SWITCHLOG_STORAGE_SECRET go together: {LOOKS_LIKE}")
    prefix = checked_prefix(parts.path.strip("/"))
    region = asked.get("region", _REGION_USUAL)
    if not _REGION.fullmatch(region):
        raise ValueError(f"region={region} is none")
    return Bucket(name, prefix, _endpoint(asked.get("endpoint", "")), region, unquote(login), secret)


def _endpoint(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"endpoint={url}: write https://host:port")
    return url.rstrip("/")
