"""TLS at the edge: versions, peers' certificates, and certificates that change while connections go on."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sip.edge.edge import EdgeError
from domain.values import Flow
from switchlog.tls.certificate import client_context, server_context
from tests.adapters.sip.station import OPTIONS, Run, Station, hang_up
from tests.fixtures.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(authority: Authority, name: str = "") -> ssl.SSLContext:
    """A phone that checks the server, and shows a certificate if it is given one."""
    cert, key = authority.issue(name) if name else (None, None)
    return client_context(cert, key, authority.certificate)


async def shown(flow: Flow, tls: ssl.SSLContext) -> str:
    """The common name of the certificate that new connections get."""
    host, port = flow.local.rsplit(":", 1)
    _, writer = await asyncio.open_connection(host, int(port), ssl=tls, server_hostname="127.0.0.1")
    subject = writer.get_extra_info("peercert")["subject"]
    await hang_up(writer)
    return str(dict(pair for entry in subject for pair in entry)["commonName"])


def test_new_connections_get_the_new_certificate_and_old_ones_live_on(run: Run, authority: Authority) -> None:
    async def main() -> None:
        tls = trusting(authority)
        async with Station(tls=tls) as phone, Station() as server:
            server.answers = True
            there = await server.edge.listen("tls", "127.0.0.1", 0, server_context(*authority.issue("first")))
            flow = await phone.edge.connect("tls", there.local)
            phone.edge.send(flow, OPTIONS)
            await phone.heard.get()
            assert await shown(there, tls) == "first"
            await server.edge.renew_tls(server_context(*authority.issue("second")), tls)
            assert await shown(there, tls) == "second"
            phone.edge.send(flow, OPTIONS)
            await phone.heard.get()
            assert phone.lost.empty()
            assert phone.edge.alive(flow)

    run(main())


async def refused(flow: Flow, tls: ssl.SSLContext) -> bool:
    """Whether the server ends a connection with this context before it hears a request."""
    host, port = flow.local.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, server_hostname="127.0.0.1")
    except (ssl.SSLError, ConnectionError):
        return True
    ended = False
    with suppress(ssl.SSLError, ConnectionError):
        writer.write(OPTIONS)
        ended = await reader.read(1) == b""
        await hang_up(writer)
        return ended
    return True


@pytest.mark.parametrize(
    ("client", "none", "stranger"), [("off", True, True), ("optional", True, False), ("required", False, False)]
)
def test_certificates_of_phones(
    run: Run, authority: Authority, tmp_path: Path, client: str, none: bool, stranger: bool
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    async def main() -> None:
        async with Station() as server:
            server.answers = True
            tls = server_context(*authority.issue("server"), authority.certificate, client)
            there = await server.edge.listen("tls", "127.0.0.1", 0, tls)
            strange = client_context(*other.issue("stranger"), authority.certificate)
            taken = [
                not await refused(there, one) for one in (trusting(authority, "phone"), trusting(authority), strange)
            ]
            assert taken == [True, none, stranger]

    run(main())


def test_a_server_that_is_not_trusted_is_not_connected_to(run: Run, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    async def main() -> None:
        async with Station(tls=trusting(other)) as phone, Station() as server:
            there = await server.edge.listen("tls", "127.0.0.1", 0, server_context(*authority.issue("server")))
            with pytest.raises(EdgeError, match="authorities trusted here"):
                await phone.edge.connect("tls", there.local)
            await phone.edge.renew_tls(None, trusting(authority))
            assert (await phone.edge.connect("tls", there.local)).transport == "tls"

    run(main())


def old(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The context of a peer that knows nothing newer; OpenSSL must be told that it may be so weak."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize(("version", "taken"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_versions_below_1_2_are_refused(run: Run, authority: Authority, version: str, taken: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        weak = server_context(*authority.issue("server"))
        weak.minimum_version = ssl.TLSVersion.TLSv1
    weak.set_ciphers("ALL:@SECLEVEL=0")  # only the edge's own rule is left to refuse it

    async def main() -> None:
        async with Station() as server:
            server.answers = True
            there = await server.edge.listen("tls", "127.0.0.1", 0, weak)
            assert await refused(there, old(trusting(authority), ssl.TLSVersion[version])) is not taken

    run(main())


def test_a_listener_of_each_family(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            server.answers = True
            for transport in ("udp", "tcp"):
                four = await server.edge.listen(transport, "0.0.0.0", 0)
                port = int(four.local.rsplit(":", 1)[1])
                six = await server.edge.listen(transport, "::", port)  # the very same port
                assert six.local == f"[::]:{port}"
                for host in ("127.0.0.1", "[::1]"):
                    if transport == "udp":
                        await phone.edge.listen("udp", host.strip("[]"), 0)
                    flow = await phone.edge.connect(transport, f"{host}:{port}")
                    phone.edge.send(flow, OPTIONS)
                    _, came_by = await phone.heard.get()
                    assert came_by.remote == f"{host}:{port}"
                    assert (await server.heard.get())[1].remote.startswith(f"{host}:")

    run(main())
