"""The simulator itself: what it does not refuse, no other test would find."""

from ipaddress import ip_address

import pytest

from maglev.core.model import ANY, TCP, Encap, VipKey
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, ObservedBackend, Op, SetWeight
from tests.core.cases import KEY, A, B, table
from tests.core.simulator import NO_SUCH_ENTRY, RefusedByVpp, Vpp
from tests.core.tables import PREFIXES


@pytest.mark.parametrize(
    ("op", "retval"),
    [
        (AddVip(KEY, Encap.GRE4, False, 1024), -81),
        (AddVip(VipKey(KEY.prefix, ANY, 0), Encap.GRE4, False, 1024), -81),
        (AddVip(VipKey(KEY.prefix, TCP, 443), Encap.GRE6, False, 1024), -73),
        (AddVip(VipKey(PREFIXES[1], TCP, 80), Encap.GRE4, False, 1000), -70),
        (AddVip(VipKey(PREFIXES[1], TCP, 80), Encap.GRE4, False, 0), -70),
        (AddVip(VipKey(PREFIXES[1], TCP, 80), Encap.NAT6, False, 1024), -97),
        (AddBackend(KEY, A, 1), -81),
        (AddBackend(KEY, ip_address("fd00::1"), 1), -97),
        (AddBackend(VipKey(PREFIXES[1], TCP, 80), A, 1), NO_SUCH_ENTRY),
        (DelBackend(KEY, B), NO_SUCH_ENTRY),
        (SetWeight(KEY, B, 1, flush=False), NO_SUCH_ENTRY),
        (SetWeight(KEY, A, 100, flush=False), 0),
        (DelVip(KEY, ""), 0),
        (DelVip(VipKey(PREFIXES[1], TCP, 80), ""), NO_SUCH_ENTRY),
    ],
)
def test_the_simulator_refuses(op: Op, retval: int) -> None:
    with pytest.raises(RefusedByVpp) as caught:
        Vpp(table(ObservedBackend(100))).execute(op)

    assert caught.value.retval == retval
