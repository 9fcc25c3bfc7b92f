from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maglev.emulator.lb import Died, Retval
from maglev.emulator.vip import VipKey
from tests.emulator.engine import Engine, address, engine, packet, vip, vip_key

BACKENDS = [f"10.1.0.{n}" for n in range(1, 5)]
KEYS = [
    vip_key("192.0.2.1/32", 17, 80),
    vip_key("192.0.2.1/32", 17, 81),
    vip_key("192.0.2.2/32", 17, 80),
    vip_key("192.0.2.2/32", 6, 0),
]


@pytest.fixture
def vpp() -> Iterator[Engine]:
    with engine() as running:
        yield running


def test_the_first_vip_has_index_1_and_the_first_backend_index_1(vpp: Engine) -> None:
    assert vpp.lb.add_vip(vip()) is Retval.OK
    assert vpp.lb.add_server(vip_key(), address("10.1.0.1"), 1, flush=False) is Retval.OK

    (only,) = vpp.lb.vips
    assert only.index == 1
    assert [index for index, _ in vpp.lb.servers(only)] == [1]


def test_counters_appear_with_the_first_vip(vpp: Engine) -> None:
    assert not list(vpp.lb.counters)
    epoch = vpp.segment.epoch

    vpp.lb.add_vip(vip())

    assert [counter.get(1) for counter in vpp.lb.counters] == [0, 0, 0, 0]
    assert vpp.segment.epoch > epoch


@pytest.mark.parametrize("length", [0, 1 << 27, 1 << 31])
def test_a_table_that_vpp_dies_of_is_its_death(vpp: Engine, length: int) -> None:
    with pytest.raises(Died, match=f"192.0.2.1/32 length={length}"):
        vpp.lb.add_vip(vip(table_length=length))

    vpp.lb.add_vip(vip())
    assert vpp.lb.add_vip(vip(table_length=0)) is Retval.VALUE_EXIST


@pytest.mark.parametrize("buckets", [0, 3, 1 << 24])
def test_sticky_tables_that_cannot_be_are_refused(vpp: Engine, buckets: int) -> None:
    assert vpp.lb.configure(bytes(4), bytes(16), buckets, 10) is Retval.INVALID_MEMORY_SIZE

    assert (vpp.workers.buckets, vpp.workers.flow_timeout_s, vpp.lb.ip4_source) == (1024, 40, b"\xff" * 4)


def test_a_new_tenant_of_an_index_counts_from_zero(vpp: Engine) -> None:
    vpp.lb.add_vip(vip())
    vpp.forwarding.send(1, packet())
    vpp.lb.delete_vip(vip_key())
    vpp.now = 61
    vpp.lb.collect()

    vpp.lb.add_vip(vip(vip_key("192.0.2.9/32")))

    assert [found.index for found in vpp.lb.vips] == [1]
    assert [counter.get(1) for counter in vpp.lb.counters] == [0, 0, 0, 0]


def test_the_dead_are_collected_after_a_minute_and_indexes_are_used_again(vpp: Engine) -> None:
    keys = [vip_key(f"192.0.2.{n}/32") for n in (1, 2, 3)]
    for key in keys:
        vpp.lb.add_vip(vip(key))
    for key in keys[:2]:
        vpp.lb.delete_vip(key)
    vpp.now = 60
    vpp.lb.collect()

    for key in keys[:2]:
        vpp.lb.add_vip(vip(key))

    # Freed in the order of the listing, the one freed last is used first.
    assert [(found.index, found.key) for found in vpp.lb.vips] == [(1, keys[1]), (2, keys[0]), (3, keys[2])]


@pytest.mark.parametrize(
    ("deleted_at", "swept_at", "is_gone"), [(0, 60, False), (0, 61, True), (55, 61, False), (50, 61, True)]
)
def test_a_sweep_heeds_its_interval_and_a_fresh_deletion(
    vpp: Engine, deleted_at: float, swept_at: float, is_gone: bool
) -> None:
    vpp.lb.add_vip(vip())
    vpp.lb.add_server(vip_key(), address("10.1.0.1"), 1, flush=False)
    vpp.now = deleted_at
    vpp.lb.delete_server(vip_key(), address("10.1.0.1"), flush=False)
    vpp.now = swept_at
    vpp.lb.collect()

    assert (vpp.lb.server_count == 0) is is_gone
    assert (vpp.fib.exact(4, int.from_bytes(address("10.1.0.1"), "big"), 32) is None) is is_gone


def test_adding_a_backend_sweeps_its_vip_too(vpp: Engine) -> None:
    vpp.lb.add_vip(vip())
    vpp.lb.add_server(vip_key(), address("10.1.0.1"), 1, flush=False)
    vpp.lb.delete_server(vip_key(), address("10.1.0.1"), flush=False)
    vpp.now = 61
    vpp.lb.add_server(vip_key(), address("10.1.0.2"), 1, flush=False)

    assert vpp.lb.server_count == 1


def test_in_use_since_shines_through_from_the_tenant_before(vpp: Engine) -> None:
    vpp.lb.add_vip(vip())
    vpp.lb.add_server(vip_key(), address("10.1.0.1"), 1, flush=False)
    vpp.now = 30
    vpp.lb.delete_server(vip_key(), address("10.1.0.1"), flush=False)
    vpp.now = 100
    vpp.lb.collect()
    vpp.lb.add_server(vip_key(), address("10.1.0.9"), 1, flush=False)

    (found,) = vpp.lb.vips
    assert [vpp.lb.last_used(index) for index, _ in vpp.lb.servers(found)] == [30]


def test_a_held_backend_survives_until_its_slot_is_taken_by_another(vpp: Engine) -> None:
    vpp.lb.configure(bytes(4), bytes(16), 1, 40)
    vpp.lb.add_vip(vip())
    vpp.lb.add_server(vip_key(), address("10.1.0.1"), 1, flush=False)
    vpp.forwarding.send(1, packet(sport=1))
    vpp.lb.delete_server(vip_key(), address("10.1.0.1"), flush=False)
    vpp.now = 200
    vpp.lb.collect()
    assert vpp.lb.server_count == 1

    vpp.forwarding.send(1, packet(sport=2))
    vpp.now = 300
    vpp.lb.collect()
    assert vpp.lb.server_count == 0


@given(st.permutations(list(zip(BACKENDS, (100, 50, 7, 1), strict=True))), st.permutations(BACKENDS[:2]))
def test_the_table_does_not_depend_on_the_order_of_calls(backends: list[tuple[str, int]], again: list[str]) -> None:
    def table_after(order: list[tuple[str, int]], readded: list[str]) -> list[bytes]:
        with engine() as vpp:
            vpp.lb.add_vip(vip())
            for backend, weight in order:
                vpp.lb.add_server(vip_key(), address(backend), weight, flush=False)
            for backend in readded:
                vpp.lb.delete_server(vip_key(), address(backend), flush=False)
            for backend in readded:
                vpp.lb.add_server(vip_key(), address(backend), dict(order)[backend], flush=False)
            (found,) = vpp.lb.vips
            return [vpp.lb.server(found.owner(bucket)).address for bucket in range(1024)]

    assert table_after(backends, again) == table_after(sorted(backends), [])


class Lifecycle(RuleBasedStateMachine):
    """Any calls, in any order, leave VPP's books balanced, and nothing is left once everything is deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.vpp = Engine()
        self.live: dict[VipKey, dict[str, int]] = {}

    def teardown(self) -> None:
        for key in self.live:
            for backend in self.live[key]:
                assert self.vpp.lb.delete_server(key, address(backend), flush=True) is Retval.OK
            assert self.vpp.lb.delete_vip(key) is Retval.OK
        for table in (self.vpp.workers.table(thread) for thread in self.vpp.workers.serving):
            for stale in list(self.vpp.lb.vips):
                table.flush(stale.index)
        for _ in range(2):
            self.vpp.now += 100
            self.vpp.lb.collect()
        assert list(self.vpp.lb.vips) == []
        assert self.vpp.lb.server_count == 0
        assert self.vpp.fib.longest(4, int.from_bytes(address("10.1.0.1"), "big")).length == 0
        self.vpp.close()

    @rule(key=st.sampled_from(KEYS), encap=st.sampled_from([0, 2]))
    def add_vip(self, key: VipKey, encap: int) -> None:
        siblings = [other for other in self.live if other.prefix == key.prefix]
        retval = self.vpp.lb.add_vip(vip(key, encap=encap))
        if key in self.live or (siblings and 0 in (key.port, siblings[0].port)):
            assert retval is Retval.VALUE_EXIST
        elif retval is not Retval.INVALID_ARGUMENT:
            assert retval is Retval.OK
            self.live[key] = {}
        else:
            assert siblings

    @rule(key=st.sampled_from(KEYS))
    def delete_vip(self, key: VipKey) -> None:
        expected = Retval.OK if key in self.live else Retval.NO_SUCH_ENTRY
        assert self.vpp.lb.delete_vip(key) is expected
        self.live.pop(key, None)

    @rule(key=st.sampled_from(KEYS), backend=st.sampled_from(BACKENDS), weight=st.integers(0, 255), flush=st.booleans())
    def add_server(self, key: VipKey, backend: str, weight: int, flush: bool) -> None:
        retval = self.vpp.lb.add_server(key, address(backend), weight, flush=flush)
        if key not in self.live:
            assert retval is Retval.NO_SUCH_ENTRY
        elif backend in self.live[key]:
            assert retval is Retval.VALUE_EXIST
        else:
            assert retval is Retval.OK
            self.live[key][backend] = weight

    @rule(key=st.sampled_from(KEYS), backend=st.sampled_from(BACKENDS), flush=st.booleans())
    def delete_server(self, key: VipKey, backend: str, flush: bool) -> None:
        retval = self.vpp.lb.delete_server(key, address(backend), flush=flush)
        if backend in self.live.get(key, {}):
            assert retval is Retval.OK
            del self.live[key][backend]

    @rule(key=st.sampled_from(KEYS), backend=st.sampled_from(BACKENDS), weight=st.integers(0, 255))
    def set_weight(self, key: VipKey, backend: str, weight: int) -> None:
        retval = self.vpp.lb.set_weight(key, address(backend), weight, flush=False)
        known = backend in self.live.get(key, {})
        assert retval is (Retval.OK if known else Retval.NO_SUCH_ENTRY)
        if known:
            self.live[key][backend] = weight

    @rule(dst=st.sampled_from(["192.0.2.1", "192.0.2.2"]), sport=st.integers(0, 99), dport=st.integers(79, 82))
    def send(self, dst: str, sport: int, dport: int) -> None:
        self.vpp.forwarding.send(1, packet(dst, sport, dport))

    @rule(seconds=st.integers(1, 70))
    def pass_time(self, seconds: int) -> None:
        self.vpp.now += seconds
        self.vpp.lb.collect()

    @invariant()
    def the_live_are_listed_with_their_weights(self) -> None:
        listed = {
            found.key: {server.address: server.weight for _, server in self.vpp.lb.servers(found) if server.used}
            for found in self.vpp.lb.vips
            if found.used
        }
        wanted = {key: {address(b): weight for b, weight in weights.items()} for key, weights in self.live.items()}
        assert listed == wanted

    @invariant()
    def every_bucket_of_a_vip_with_weight_is_owned(self) -> None:
        for found in self.vpp.lb.vips:
            spread = sum(found.buckets().values())
            has_weight = found.used and any(self.live[found.key].values())
            assert spread == (1024 if has_weight else 0)

    @invariant()
    def every_route_of_a_backend_is_held_by_its_vips(self) -> None:
        for found in self.vpp.lb.vips:
            for _, server in self.vpp.lb.servers(found):
                host = self.vpp.fib.exact(4, int.from_bytes(server.address, "big"), 32)
                assert host is server.route


TestLifecycle = Lifecycle.TestCase
