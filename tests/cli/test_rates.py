import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli.render import as_json, counters, layout
from maglev.rpc._pb import maglev_pb2 as pb

SECOND = 1_000_000_000
OWN = ("first", "next", "untracked", "no_server")
FIB = ("fib_packets", "fib_bytes")
OF_BACKEND = ("forwarded_packets", "forwarded_bytes", "direct_packets", "direct_bytes")
UINT64 = st.integers(0, 2**64 - 1)
SINCE = st.none() | st.sampled_from((SECOND, 2 * SECOND))


def known(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """All of the figures or none."""
    return st.fixed_dictionaries(dict.fromkeys(names, UINT64)) | st.just({})


@st.composite
def vip_counters(draw: st.DrawFn) -> pb.VPPLBVIPCounters:
    own, fib = draw(known(OWN)), draw(known(FIB))
    return pb.VPPLBVIPCounters(
        prefix=draw(st.sampled_from(("192.0.2.1/32", "192.0.2.2/32"))),
        protocol="tcp",
        port=draw(st.sampled_from((80, 443))),
        since_ns=draw(SINCE),
        fib_since_ns=draw(SINCE),
        **own,
        **fib,
    )


@st.composite
def backend_counters(draw: st.DrawFn) -> pb.VPPLBBackendCounters:
    figures = draw(known(OF_BACKEND))
    return pb.VPPLBBackendCounters(address=draw(st.sampled_from(("a", "b"))), since_ns=draw(SINCE), **figures)


def samples(at_ns: int) -> st.SearchStrategy[pb.VPPLBCounters]:
    return st.builds(
        pb.VPPLBCounters,
        taken_at_ns=st.just(at_ns),
        vips=st.lists(vip_counters(), max_size=4, unique_by=lambda each: (each.prefix, each.port)),
        backends=st.lists(backend_counters(), max_size=2, unique_by=lambda each: each.address),
        unmatched_packets=UINT64,
        unmatched_since_ns=SINCE,
    )


@given(samples(10 * SECOND), samples(12 * SECOND))
def test_a_rate_is_what_grew_from_the_same_zero_and_nothing_else(
    before: pb.VPPLBCounters, after: pb.VPPLBCounters
) -> None:
    found = counters.rates(before, after)
    olds = {(each.prefix, each.port): each for each in before.vips}

    assert [(each.prefix, each.port) for each in found.vips] == [(each.prefix, each.port) for each in after.vips]
    for rates, new in zip(found.vips, after.vips, strict=True):
        old = olds.get((new.prefix, new.port))
        for names, since in ((OWN, "since_ns"), (FIB, "fib_since_ns")):
            for name in names:
                expected = None
                if old and old.HasField(name) and new.HasField(name) and old.HasField(since) and new.HasField(since):
                    grown = getattr(new, name) - getattr(old, name)
                    expected = grown / 2 if getattr(old, since) == getattr(new, since) and grown >= 0 else None
                assert getattr(rates, f"{name}_per_s") == expected
    assert layout.lines(counters.rates_page(found, 12 * SECOND), 80, layout.plain)
    assert json.loads(as_json.document(found.mapping()))["vips"] == [
        {name: getattr(each, name) for name in each.__dataclass_fields__} for each in found.vips
    ]


def sample(at_s: int, *vips: pb.VPPLBVIPCounters, **fields: Any) -> pb.VPPLBCounters:
    return pb.VPPLBCounters(taken_at_ns=at_s * SECOND, vips=vips, **fields)


def vip(port: int, first: int, fib: int, prefix: str = "192.0.2.1/32", since_ns: int = 5) -> pb.VPPLBVIPCounters:
    return pb.VPPLBVIPCounters(
        prefix=prefix,
        protocol="tcp",
        port=port,
        first=first,
        fib_packets=fib,
        since_ns=since_ns,
        fib_since_ns=5,
    )


def test_a_backend_that_was_made_anew_has_no_rate_and_another_has() -> None:
    def of_backends(at_s: int, figure: int, since_ns: int) -> pb.VPPLBCounters:
        steady = pb.VPPLBBackendCounters(address="a", forwarded_packets=figure, since_ns=5)
        restarted = pb.VPPLBBackendCounters(address="b", forwarded_packets=figure, since_ns=since_ns)
        return sample(at_s, backends=[steady, restarted])

    found = counters.rates(of_backends(1, 100, 5), of_backends(5, 300, 6))

    assert [each.forwarded_packets_per_s for each in found.backends] == [50, None]
    assert [each.direct_packets_per_s for each in found.backends] == [None, None]


def test_totals_count_what_the_ports_of_a_prefix_share_once() -> None:
    before = sample(0, vip(80, 0, 0), vip(443, 0, 0), vip(80, 0, 0, "192.0.2.2/32"), vip(81, 7, 0, since_ns=1))
    after = sample(
        10, vip(80, 100, 900), vip(443, 10, 900), vip(80, 1, 50, "192.0.2.2/32"), vip(81, 9, 900, since_ns=2)
    )

    total = counters.rates(before, after).total

    assert total.first_per_s == pytest.approx(11.1)
    assert total.fib_packets_per_s == pytest.approx(95)
    assert (total.next_per_s, total.fib_bytes_per_s) == (None, None)


def test_a_vip_that_is_new_on_a_prefix_takes_nothing_from_its_total() -> None:
    new = vip(443, 0, 900)
    total = counters.rates(sample(0, vip(80, 0, 0)), sample(10, vip(80, 0, 100), new)).total

    assert total.fib_packets_per_s == 10


def test_packets_that_match_no_vip_have_a_rate_too() -> None:
    before = sample(0, unmatched_packets=3, unmatched_since_ns=5)

    assert counters.rates(before, sample(2, unmatched_packets=8, unmatched_since_ns=5)).unmatched_packets_per_s == 2.5
    assert counters.rates(before, sample(2, unmatched_packets=8, unmatched_since_ns=6)).unmatched_packets_per_s is None
    assert counters.rates(before, sample(2, unmatched_packets=8)).unmatched_packets_per_s is None
