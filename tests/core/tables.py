"""Strategies for tables: what could be desired of VPP, and what could be found there. A small world, so things meet."""

from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.model import ANY, TABLE_LENGTH, TCP, UDP, Encap, IPAddress, IPNetwork, LbConf, VipKey
from maglev.core.plan import Observed, ObservedBackend, ObservedVip

PREFIXES: list[IPNetwork] = [
    ip_network(text)
    for text in ("192.0.2.1/32", "192.0.2.2/32", "198.51.100.0/24", "2001:db8::1/128", "2001:db8:1::/64")
]
PORTS = [(TCP, 80), (TCP, 443), (UDP, 53)]
ADDRESSES: dict[int, list[IPAddress]] = {
    4: [ip_address(f"10.0.0.{number}") for number in (2, 9, 10, 200)],
    6: [ip_address(f"fd00::{number:x}") for number in (2, 9, 10, 200)],
}
ENCAPS = {4: [Encap.GRE4, Encap.GRE6, Encap.L3DSR, Encap.NAT4], 6: [Encap.GRE4, Encap.GRE6, Encap.NAT6]}
BACKEND_VERSION = {Encap.GRE4: 4, Encap.GRE6: 6, Encap.L3DSR: 4, Encap.NAT4: 4, Encap.NAT6: 6}

confs = st.builds(
    LbConf,
    st.sampled_from([ip_address("192.0.2.254"), ip_address("192.0.2.253")]),
    st.just(ip_address("2001:db8::fe")),
    st.sampled_from([1024, 65536]),
    st.just(40),
)
weights = st.sampled_from([0, 0, 0, 1, 2, 50, 99, 100])  # few, so that they meet, and miss each other by one
cells = st.builds(Effective, weights, flush=st.booleans())  # where there is weight, flush means nothing


@st.composite
def observed_backends(draw: st.DrawFn) -> ObservedBackend:
    weight = draw(weights)
    is_flushed = weight == 0 and draw(st.booleans())
    return ObservedBackend(weight, is_flushed, draw(st.sampled_from([None, 7])), draw(st.sampled_from([None, 3])))


@st.composite
def keys_by_prefix(draw: st.DrawFn) -> dict[IPNetwork, list[VipKey]]:
    """Sets of VIPs that VPP would hold: on one prefix either one for all ports or several for one port each."""
    found: dict[IPNetwork, list[VipKey]] = {}
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), unique=True, max_size=4)):
        if draw(st.integers(0, 3)) == 0:
            found[prefix] = [VipKey(prefix, ANY, 0)]
        else:
            ports = draw(st.lists(st.sampled_from(PORTS), unique=True, min_size=1))
            found[prefix] = [VipKey(prefix, protocol, port) for protocol, port in ports]
    return found


@st.composite
def desired_tables(draw: st.DrawFn) -> Desired:
    vips = {}
    for keys in draw(keys_by_prefix()).values():
        encap = draw(st.sampled_from([Encap.GRE4, Encap.GRE6]))
        addresses = st.sampled_from(ADDRESSES[BACKEND_VERSION[encap]])
        for key in keys:
            backends = draw(st.dictionaries(addresses, cells))
            vips[key] = DesiredVip(encap, draw(st.booleans()), TABLE_LENGTH, backends)
    return Desired(draw(st.none() | confs), vips)


@st.composite
def observed_tables(draw: st.DrawFn) -> Observed:
    vips = {}
    for prefix, keys in draw(keys_by_prefix()).items():
        encap = draw(st.sampled_from([Encap.GRE4, Encap.GRE6, *ENCAPS[prefix.version]]))
        addresses = st.sampled_from(ADDRESSES[BACKEND_VERSION[encap]])
        for key in keys:
            backends = draw(st.dictionaries(addresses, observed_backends()))
            sticky = draw(st.sampled_from([True, False, False, None]))
            length = draw(st.sampled_from([TABLE_LENGTH, TABLE_LENGTH, TABLE_LENGTH, 512, 0]))  # 0 is how 65536 reads
            vips[key] = ObservedVip(encap, sticky, length, backends)
    return Observed(draw(st.none() | confs), vips)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Desired, Observed]:
    """A desired table, and one that only differs in backends and weights: the everyday case."""
    wish = draw(desired_tables())
    vips = {}
    for key, vip in wish.vips.items():
        addresses = st.sampled_from(ADDRESSES[BACKEND_VERSION[vip.encap]])
        kept = {
            address: ObservedBackend(cell.weight, is_flushed=cell.flush and not cell.weight)
            for address, cell in vip.backends.items()
            if draw(st.booleans())
        }
        changed = draw(st.dictionaries(addresses, observed_backends(), max_size=2))
        vips[key] = ObservedVip(vip.encap, vip.src_ip_sticky, vip.table_length, kept | changed)
    return wish, Observed(wish.conf, vips)


pairs = st.one_of(st.tuples(desired_tables(), observed_tables()), neighbours())
