"""Ends of a DTLS handshake in memory: ours, one that OpenSSL alone makes, and a wire between two of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL

from adapters.media.certificate import Certificate
from adapters.media.self_signed import self_signed
from media.dtls import DtlsSrtp
from media.dtls_record import datagrams
from media.wire import Dtls

Address = tuple[str, int]

NEAR, FAR, NAT = ("127.0.0.1", 4000), ("127.0.0.2", 5000), ("127.0.0.3", 6000)
MADE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
OURS, THEIRS, OTHER = (self_signed(bytes((n,)), 2026) for n in range(3))
START = 1000.0
AES_80 = b"SRTP_AES128_CM_SHA1_80"


class End(Protocol):
    """What a wire joins."""

    def receive(self, datagram: bytes, source: Address, now: float) -> None: ...

    def to_send(self) -> list[tuple[bytes, Address]]: ...


class Phone:
    """The peer as OpenSSL alone has it: it can do what ours never would."""

    def __init__(
        self,
        active: bool = True,
        own: Certificate | None = THEIRS,
        profiles: bytes = AES_80,
        mtu: int = 1200,
        chain: Sequence[Certificate] = (),
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        if own:
            key = load_pem_private_key(own.key, None)
            assert isinstance(key, (EllipticCurvePrivateKey, RSAPrivateKey))
            context.use_certificate(load_pem_x509_certificate(own.certificate))
            context.use_privatekey(key)
        for each in chain:
            context.add_extra_chain_cert(load_pem_x509_certificate(each.certificate))
        if profiles:
            context.set_tlsext_use_srtp(profiles)
        self.ssl = SSL.Connection(context, None)
        self.ssl.set_ciphertext_mtu(mtu)
        self.mtu = mtu
        self.packed = True
        """whether several records go in one datagram"""
        self.done = False
        self.error = ""
        if active:
            self.ssl.set_connect_state()
        else:
            self.ssl.set_accept_state()

    def begin(self) -> None:
        """Say hello, if that is ours to do."""
        self._go_on()

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        self.ssl.bio_write(datagram)
        self._go_on()

    def to_send(self) -> list[tuple[bytes, Address]]:
        try:
            return [(each, NEAR) for each in datagrams(self.ssl.bio_read(1 << 16), self.mtu if self.packed else 0)]
        except SSL.WantReadError:
            return []

    def _go_on(self) -> None:
        try:
            self.ssl.do_handshake()
            self.done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = str(error)


def issued() -> tuple[Certificate, Certificate]:
    """A phone's certificate as its maker issues it, and the maker's."""
    leaf, authority = self_signed(b"leaf", 2026), self_signed(b"authority", 2026)
    certificate, issuer = (load_pem_x509_certificate(each.certificate) for each in (leaf, authority))
    signer = load_pem_private_key(authority.key, None)
    assert isinstance(signer, EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder(issuer.subject, certificate.subject, certificate.public_key(), 1)
    builder = builder.not_valid_before(MADE).not_valid_after(MADE + dt.timedelta(days=1))
    made = builder.sign(signer, hashes.SHA256())
    fingerprint = f"sha-256 {made.fingerprint(hashes.SHA256()).hex(':').upper()}"
    return Certificate(made.public_bytes(Encoding.PEM), leaf.key, fingerprint), authority


def ours(peer: str, active: bool = False, remote: Address | None = FAR, own: Certificate = OURS) -> DtlsSrtp:
    """Our end, which takes a certificate of this fingerprint for the peer's."""
    return DtlsSrtp(Dtls(active, peer, own.certificate, own.key), remote, START)


def pair() -> tuple[DtlsSrtp, DtlsSrtp]:
    """The side that waits, and the side that begins."""
    return ours(THEIRS.fingerprint), ours(OURS.fingerprint, True, NEAR, THEIRS)


def join(
    near: End, far: End, source: Address = FAR, lost: Callable[[int], bool] = lambda _: False, now: float = START
) -> list[bytes]:
    """Carry datagrams both ways until there are none, and return them; what `far` sends comes from `source`."""
    carried: list[bytes] = []

    def carry(sent: list[tuple[bytes, Address]], to: End, sender: Address) -> None:
        for data, _ in sent:
            carried.append(data)
            if not lost(len(carried) - 1):
                to.receive(data, sender, now)

    while (back := far.to_send()) or (out := near.to_send()):
        if back:
            carry(back, near, source)
        else:
            assert {to for _, to in out} == {source}
            carry(out, far, NEAR)
    return carried
