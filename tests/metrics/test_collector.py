from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from maglev.core.counters import Sample
from maglev.core.desired import resolve
from maglev.core.health import State
from maglev.core.observed import DelBackend, DelVip, Op, SetWeight, advance
from maglev.core.status import FrontendStatus, HealthStatus, Status
from maglev.metrics.collector import StatusFamilies, registry_for
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Page
from maglev.version import build
from tests.metrics.reading import parse_openmetrics, parse_text, text_of
from tests.rpc import statuses

Series = Mapping[tuple[str, ...], float]


def page(status: Status) -> Page:
    return Page((StatusFamilies(lambda: status, lambda: statuses.NOW_NS).collect,))


def samples(status: Status) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """name -> labels -> value, as a scraper reads them in OpenMetrics."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parse_openmetrics(text_of(page(status), is_openmetrics=True)):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def series(status: Status, name: str, *labels: str) -> Series:
    """Values of one metric by the given labels, which must be all it has."""
    wanted = sorted(labels)
    found = {}
    for pairs, value in samples(status).get(name, {}).items():
        assert [key for key, _ in pairs] == wanted
        found[tuple(dict(pairs)[label] for label in labels)] = value
    return found


def test_one_series_says_the_state_of_each_backend() -> None:
    assert series(statuses.FULL, "maglev_backend_state", "backend", "state") == {
        ("web2", "down"): 1,
        ("web1", "up"): 1,
        ("spare", "up"): 1,
        ("spare-alias", "disabled"): 1,
        ("six", "unknown"): 1,
    }


def test_health_is_the_counter_and_absent_without_a_check() -> None:
    assert series(statuses.FULL, "maglev_backend_health", "backend") == {
        ("web2",): 0,
        ("web1",): 4,
        ("spare-alias",): 1,
        ("six",): 1,
    }


def test_enabled_is_0_for_a_disabled_backend_only() -> None:
    enabled = series(statuses.FULL, "maglev_backend_enabled", "backend")

    assert enabled == {("web2",): 1, ("web1",): 1, ("spare",): 1, ("spare-alias",): 0, ("six",): 1}


def test_frontends_have_a_state_and_two_weights_per_pool_and_backend() -> None:
    labels = ("frontend", "pool", "backend")
    effective = "maglev_frontend_pool_backend_effective_weight"

    assert series(statuses.FULL, "maglev_frontend_state", "frontend", "state") == {
        ("web", "up"): 1,
        ("shop", "down"): 1,
        ("net", "up"): 1,
        ("six", "unknown"): 1,
    }
    assert series(statuses.FULL, "maglev_frontend_pool_backend_weight", *labels) == {
        ("web", "primary", "web1"): 100,
        ("web", "primary", "web2"): 50,
        ("web", "fallback", "spare"): 10,
        ("shop", "only", "web2"): 100,
        ("net", "all", "web1"): 7,
        ("net", "all", "spare-alias"): 100,
        ("six", "p", "six"): 100,
    }
    assert {key: w for key, w in series(statuses.FULL, effective, *labels).items() if w} == {
        ("web", "primary", "web1"): 100,
        ("net", "all", "web1"): 7,
    }


def test_vpp_is_told_with_its_age_and_build() -> None:
    assert series(statuses.FULL, "maglev_vpp_connected") == {(): 1}
    assert series(statuses.FULL, "maglev_vpp_uptime_seconds") == {(): 2 * 86400}
    assert series(statuses.FULL, "maglev_vpp_connected_seconds") == {(): 90}
    assert series(statuses.FULL, "maglev_vpp_info", "version", "build_date", "pid") == {
        ("26.10-rc0", "2026-08-21T10:00:00", "4711"): 1
    }


def test_our_own_build_is_told() -> None:
    assert series(statuses.EMPTY, "maglev_build_info", "version", "commit") == {(build().version, build().commit): 1}


def test_vip_packets_by_kind() -> None:
    packets = series(statuses.FULL, "maglev_vpp_vip_packets_total", "prefix", "protocol", "port", "kind")

    assert packets == {
        ("192.0.2.9/32", "tcp", "443", "next"): 5,
        ("192.0.2.9/32", "tcp", "443", "first"): 1,
        ("192.0.2.9/32", "tcp", "443", "untracked"): 0,
        ("192.0.2.9/32", "tcp", "443", "no_server"): 9,
        ("192.0.2.10/32", "tcp", "80", "next"): 123456,
        ("192.0.2.10/32", "tcp", "80", "first"): 789,
        ("192.0.2.10/32", "tcp", "80", "untracked"): 3,
        ("192.0.2.10/32", "tcp", "80", "no_server"): 0,
        ("2001:db8::1/128", "tcp", "80", "next"): 0,
        ("2001:db8::1/128", "tcp", "80", "first"): 0,
        ("2001:db8::1/128", "tcp", "80", "untracked"): 0,
        ("2001:db8::1/128", "tcp", "80", "no_server"): 26,
    }


def test_a_route_that_is_not_known_has_no_series() -> None:
    labels = ("prefix", "protocol", "port")

    assert series(statuses.FULL, "maglev_vpp_vip_route_packets_total", *labels) == {
        ("192.0.2.9/32", "tcp", "443"): 15,
        ("192.0.2.10/32", "tcp", "80"): 124248,
    }
    assert series(statuses.FULL, "maglev_vpp_vip_route_bytes_total", *labels) == {
        ("192.0.2.9/32", "tcp", "443"): 900,
        ("192.0.2.10/32", "tcp", "80"): 98765432,
    }


def test_a_shared_address_is_told_for_each_name_and_a_strange_one_without_a_name() -> None:
    labels = ("backend", "address", "kind")

    assert series(statuses.FULL, "maglev_vpp_backend_packets_total", *labels) == {
        ("web1", "10.1.0.1", "forwarded"): 124241,
        ("web1", "10.1.0.1", "direct"): 0,
        ("spare", "10.1.0.3", "forwarded"): 7,
        ("spare", "10.1.0.3", "direct"): 1,
        ("spare-alias", "10.1.0.3", "forwarded"): 7,
        ("spare-alias", "10.1.0.3", "direct"): 1,
        ("", "10.1.0.99", "forwarded"): 2,
        ("", "10.1.0.99", "direct"): 0,
    }
    volumes = series(statuses.FULL, "maglev_vpp_backend_bytes_total", *labels)
    assert volumes["web1", "10.1.0.1", "forwarded"] == 101747000
    assert volumes["spare", "10.1.0.3", "direct"] == 60


def test_what_vpp_counts_says_since_when_in_openmetrics_alone_and_only_where_that_is_known() -> None:
    old, new = statuses.SAMPLE.vips[statuses.WEB], statuses.NOW_NS - 7 * statuses.SECOND_NS
    vips = {
        statuses.WEB: replace(old, since_ns=new, route_since_ns=new + 1_500_000_000),
        statuses.SHOP: replace(old, since_ns=None, route_since_ns=None),
    }
    address = ip_address("10.1.0.1")
    backends = {address: replace(statuses.SAMPLE.backends[address], since_ns=new)}
    sample = Sample(statuses.NOW_NS, 1, vips, backends, unmatched_packets=33, unmatched_since_ns=new)
    status = replace(statuses.FULL, sample=sample)
    web = ("192.0.2.10/32", "tcp", "80")
    vip = ("prefix", "protocol", "port")

    since_s = new / statuses.SECOND_NS
    created = series(status, "maglev_vpp_vip_packets_created", *vip, "kind")
    assert created == {(*web, kind): since_s for kind in ("next", "first", "untracked", "no_server")}
    for name in ("maglev_vpp_vip_route_packets_created", "maglev_vpp_vip_route_bytes_created"):
        assert series(status, name, *vip) == {web: since_s + 1.5}
    for name in ("maglev_vpp_backend_packets_created", "maglev_vpp_backend_bytes_created"):
        assert series(status, name, "backend", "address", "kind") == {
            ("web1", "10.1.0.1", kind): since_s for kind in ("forwarded", "direct")
        }
    assert series(status, "maglev_vpp_unmatched_packets_total") == {(): 33}
    assert series(status, "maglev_vpp_unmatched_packets_created") == {(): since_s}
    assert "_created" not in text_of(page(status), is_openmetrics=False)


def test_buckets_and_flows_are_of_the_last_audit_by_name_or_by_address() -> None:
    labels = ("prefix", "protocol", "port", "backend")
    ops = [SetWeight(statuses.WEB, at, 7, flush=True) for at in statuses.OBSERVED.vips[statuses.WEB].backends]
    written = replace(statuses.LB, observed=advance(statuses.OBSERVED, ops), audited=statuses.OBSERVED)
    status = replace(statuses.FULL, lb=written)
    web = ("192.0.2.10/32", "tcp", "80")

    assert series(status, "maglev_vpp_backend_buckets", *labels) == {
        (*web, "10.1.0.10"): 2,
        (*web, "spare"): 0,
        (*web, "spare-alias"): 0,
        (*web, "web2"): 0,
        (*web, "web1"): 1024,
    }
    assert series(status, "maglev_vpp_backend_flows", *labels) == {
        (*web, "10.1.0.10"): 3,
        (*web, "spare"): 7,
        (*web, "spare-alias"): 7,
        (*web, "web2"): 0,
        (*web, "web1"): 398,
    }
    assert series(replace(status, lb=None), "maglev_vpp_backend_buckets", *labels) == {}


def test_what_was_deleted_since_the_audit_has_no_buckets_nor_flows() -> None:
    """On one page after the other, as it keeps what was said."""
    known = replace(statuses.LB, observed=statuses.OBSERVED, audited=statuses.OBSERVED)
    newest = [replace(statuses.FULL, lb=known)]
    following = Page((StatusFamilies(lambda: newest[0]).collect,))
    web = statuses.OBSERVED.vips[statuses.WEB].backends

    def shown() -> list[int]:
        """How many series there are of buckets, and how many of flows."""
        text = text_of(following, is_openmetrics=False)
        return [text.count(f"\nmaglev_vpp_backend_{what}{{") for what in ("buckets", "flows")]

    assert shown() == [5, 5]
    one_less = advance(statuses.OBSERVED, [DelBackend(statuses.WEB, ip_address("10.1.0.10"))])
    newest[0] = replace(newest[0], lb=replace(known, observed=one_less))
    assert shown() == [4, 4]
    ops: list[Op] = [*(DelBackend(statuses.WEB, at) for at in web), DelVip(statuses.WEB, "")]
    newest[0] = replace(newest[0], lb=replace(known, observed=advance(statuses.OBSERVED, ops)))
    assert shown() == [0, 0]
    newest[0] = replace(newest[0], lb=known)
    assert shown() == [5, 5]


def test_the_pool_that_takes_the_traffic_is_told_with_its_rank() -> None:
    labels = ("frontend", "pool")
    assert series(statuses.FULL, "maglev_frontend_active_pool_rank", *labels) == {
        ("web", "primary"): 0,
        ("net", "all"): 0,
    }
    web = statuses.HEALTH.frontends["web"]
    states = {"web1": State.DOWN, "web2": State.DOWN, "spare": State.UP}
    moved = FrontendStatus(web.frontend, resolve(web.frontend, states))
    fallen = replace(statuses.FULL, health=HealthStatus(statuses.HEALTH.backends, {"web": moved}))
    assert series(fallen, "maglev_frontend_active_pool_rank", *labels) == {("web", "fallback"): 1}


def test_a_frontend_is_told_with_its_vip_as_figures_of_vpp_are_labelled() -> None:
    labels = ("prefix", "protocol", "port")
    assert series(statuses.FULL, "maglev_frontend_info", "frontend", *labels) == {
        ("web", "192.0.2.10/32", "tcp", "80"): 1,
        ("shop", "192.0.2.9/32", "tcp", "443"): 1,
        ("net", "198.51.100.0/25", "any", "0"): 1,
        ("six", "2001:db8::1/128", "tcp", "80"): 1,
    }
    assert ("192.0.2.10/32", "tcp", "80", "next") in series(
        statuses.FULL, "maglev_vpp_vip_packets_total", *labels, "kind"
    )


def test_the_sample_says_when_it_was_taken_and_how_often_that_is() -> None:
    assert series(statuses.FULL, "maglev_vpp_sample_timestamp_seconds") == {
        (): statuses.NOW_NS / statuses.SECOND_NS - 2
    }
    assert series(statuses.FULL, "maglev_vpp_sample_interval_seconds") == {(): 5}


def test_without_vpp_there_are_no_figures_of_it_but_that_it_is_not_there() -> None:
    told = {name: values for name, values in samples(statuses.NO_VPP).items() if name.startswith("maglev_vpp")}

    assert told == {"maglev_vpp_connected": {(): 0}}
    assert series(statuses.NO_VPP, "maglev_backend_state", "backend", "state")


def test_uptime_is_absent_while_the_boot_time_is_not_known_and_never_negative() -> None:
    unreadable = replace(statuses.FULL, vpp=replace(statuses.VPP, boottime_ns=0))
    ahead = replace(statuses.FULL, vpp=replace(statuses.VPP, boottime_ns=statuses.NOW_NS + 5))

    assert series(unreadable, "maglev_vpp_uptime_seconds") == {}
    assert series(unreadable, "maglev_vpp_connected_seconds") == {(): 90}
    assert series(ahead, "maglev_vpp_uptime_seconds") == {(): 0}


@pytest.mark.parametrize("status", [statuses.FULL, statuses.NO_VPP, statuses.EMPTY])
def test_both_formats_agree_on_every_series(status: Status) -> None:
    read = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(text_of(page(status), is_openmetrics=False))
        for sample in family.samples
    }

    assert read == {
        (name, labels): value
        for name, values in samples(status).items()
        for labels, value in values.items()
        if not name.endswith("_created")
    }


def test_names_follow_the_conventions() -> None:
    for family in StatusFamilies(lambda: statuses.FULL).collect():
        assert family.name.startswith("maglev_")
        assert family.help
        units = [unit for unit in ("seconds", "bytes") if unit in family.name.split("_")]
        assert not units or family.name.endswith(units[0])


def test_one_page_shows_what_is_and_what_has_happened() -> None:
    text = text_of(registry_for(lambda: statuses.FULL, EventCounters()), is_openmetrics=False)

    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert "maglev_backend_state" in names
    assert "maglev_probe_total" in names
    assert len(names) == len(set(names))


def test_what_holds_up_writes_is_there_while_a_table_is_known() -> None:
    in_doubt = frozenset({statuses.WEB, statuses.NET})
    lb = replace(statuses.LB, doubtful=in_doubt, conf_refused="no", held_back_s=30.0)
    names = ("refused_vips", "conf_refused", "doubtful_vips", "held_back", "audit_interval_seconds")
    for status, expected in (
        (replace(statuses.FULL, lb=lb), [{(): 1}, {(): 1}, {(): 2}, {(): 1}, {(): 30}]),
        (replace(statuses.FULL, lb=statuses.LB), [{(): 1}, {(): 0}, {(): 0}, {(): 0}, {(): 30}]),
        (replace(statuses.FULL, lb=None), [{}] * 5),
    ):
        assert [series(status, f"maglev_vpp_{name}") for name in names] == expected
