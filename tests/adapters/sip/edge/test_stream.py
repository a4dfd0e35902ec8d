"""The edge over TCP and TLS. Every wait is for something that happens, under one overall limit."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.sip.edge.edge import EdgeError, EdgeLimits
from adapters.sip.message.message import Response
from tests.adapters.sip.station import OPTIONS, Run, Station, dial, hang_up


def test_tcp_split_and_merged_messages_and_pong(run: Run) -> None:
    async def main() -> None:
        async with Station() as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            reader, writer = await dial(there)
            for one in OPTIONS:
                writer.write(bytes([one]))
                await writer.drain()
            await server.heard.get()
            writer.write(OPTIONS + b"\r\n\r\n" + OPTIONS + OPTIONS[:20])
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(OPTIONS[20:])
            flows = {(await server.heard.get())[1] for _ in range(3)}
            assert len(flows) == 1
            flow = flows.pop()
            assert (flow.transport, flow.local) == ("tcp", there.local)
            assert flow.connection > 0
            assert server.edge.send(flow, b"hello")
            assert await reader.readexactly(5) == b"hello"
            await hang_up(writer)
            assert await server.lost.get() == flow
            assert not server.edge.send(flow, b"hello")

    run(main())


def test_tcp_connection_is_kept_and_used_again(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            server.answers = True
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            flow, again = await asyncio.gather(*(phone.edge.connect("tcp", there.local) for _ in range(2)))
            assert flow == again == await phone.edge.connect("tcp", there.local)
            phone.edge.send(flow, OPTIONS)
            assert isinstance((await phone.heard.get())[0], Response)
            _, back = await server.heard.get()
            with pytest.raises(EdgeError):  # by which somebody came: an address that another wrote does not lead there
                await server.edge.connect("tcp", back.remote)
            await server.edge.close()
            assert await phone.lost.get() == flow
            assert server.lost.empty()  # what we close ourselves is not told

    run(main())


def test_unframeable_stream_is_answered_and_closed(run: Run) -> None:
    async def main() -> None:
        async with Station() as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            for data in (b"x" * 200_000, OPTIONS.replace(b"Content-Length: 0", b"Content-Length: -5")):
                reader, writer = await dial(there)
                writer.write(data)
                with suppress(ConnectionError):
                    await reader.read()
                await hang_up(writer)
                await server.lost.get()
            assert server.edge.counters.malformed == 2
            assert server.heard.empty()

    run(main())


def test_connection_that_only_sends_garbage_is_closed(run: Run) -> None:
    async def main() -> None:
        async with Station(EdgeLimits(max_malformed=2)) as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            reader, writer = await dial(there)
            wrong = OPTIONS.replace(b"CSeq: 7 OPTIONS", b"CSeq: 7 BYE")
            writer.write(wrong * 3)
            answers = await reader.read()
            assert answers.count(b"SIP/2.0 400") == 2
            await hang_up(writer)

    run(main())


@pytest.mark.parametrize("sent", [b"", OPTIONS[:30], b"\r\n\r\n"])
def test_connection_without_a_whole_message_is_closed(run: Run, sent: bytes) -> None:
    async def main() -> None:
        async with Station(EdgeLimits(message_timeout_s=0.1)) as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            reader, writer = await dial(there)
            writer.write(sent)
            with suppress(ConnectionError):
                await reader.read()
            await hang_up(writer)
            await server.lost.get()

    run(main())


def test_message_that_drips_is_cut_though_the_connection_was_good(run: Run) -> None:
    async def main() -> None:
        async with Station(EdgeLimits(message_timeout_s=0.2)) as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            reader, writer = await dial(there)
            writer.write(OPTIONS)
            await server.heard.get()
            writer.write(OPTIONS[:10])
            with suppress(ConnectionError):
                assert await reader.read() == b""
            await hang_up(writer)
            await server.lost.get()

    run(main())


def test_connections_above_the_limit_are_refused(run: Run) -> None:
    async def main() -> None:
        async with Station(EdgeLimits(max_connections=1)) as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            _, first = await dial(there)
            first.write(OPTIONS)
            await server.heard.get()
            reader, second = await dial(there)
            with suppress(ConnectionError):
                assert await reader.read() == b""
            assert server.edge.counters.refused_connections == 1
            await hang_up(first)
            await hang_up(second)

    run(main())


def test_reader_that_is_too_slow_loses_its_connection(run: Run) -> None:
    async def main() -> None:
        async with Station(EdgeLimits(max_write_buffer_bytes=10_000)) as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            _, writer = await dial(there)
            writer.write(OPTIONS)
            _, flow = await server.heard.get()
            assert not server.edge.send(flow, b"x" * 10_001)
            assert await server.lost.get() == flow
            await hang_up(writer)

    run(main())


def test_tls(run: Run, tmp_path: Path) -> None:
    server_tls, client_tls = _tls_contexts(tmp_path)

    async def main() -> None:
        async with Station(tls=client_tls) as phone, Station() as server:
            server.answers = True
            there = await server.edge.listen("tls", "127.0.0.1", 0, server_tls)
            flow = await phone.edge.connect("tls", there.local)
            assert flow.transport == "tls"
            phone.edge.send(flow, OPTIONS)
            assert isinstance((await phone.heard.get())[0], Response)
            assert (await server.heard.get())[1].transport == "tls"

    run(main())
    assert server_tls.minimum_version == ssl.TLSVersion.TLSv1_2


def test_tls_failures_are_told(run: Run, tmp_path: Path) -> None:
    server_tls, _ = _tls_contexts(tmp_path)

    async def main() -> None:
        async with Station() as phone, Station(EdgeLimits(handshake_timeout_s=0.1)) as server:
            there = await server.edge.listen("tls", "127.0.0.1", 0, server_tls)
            with pytest.raises(EdgeError, match=r"TLS failed.*CERTIFICATE_VERIFY_FAILED.*authorities trusted here"):
                await phone.edge.connect("tls", there.local)
            reader, writer = await dial(there)  # says nothing: the handshake's time-out ends it
            with suppress(ConnectionError):
                await reader.read()
            await hang_up(writer)
            reader, writer = await dial(there)
            writer.write(OPTIONS)  # plain text
            with suppress(ConnectionError):
                await reader.read()
            await hang_up(writer)
            assert server.heard.empty()
            with pytest.raises(EdgeError, match="needs a certificate"):
                await server.edge.listen("tls", "127.0.0.1", 0)

    run(main())


def test_refused_connection_says_what_to_do(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            there = await server.edge.listen("tcp", "127.0.0.1", 0)
            await server.edge.close()
            with pytest.raises(EdgeError, match=f"cannot connect to {there.local} by tcp: refused; check"):
                await phone.edge.connect("tcp", there.local)
            with pytest.raises(EdgeError, match="no udp socket is bound"):
                await phone.edge.connect("udp", there.local)
            with pytest.raises(EdgeError, match="has no port"):
                await phone.edge.connect("tcp", "127.0.0.1")

    run(main())


def _tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert_file, key_file)
    return server, ssl.create_default_context(cafile=str(cert_file))
