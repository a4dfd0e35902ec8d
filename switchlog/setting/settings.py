"""The settings: SWITCHLOG_ variables of the environment, or the same names in a TOML file; checked once at the start.

The environment wins over the file. A name or value that cannot be used is one clear line (`SettingsError`), never
guessed. What this version does not have yet is refused rather than ignored.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from adapters.analytics.endpoint import Endpoint
from adapters.journal.kafka.address import parse
from domain.call.terms import LEAST_S, USUAL_S
from domain.ids import SHARDS
from domain.node import NAME
from switchlog.setting.address import address, addresses, is_loopback, is_wildcard, networks, numeric, port_range
from switchlog.setting.given import Derived
from switchlog.setting.place import check_mail, check_storage
from switchlog.setting.word import first_line, masked

PREFIX = "SWITCHLOG_"
_CLIENT = frozenset({"URL", "API_KEY"})
"""Names that belong to the command line as a client, not to the server."""
_SECRET = frozenset(
    {
        "admin_key",
        "clickhouse_password",
        "clickhouse_analyst_password",
        "kafka_password",
        "storage_secret",
        "smtp_password",
    }
)
_NUMBERS = frozenset({"session_expires", "workers", "media_workers", "media_legs", "trace_bytes", "hep_id", "probe_s"})
ADMIN_KEY_LEAST = 16
_LAST_PORT = 65_535
DIGESTS = ("SHA-256", "MD5")
_CLUSTER = re.compile(r"[\w.-]+|\{[\w.-]+\}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


class SettingsError(Exception):
    """A setting cannot be used; one line that names it and says what to do."""


class Settings(Derived, BaseSettings):
    """What an installation is told from outside. Names are those of the variables, in lower case, without prefix."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    data: Path = Field(Path("data"), description="folder of everything that must last")
    sip_udp: str = Field("127.0.0.1:5060", description="SIP over UDP: host:port or a comma list of them, empty = off")
    sip_tcp: str = Field("127.0.0.1:5060", description="SIP over TCP")
    sip_tls: str = Field("127.0.0.1:5061", description="SIP over TLS")
    sip_wss: str = Field("", description="SIP over WebSocket: not in this version")
    sip_advertise: str = Field(
        "", description="host that phones reach us at, if it is not the one listened on; one of IPv4 and one of IPv6"
    )
    sip_digest: str = Field("SHA-256,MD5", description="digest algorithms offered, in order")
    sip_rate: float = Field(
        50.0,
        ge=0,
        allow_inf_nan=False,
        description="requests outside dialogs a second from one address that has not proved itself; 0 = any",
    )
    sip_exempt: str = Field("127.0.0.0/8,::1", description="networks without limits for each address")
    sip_allow: str = Field("", description="the only networks that are heard; empty = all")
    sip_deny: str = Field("", description="networks that are never heard")
    session_expires: int = Field(
        USUAL_S, ge=LEAST_S, le=86_400, description="seconds after which a call that no phone refreshes is ended"
    )
    http: str = Field("127.0.0.1:8080", description="HTTP API")
    journal: str = Field("sqlite:", description="sqlite: = a file in the data folder, or kafka://host:port,host:port")
    kafka_password: str = Field("", description="of the user in SWITCHLOG_JOURNAL=kafka://user@host:port")
    clickhouse: str = Field(
        "embedded",
        description="embedded, or clickhouse://user:password@host:port/database; clickhouses:// with TLS",
    )
    clickhouse_cluster: str = Field(
        "", description="of a server: name of the cluster on which tables are made and replicated; empty = none"
    )
    clickhouse_listen: str = Field("127.0.0.1:9000", description="native port of the embedded engine")
    clickhouse_password: str = Field(
        "", description="of the writing account; empty = generated in the data folder, or as in the address of a server"
    )
    clickhouse_analyst_password: str = Field("", description="of the reading account; empty on loopback only")
    master_key_file: str = Field(
        "", description="master key, the same for all nodes of a cluster; empty = master.key in the data folder"
    )
    node: str = Field(default_factory=socket.gethostname, description="name of this node")
    node_timeout: str = Field(
        "",
        description="on Kafka: seconds until a silent node's calls are taken over; empty = 3, or 6 if it must be",
    )
    workers: int = Field(
        1, ge=1, le=SHARDS, description="on Kafka: processes that hold calls; beside several is one for phones' sockets"
    )
    media_workers: int = Field(
        1, ge=1, le=64, description="processes that mix; beside them is one more, which takes over from one that dies"
    )
    media_legs: int = Field(
        1000, ge=2, le=10_000, description="parties that each of them carries at most; a larger room is at several"
    )
    media_ports: str = Field(
        "20000-29999",
        description="UDP ports of audio that goes through us, first-last: two for each phone; empty = there is none",
    )
    media_advertise: str = Field(
        "", description="address that phones send media to; empty = the one that they send SIP to"
    )
    storage: str = Field(
        "",
        description="for recordings and messages: a folder, or"
        " s3://KEY@bucket/prefix?endpoint=https://host:port&region=NAME; empty = in the data folder",
    )
    storage_secret: str = Field("", description="of the key in SWITCHLOG_STORAGE=s3://KEY@bucket")
    smtp: str = Field(
        "", description="mail server for mails about messages: smtp://user@host:port or smtps://...; empty = no mails"
    )
    smtp_password: str = Field("", description="of the user in SWITCHLOG_SMTP=smtp://user@host:port")
    smtp_from: str = Field("", description="address that such mails come from")
    tls_cert: str = Field("", description="certificate chain (PEM); empty = self-signed, made at the first start")
    tls_key: str = Field("", description="its private key (PEM)")
    tls_ca: str = Field("", description="authorities (PEM) that peers' certificates are checked against")
    tls_client: Literal["off", "optional", "required"] = Field(
        "off", description="certificates of phones: off, optional = checked if there is one, or required"
    )
    link: str = Field("", description="host:port by which the nodes of a cluster hear each other; empty = not at all")
    link_advertise: str = Field("", description="host:port that the other nodes are told; empty = as it is bound")
    link_cert: str = Field("", description="of the link: certificate (PEM) with this node's name as DNS name")
    link_key: str = Field("", description="of the link: its private key (PEM)")
    link_ca: str = Field("", description="of the link: the cluster's own authority (PEM), which signs nodes alone")
    admin_key: str = Field("", description="an operator API key, taken as it is")
    webhook_allow: str = Field("", description="of webhooks: not in this version")
    probe_s: int = Field(
        1800, ge=0, description="seconds after which the parties of a call are asked whether they are there; 0 = never"
    )
    trace_bytes: int = Field(0, ge=0, description="SIP messages kept in the data folder, in bytes of disk; 0 = none")
    hep: str = Field("", description="HEP3 collector that is sent every SIP message, numeric host:port; empty = none")
    hep_id: int = Field(1, ge=0, lt=2**32, description="our number at that collector")
    log: Literal["auto", "json", "console"] = Field(
        "auto", description="json, console, or auto = console on a terminal"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from `load` only, which knows names that nobody reads."""
        return (init_settings,)

    @field_validator("sip_udp", "sip_tcp", "sip_tls")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses(value)
        return value

    @field_validator("http", "clickhouse_listen", "link", "link_advertise")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            address(value)
        return value

    @field_validator("hep")
    @classmethod
    def _numeric(cls, value: str) -> str:
        if value:
            host = address(value).host
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"{host!r} is a name: use the collector's address, such as 192.0.2.1:9060") from None
        return value

    @field_validator("http", "clickhouse_listen", "node")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return value

    @field_validator("media_ports")
    @classmethod
    def _range(cls, value: str) -> str:
        if value:
            port_range(value)
        return value

    @field_validator("media_advertise")
    @classmethod
    def _media_address(cls, value: str) -> str:
        return numeric(value.strip("[]")) if value else ""

    @field_validator("sip_wss", "webhook_allow")
    @classmethod
    def _not_yet(cls, value: str) -> str:
        if value:
            raise ValueError("this version does not have it yet: leave it empty")
        return value

    @field_validator("node_timeout")
    @classmethod
    def _seconds(cls, value: str) -> str:
        if value and not (_SECONDS.fullmatch(value) and 0.5 <= float(value) <= 300):
            raise ValueError(f"{value!r} is no time-out: write seconds from 0.5 to 300")
        return value

    @field_validator("journal")
    @classmethod
    def _journal(cls, value: str) -> str:
        if value != "sqlite:" and not value.startswith("kafka:"):
            raise ValueError("this is not a journal: use sqlite: or kafka://host:port,host:port")
        return value

    @field_validator("clickhouse")
    @classmethod
    def _clickhouse(cls, value: str) -> str:
        if value != "embedded":
            try:
                Endpoint.parse(value)
            except ValueError as error:
                raise ValueError(f"use embedded or {error}") from None
        return value

    @field_validator("clickhouse_cluster")
    @classmethod
    def _cluster(cls, value: str) -> str:
        if value and not _CLUSTER.fullmatch(value):
            raise ValueError(
                f"{value!r} is not a cluster: use the name that the servers' remote_servers have, or {{cluster}}"
            )
        return value

    @field_validator("sip_exempt", "sip_allow", "sip_deny")
    @classmethod
    def _networks(cls, value: str) -> str:
        networks(value)
        return value

    @field_validator("sip_advertise")
    @classmethod
    def _hosts(cls, value: str) -> str:
        for one in filter(None, map(str.strip, value.split(","))):
            try:
                if not _NAME.fullmatch(one):
                    ipaddress.IPv6Address(one.strip("[]"))
            except ValueError:
                raise ValueError(f"{one!r} is not a host: use an address or a name, without a port") from None
        return value

    @field_validator("sip_digest")
    @classmethod
    def _digest(cls, value: str) -> str:
        names = [name.strip().upper() for name in value.split(",")]
        if not set(names) <= set(DIGESTS) or len(set(names)) != len(names):
            raise ValueError(f"{value!r} is not a list of {', '.join(DIGESTS)}")
        return ",".join(names)

    @field_validator("admin_key")
    @classmethod
    def _admin_key(cls, value: str) -> str:
        if value and (len(value) < ADMIN_KEY_LEAST or not value.isascii() or not value.isprintable() or " " in value):
            raise ValueError(f"must be {ADMIN_KEY_LEAST} or more printable ASCII characters without spaces")
        return value

    @field_validator("log", mode="before")
    @classmethod
    def _log(cls, value: object) -> object:
        if value not in ("auto", "json", "console"):
            raise ValueError("use auto, json or console")
        return value

    @field_validator("tls_client", mode="before")
    @classmethod
    def _tls_client(cls, value: object) -> object:
        if value not in ("off", "optional", "required"):
            raise ValueError("use off, optional or required")
        return value

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if self.tls_client != "off" and not self.tls_ca:
            raise ValueError(f"SWITCHLOG_TLS_CLIENT={self.tls_client} needs SWITCHLOG_TLS_CA: who signs them?")
        for name in ("sip_udp", "sip_tcp", "sip_tls"):
            for one in addresses(getattr(self, name)):
                if is_wildcard(one.host) and not self.advertised(one.host):
                    raise ValueError(
                        f"{PREFIX}{name.upper()} listens on every address: set SWITCHLOG_SIP_ADVERTISE to the one"
                        " that phones reach"
                    )
        self._check_journal()
        check_storage(self.storage, self.storage_secret)
        check_mail(self.smtp, self.smtp_password, self.smtp_from)
        if self.clickhouse_cluster and self.clickhouse == "embedded":
            raise ValueError(
                "SWITCHLOG_CLICKHOUSE_CLUSTER needs a server in SWITCHLOG_CLICKHOUSE: embedded is no cluster"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("SWITCHLOG_TLS_CERT and SWITCHLOG_TLS_KEY need each other")
        if not self.clickhouse_analyst_password and not is_loopback(address(self.clickhouse_listen).host):
            raise ValueError(
                "SWITCHLOG_CLICKHOUSE_LISTEN is not a loopback address: set SWITCHLOG_CLICKHOUSE_ANALYST_PASSWORD"
            )
        return self

    @model_validator(mode="after")
    def _link_is_whole(self) -> Settings:
        files = {"CERT": self.link_cert, "KEY": self.link_key, "CA": self.link_ca}
        missing = [f"{PREFIX}LINK_{name}" for name, value in files.items() if not value]
        if self.link and missing:
            raise ValueError(f"{PREFIX}LINK needs {', '.join(missing)}: nodes prove to each other who they are")
        if not self.link and (self.link_advertise or len(missing) < len(files)):
            raise ValueError(f"{PREFIX}LINK_... mean nothing without {PREFIX}LINK: give host:port")
        if self.link and address(self.link).port + self.workers > _LAST_PORT:
            raise ValueError(f"{PREFIX}LINK: {PREFIX}WORKERS={self.workers} workers need so many ports after it")
        if self.link and not self.journal.startswith("kafka:"):
            raise ValueError(f"{PREFIX}LINK needs {PREFIX}JOURNAL=kafka://...: only there nodes share a journal")
        return self

    def _check_journal(self) -> None:
        if self.journal.startswith("kafka:"):
            try:
                parse(self.journal, self.kafka_password)
            except ValueError as error:
                raise ValueError(f"{PREFIX}JOURNAL: {error}") from None
            if not NAME.fullmatch(self.node):
                raise ValueError(f"{PREFIX}NODE={self.node}: on Kafka a node's name is a host name, such as node-1")
        elif self.workers > 1:
            raise ValueError(
                f"{PREFIX}WORKERS={self.workers} needs {PREFIX}JOURNAL=kafka://...: a journal in a file has one writer"
            )
        elif self.kafka_password:
            raise ValueError("SWITCHLOG_KAFKA_PASSWORD needs SWITCHLOG_JOURNAL=kafka://user@host:port")

    def shown(self) -> dict[str, str]:
        """Variable -> value as text, secrets masked."""
        return {
            PREFIX + name.upper(): "********" if name in _SECRET and value else masked(str(value))
            for name, value in self.model_dump().items()
        }


def load(config: Path | None = None, environment: Mapping[str, str] | None = None, **over: Any) -> Settings:
    """The settings from the file, then the environment, then `over` (lower-case names). Raises SettingsError."""
    found = _from_file(config) if config else {}
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith(PREFIX) and (short := name.removeprefix(PREFIX)) not in _CLIENT:
            found[_known(short, "the environment")] = value
    found |= {name: value for name, value in over.items() if value is not None}
    try:
        return Settings(**found)
    except ValidationError as error:
        raise SettingsError(first_line(error, PREFIX, Settings.model_fields, _SECRET)) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    found: dict[str, Any] = {}
    for name, value in content.items():
        if not name.startswith(PREFIX):
            raise SettingsError(f"{path}: unknown setting {name!r}: names start with {PREFIX}")
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise SettingsError(f"{path}: {name} must be text or a number")
        short = _known(name.removeprefix(PREFIX), str(path))
        found[short] = value if short in _NUMBERS else str(value)
    return found


def _known(name: str, place: str) -> str:
    if name != name.upper() or name.lower() not in Settings.model_fields:
        raise SettingsError(f"{place}: unknown setting {PREFIX}{name}; `switchlog settings` prints all")
    return name.lower()
