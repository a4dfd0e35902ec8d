"""The settings in a child process: what its parent has read and checked, as plain values.

What may live here: what follows from settings, for parent and children alike. Reading and checking is
`switchlog.setting.settings`', whose library a child would load for nothing: it has to be up soon, and nothing is left
to check.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from adapters.notify.address import MailServer
from adapters.notify.address import parse as parse_mail
from switchlog.setting.address import addresses, port_range, same_family

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


class Derived:
    """What follows from the settings."""

    if TYPE_CHECKING:
        data: Path
        journal: str
        master_key_file: str
        media_ports: str
        smtp: str
        smtp_password: str
        smtp_from: str
        sip_udp: str
        sip_tcp: str
        sip_tls: str
        sip_advertise: str
        sip_digest: str

    @property
    def key_file(self) -> Path:
        """Where the master key is."""
        return Path(self.master_key_file) if self.master_key_file else self.data / "master.key"

    @property
    def mail_server(self) -> MailServer | None:
        """Where mails are given, if anywhere."""
        return parse_mail(self.smtp, self.smtp_password, self.smtp_from) if self.smtp else None

    @property
    def makes_key(self) -> bool:
        """Whether a master key that is missing may be made: one that is named is the cluster's, and must be there."""
        return not (self.master_key_file and self.journal.startswith("kafka:"))

    def advertised(self, host: str) -> str:
        """What stands for a listener's host in messages: the first advertised one that fits its family, or nothing."""
        names = [one.strip().strip("[]") for one in self.sip_advertise.split(",")]
        return next((name for name in names if name and same_family(name, host)), "")

    @property
    def media_range(self) -> tuple[int, int] | None:
        """The first and the last port of our own media; None if there are none."""
        if not self.media_ports:
            return None
        return port_range(self.media_ports)

    @property
    def media_host(self) -> str:
        """The address that ports of media are bound to: that of SIP, or all if SIP has several, of both families if any
        is of IPv6."""
        listeners = (address for where in (self.sip_udp, self.sip_tcp, self.sip_tls) for address in addresses(where))
        hosts = {one.host for one in listeners}
        if len(hosts) == 1:
            return hosts.pop()
        return "::" if any(":" in host for host in hosts) else "0.0.0.0"

    @property
    def digest_algorithms(self) -> tuple[str, ...]:
        """The algorithms of challenges, the preferred one first."""
        return tuple(self.sip_digest.split(","))


class Given(Derived):
    """Has what `Settings` has for those who only read it: its fields, and what follows from them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values, data=Path(values["data"]))


def handed_on(settings: Settings) -> bytes:
    """What `given` makes the settings of again, for a process that one of ours starts."""
    return json.dumps(vars(settings), default=str).encode()


def given(content: bytes) -> Settings:
    """From `Settings.model_dump_json()` or `handed_on`, which is not checked again."""
    return cast("Settings", Given(json.loads(content)))
