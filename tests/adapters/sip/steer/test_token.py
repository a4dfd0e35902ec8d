"""Flow tokens: only what a node of the cluster has written is read, and it is the very flow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.uri import Uri
from adapters.sip.steer.token import FlowTokens
from domain.values import Flow

TOKENS = FlowTokens(b"k" * 32)
BOB = Flow("tls", "[2001:db8::1]:5061", "[2001:db8::9]:40000", 1763, "b.example")


@given(
    st.sampled_from(["udp", "tcp", "tls"]),
    st.integers(1, 65535),
    st.integers(0, 2**48),
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
)
def test_a_token_is_the_flow(transport: str, port: int, connection: int, node: str) -> None:
    flow = Flow(transport, "192.0.2.1:5060", f"198.51.100.7:{port}", connection, node)
    token = FlowTokens(b"k" * 32).write(flow)
    assert FlowTokens(b"k" * 32).read(token) == flow
    assert token.startswith(f"{node}.")


def test_a_token_may_stand_in_a_uri() -> None:
    token = TOKENS.write(BOB)
    assert Uri.parse(f"sip:{token}@192.0.2.1:5070;lr").user == token


def test_a_token_of_another_cluster_is_none() -> None:
    assert FlowTokens(b"x" * 32).read(TOKENS.write(BOB)) is None


@pytest.mark.parametrize("place", range(len(TOKENS.write(BOB))))
def test_a_token_with_one_character_changed_is_none(place: int) -> None:
    token = TOKENS.write(BOB)
    forged = f"{token[:place]}{'A' if token[place] != 'A' else 'B'}{token[place + 1 :]}"
    assert TOKENS.read(forged) is None


@pytest.mark.parametrize("text", ["", ".", "..", "1001", "b.e30.", "ä.ö.ü", "b.\uef80.x"])
def test_what_is_no_token_is_none(text: str) -> None:
    assert TOKENS.read(text) is None


def test_a_token_of_another_version_is_none() -> None:
    named = "b.e30"
    assert TOKENS.read(f"{named}.{TOKENS._mac(named)}") is None
