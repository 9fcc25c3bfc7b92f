import pytest

from maglev.config.parse import ConfigFaults, parse

TEXT = """
maglev:
  vpp: {lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe"}}
  backends: {b: {address: BACKEND}}
  frontends: {www: {address: 10.7.0.0/24, pools: [{name: p, backends: {b: {}}}]}}
"""


def test_a_backend_inside_a_vip_prefix_is_a_fault() -> None:
    """VPP would encapsulate its packets for ever, and dies of it."""
    with pytest.raises(ConfigFaults, match="round in circles"):
        parse(TEXT.replace("BACKEND", "10.7.0.5"))


def test_a_backend_beside_it_is_none() -> None:
    assert parse(TEXT.replace("BACKEND", "10.8.0.5")).backends.keys() == {"b"}
