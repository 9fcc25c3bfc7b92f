"""Frontends, backends and health checks -> pages."""

from collections.abc import Iterator, Sequence

from maglev.cli.render.layout import Column, Fields, Kind, Page, Table
from maglev.cli.render.units import ABSENT, age, interval, moment, vip, when, yes
from maglev.rpc._pb import maglev_pb2 as pb

_FRONTENDS = (
    Column("name", Kind.KEY),
    Column("vip"),
    Column("protocol"),
    Column("port", Kind.FIGURE),
    Column("state", Kind.STATE),
    Column("for", Kind.FIGURE),
    Column("active-pool"),
    Column("description", Kind.FREE, is_extra=True),
)
_REFUSED = (Column("name", Kind.KEY), Column("vpp-refuses", Kind.FREE))
_BACKENDS = (
    Column("name", Kind.KEY),
    Column("address"),
    Column("state", Kind.STATE),
    Column("for", Kind.FIGURE),
    Column("health", Kind.FIGURE),
    Column("why"),
    Column("detail", Kind.FREE, is_extra=True),
    Column("healthcheck", is_extra=True),
    Column("enabled", is_extra=True),
)
_TRANSITIONS = (
    Column("at", Kind.KEY),
    Column("ago", Kind.FIGURE),
    Column("from", Kind.STATE),
    Column("to", Kind.STATE),
    Column("code"),
    Column("detail", Kind.FREE),
)
_HEALTH_CHECKS = (
    Column("name", Kind.KEY),
    Column("type"),
    Column("port", Kind.FIGURE),
    Column("interval", Kind.FIGURE),
    Column("timeout", Kind.FIGURE),
    Column("rise", Kind.FIGURE),
    Column("fall", Kind.FIGURE),
    Column("backends", Kind.FIGURE),
    Column("fast-interval", Kind.FIGURE, is_extra=True),
    Column("down-interval", Kind.FIGURE, is_extra=True),
)


def frontends(infos: Sequence[pb.FrontendInfo], now_ns: int) -> Page:
    """All frontends, one a row; below, what VPP refuses."""
    rows = tuple(
        (
            info.name,
            vip(info.address),
            info.protocol,
            _port(info),
            info.state,
            age(info.changed_at_ns, now_ns),
            _active_pool(info),
            info.description,
        )
        for info in infos
    )
    refused = tuple((info.name, info.refused) for info in infos if info.HasField("refused"))
    page = (Table(_FRONTENDS, rows),)
    return (*page, Table(_REFUSED, refused)) if refused else page


def frontend(info: pb.FrontendInfo, now_ns: int) -> Page:
    """One frontend with the tree of its pools, in order of preference, and their backends."""
    head = [
        ("name", info.name),
        ("description", info.description or ABSENT),
        ("vip", vip(info.address)),
        ("protocol", info.protocol),
        ("port", _port(info)),
        ("state", info.state),
        ("since", when(info.changed_at_ns, now_ns)),
        ("active-pool", _active_pool(info)),
        ("src-ip-sticky", yes(info.src_ip_sticky)),
        ("flush-on-down", yes(info.flush_on_down)),
        ("vpp-audited", when(info.audited_at_ns, now_ns) if info.HasField("audited_at_ns") else ABSENT),
    ]
    if info.HasField("refused"):
        head.append(("vpp-refuses", info.refused))
    return Fields(tuple(head)), _pools(info, now_ns)


def _pools(info: pb.FrontendInfo, now_ns: int) -> Table:
    has_orders = any(backend.HasField("file_weight") for pool in info.pools for backend in pool.backends)
    columns = [
        Column("pool", Kind.KEY),
        Column("address"),
        Column("state", Kind.STATE),
        Column("for", Kind.FIGURE),
        Column("weight", Kind.FIGURE, is_first_of_group=True),
        *([Column("in-file", Kind.FIGURE)] if has_orders else []),
        Column("effective", Kind.FIGURE),
        Column("buckets", Kind.FIGURE),
        Column("flows", Kind.FIGURE),
    ]
    return Table(tuple(columns), tuple(_branches(info, now_ns, has_orders)))


def _branches(info: pb.FrontendInfo, now_ns: int, has_orders: bool) -> Iterator[tuple[str, ...]]:
    for pool in info.pools:
        is_active = info.HasField("active_pool") and pool.name == info.active_pool
        mark = "active" if is_active else "" if pool.backends else "empty"
        yield pool.name, "", mark, *[""] * (6 if has_orders else 5)
        for left, backend in enumerate(pool.backends, 1 - len(pool.backends)):
            glyph = "├─ " if left else "└─ "
            yield (
                f"{glyph}{backend.name}",
                backend.address,
                backend.state,
                age(backend.changed_at_ns, now_ns),
                str(backend.weight),
                *([_order(backend)] if has_orders else []),
                str(backend.effective_weight),
                str(backend.buckets) if backend.HasField("buckets") else ABSENT,
                str(backend.flows) if backend.HasField("flows") else ABSENT,
            )


def _order(backend: pb.PoolBackendInfo) -> str:
    return str(backend.file_weight) if backend.HasField("file_weight") else ABSENT


def _port(info: pb.FrontendInfo) -> str:
    return str(info.port) if info.port else "any"


def _active_pool(info: pb.FrontendInfo) -> str:
    return info.active_pool if info.HasField("active_pool") else ABSENT


def backends(infos: Sequence[pb.BackendInfo], now_ns: int) -> Page:
    """All backends, one a row, with the reason of the latest transition."""
    rows = tuple(
        (
            info.name,
            info.address,
            info.state,
            age(info.changed_at_ns, now_ns),
            _health(info),
            (info.transitions[0].code if info.transitions else "") or ABSENT,
            info.transitions[0].detail if info.transitions else "",
            info.healthcheck or ABSENT,
            yes(info.enabled),
        )
        for info in infos
    )
    return (Table(_BACKENDS, rows),)


def backend(info: pb.BackendInfo, now_ns: int) -> Page:
    """One backend with its latest transitions."""
    head = Fields(
        (
            ("name", info.name),
            ("address", info.address),
            ("state", info.state),
            ("since", when(info.changed_at_ns, now_ns)),
            ("health", f"{_health(info)}, up from {info.rise}" if info.healthcheck else ABSENT),
            ("healthcheck", info.healthcheck or ABSENT),
            ("enabled", yes(info.enabled)),
        )
    )
    rows = tuple(
        (moment(each.at_ns), age(each.at_ns, now_ns), getattr(each, "from"), each.to, each.code, each.detail)
        for each in info.transitions
    )
    return (head, Table(_TRANSITIONS, rows)) if rows else (head,)


def _health(info: pb.BackendInfo) -> str:
    return f"{info.counter}/{info.counter_max}" if info.healthcheck else ABSENT


def health_checks(infos: Sequence[pb.HealthCheckInfo]) -> Page:
    """All health checks, one a row."""
    rows = tuple(
        (
            info.name,
            info.type,
            str(info.port) if info.port else ABSENT,
            interval(info.interval_s),
            interval(info.timeout_s),
            str(info.rise),
            str(info.fall),
            str(len(info.backends)),
            interval(info.fast_interval_s),
            interval(info.down_interval_s),
        )
        for info in infos
    )
    return (Table(_HEALTH_CHECKS, rows),)


def health_check(info: pb.HealthCheckInfo) -> Page:
    """One health check with all that its type has; a key of the configuration has the same name there."""
    has_port, is_http = info.type != "icmp", info.type in ("http", "https")
    pairs = [
        ("name", info.name),
        ("type", info.type),
        *([("port", str(info.port))] if has_port else []),
        ("interval", interval(info.interval_s)),
        ("fast-interval", interval(info.fast_interval_s)),
        ("down-interval", interval(info.down_interval_s)),
        ("timeout", interval(info.timeout_s)),
        ("rise", str(info.rise)),
        ("fall", str(info.fall)),
        ("probe-ipv4-src", info.probe_ipv4_src if info.HasField("probe_ipv4_src") else ABSENT),
        ("probe-ipv6-src", info.probe_ipv6_src if info.HasField("probe_ipv6_src") else ABSENT),
    ]
    if is_http:
        pairs += [
            ("path", info.path if info.HasField("path") else ABSENT),
            ("host", info.host if info.HasField("host") else ABSENT),
            ("response-code", ", ".join(info.response_codes) or ABSENT),
            ("response-regexp", info.response_regexp if info.HasField("response_regexp") else ABSENT),
        ]
    if has_port:
        pairs.append(("tls", yes(info.HasField("tls"))))
    if info.HasField("tls"):
        pairs += [
            ("server-name", info.tls.server_name if info.tls.HasField("server_name") else ABSENT),
            ("insecure-skip-verify", yes(info.tls.insecure_skip_verify)),
        ]
    return (Fields((*pairs, ("backends", ", ".join(info.backends) or ABSENT))),)
