"""What comes to a worker's ports and is none of a call: noise, floods, strangers, impossible packets and reports."""

from __future__ import annotations

import random
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media import rtcp, rtp
from media.batch import LONGEST_PACKET_BYTES, PACKETS_A_ROUND
from media.wire import Latched, Ready, Silent
from tests.media.party import HOST, LEVEL_DBFS, Phone, Stage

A_HZ, B_HZ, C_HZ = 400.0, 700.0, 1100.0
_TWENTIETH_S = 65536 // 20


def pair(made: Stage) -> tuple[Phone, Phone]:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    assert made.put([a.leg("a", dtmf=101), b.leg("b", dtmf=101)]) == Ready("room", 1)
    return a, b


def undisturbed(made: Stage) -> None:
    """Both hear each other, and only that."""
    made.run(0.6)
    a, b = made.phones[:2]
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert b.levels(A_HZ) == pytest.approx([LEVEL_DBFS], abs=0.3)


GARBAGE = [
    b"",
    b"\x80",
    bytes(11),
    bytes(12),
    b"\x80\x00" + bytes(10),
    b"\xff" * 172,
    b"\xbf\x00" + bytes(170),
    b"\xa0\x00" + bytes(169) + b"\xff",
    b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff",
    b"\x80\xc8" + bytes(40),
    b"\x81\xc9\xff\xff" + bytes(4),
    b"\x00\x01" + bytes(18),
    b"\x16\xfe\xfd" + bytes(60),
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(LONGEST_PACKET_BYTES),
    b"\x80\x00" + bytes(5000),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_of_the_party_itself_changes_nothing(made: Stage, garbage: bytes) -> None:
    a, _ = pair(made)
    for _ in range(5):
        a.send(garbage)
        made.run(0.04)
    undisturbed(made)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), max_size=20), st.booleans())
def test_any_datagrams_are_borne(made: Stage, datagrams: list[bytes], as_rtp: bool) -> None:
    if not made.phones:
        pair(made)
    a = made.phones[0]
    for datagram in datagrams:
        a.send(rtp.header(0, a.sequence, a.timestamp, a.ssrc) + datagram if as_rtp else datagram)
    made.run(0.04)
    assert len(a.got) == round((made.now_s - 1000.0) / 0.02)


def test_a_wrong_payload_type_is_not_heard(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.1)
    for _ in range(30):
        a.speak(a.packet(payload_type=18))
        b.speak()
        made.tick()
    assert b.tones(0.4) == ()
    undisturbed(made)


def test_strangers_before_the_party_came_do_not_take_its_place(made: Stage) -> None:
    a, b = pair(made)
    stranger = made.phone(frequency_hz=C_HZ)
    stranger.port = a.port
    made.run(0.06, silent=[a])
    made.run(0.6)
    assert b.tones(0.4) == (A_HZ,)
    assert [word for word in made.words(Latched) if word.port != a.address[1]] == []
    assert stranger.got == []


def test_strangers_after_the_party_came_are_not_even_read(made: Stage) -> None:
    a, _ = pair(made)
    made.run(0.2)
    stranger = made.phone(frequency_hz=C_HZ, ssrc=7)
    stranger.port = a.port
    undisturbed(made)
    assert made.words(Latched) == []


def test_a_flood_from_a_stranger_is_bounded_work_and_the_party_is_found(made: Stage) -> None:
    a, _ = pair(made)
    stranger = made.phone()
    for _ in range(10):
        for _ in range(200):
            stranger.send(random.randbytes(172))
        stranger.port = a.port
        made.network.receive(made.now_s)
        assert len(made.network.batch().rows) <= PACKETS_A_ROUND
        made.run(0.02, silent=[stranger])
    undisturbed(made)


def test_a_flood_of_the_party_itself_is_bounded_and_ends(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.1)
    for _ in range(20):
        packet = a.packet()
        for _ in range(100):
            a.send(packet)
        b.speak()
        made.tick()
    made.run(3.0)
    undisturbed(made)


def test_a_leg_without_an_address_is_found_by_its_packets(made: Stage) -> None:
    a, b = pair(made)
    c = made.phone(frequency_hz=C_HZ)
    nowhere = c.leg("c").__class__("c", c.port, None, (c.codec,))
    made.put([a.leg("a"), b.leg("b"), nowhere], rev=2)
    made.run(1.0)
    assert c.tones() == (A_HZ, B_HZ)
    assert made.words(Latched) == [Latched("room", "c", *c.address)]


def test_a_source_that_changes_is_followed_after_two_packets_and_one_stray_is_not(made: Stage) -> None:
    a, _ = pair(made)
    made.run(0.2)
    a.send(rtp.header(0, 1, 1, 999) + bytes(160))
    made.run(0.02)
    a.ssrc, a.sequence, a.timestamp = 1000, 5, 77
    undisturbed(made)


def test_a_closed_party_is_borne_and_may_come_back(made: Stage) -> None:
    a, _ = pair(made)
    made.run(0.2)
    address = a.address
    a.sock.close()
    made.phones.remove(a)
    made.run(1.0)
    back = Phone(a.port, frequency_hz=A_HZ, sock=_unbound())
    back.sock.close()
    back.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back.sock.setblocking(False)
    back.sock.bind(address)
    made.phones.insert(0, back)
    undisturbed(made)


def _unbound() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


# --- reports


def test_reports_are_sent_and_what_the_party_says_is_measured(made: Stage) -> None:
    a, b = pair(made)
    with _unbound() as control:
        control.bind((a.address[0], a.address[1] + 1))
        control.setblocking(False)
        made.run(8.0)
        report = _last(control)
        assert report.ssrc == a.got[-1].ssrc
        assert abs(report.packets - len(a.got)) < 300
        (block,) = report.blocks
        assert (block.ssrc, block.lost) == (a.ssrc, 0)
        since = rtcp.middle(rtcp.ntp(made.now_s)) - rtcp.middle(report.ntp)
        heard = rtcp.Block(report.ssrc, 0, 3, 0, 0, rtcp.middle(report.ntp), since - _TWENTIETH_S)
        control.sendto(rtcp.build([rtcp.ReceiverReport(a.ssrc, (heard,))]), (HOST, a.port + 1))
        control.sendto(b"\x81\xc9\xff\xff", (HOST, a.port + 1))
        made.run(0.1)
    made.put([b.leg("b", dtmf=101)], rev=2)
    (measured,) = made.ends()
    assert measured.remote_lost == 3
    assert 50 <= measured.round_trip_ms <= 90
    assert measured.mos_x100 > 400


def test_a_party_that_hears_nothing_more_is_told(made: Stage) -> None:
    a, _ = pair(made)

    def report(highest: int) -> None:
        block = rtcp.Block(a.got[-1].ssrc, 0, 0, highest, 0)
        control.sendto(rtcp.build([rtcp.ReceiverReport(a.ssrc, (block,))]), (HOST, a.port + 1))
        made.run(5.0)

    with _unbound() as control:
        control.bind((a.address[0], a.address[1] + 1))
        made.run(0.2)
        for highest in (1000, 1250, 1250):
            assert made.words(Silent) == []
            report(highest)
        (told,) = made.words(Silent)
        assert (told.leg, told.unheard, 4800 <= told.since_ms <= 5200) == ("a", True, True)
        report(1500)
    assert made.words(Silent)[1:] == [Silent("room", "a", 0, unheard=True)]


def test_reports_of_strangers_are_not_believed(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.2)
    with _unbound() as control:
        control.bind(("127.0.0.9", 0))
        lie = rtcp.Block(a.got[-1].ssrc, 255, 1000, 0, 0)
        control.sendto(rtcp.build([rtcp.ReceiverReport(1, (lie,))]), (HOST, a.port + 1))
        made.run(0.1)
    made.put([b.leg("b", dtmf=101)], rev=2)
    assert [word.remote_lost for word in made.ends()] == [-1]


def test_a_multiplexed_leg_gets_its_reports_at_the_port_of_its_sound(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    made.put([a.leg("a", rtcp_mux=True), b.leg("b")])
    made.run(6.0)
    assert any(isinstance(message, rtcp.SenderReport) for data in a.other for message in rtcp.parse(data))
    a.send(rtcp.build([rtcp.ReceiverReport(a.ssrc, (rtcp.Block(a.got[-1].ssrc, 0, 2, 0, 0),))]))
    made.run(0.1)
    made.put([b.leg("b")], rev=2)
    assert [word.remote_lost for word in made.ends()] == [2]


def test_reports_follow_the_sound_to_its_port_and_away_from_it(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    for rev, muxes in enumerate((False, True, False), 1):
        made.put([a.leg("a", rtcp_mux=muxes), b.leg("b")], rev=rev)
        a.other.clear()
        made.run(8.0)
        assert bool(a.other) == muxes
        if muxes:
            a.send(rtcp.build([rtcp.ReceiverReport(a.ssrc, ())]))
            made.run(0.1)


def _last(control: socket.socket) -> rtcp.SenderReport:
    found = []
    while True:
        try:
            found += [one for one in rtcp.parse(control.recv(2048)) if isinstance(one, rtcp.SenderReport)]
        except BlockingIOError:
            return found[-1]


def test_extensions_and_padding_are_stepped_over(made: Stage) -> None:
    a, b = pair(made)
    for n in range(40):
        packet = a.packet()
        if n % 2:
            a.send(b"\x90" + packet[1:12] + b"\xbe\xde\x00\x01" + bytes(4) + packet[12:])
        else:
            a.send(b"\xa0" + packet[1:] + b"\0\0\0\4")
        b.speak()
        made.tick()
    assert b.tones() == (A_HZ,)
    assert b.levels(A_HZ) == pytest.approx([LEVEL_DBFS], abs=0.3)
