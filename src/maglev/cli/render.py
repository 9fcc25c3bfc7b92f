"""Messages of the API -> lines of text, plain functions; must not know where they came from or go to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from maglev.rpc._pb import maglev_pb2 as pb

_SECOND_NS = 1_000_000_000
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_GREEN, _RED, _YELLOW = "\x1b[32m", "\x1b[31m", "\x1b[33m"
_COLOURS = {"up": _GREEN, "down": _RED, "unknown": _YELLOW, "paused": _YELLOW, "disabled": _YELLOW, "removed": _YELLOW}
_STATES = ("state", "from", "to")  # titles of what is coloured
_ABSENT = "-"

Paint = Callable[[str, str], str]
"""Dresses a padded cell by the word in it."""


def plain(cell: str, _: str) -> str:
    """No colour."""
    return cell


def coloured(cell: str, word: str) -> str:
    """Colour for the words of states."""
    colour = _COLOURS.get(word)
    return f"{colour}{cell}\x1b[0m" if colour else cell


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint = plain) -> list[str]:
    """Columns two spaces apart; a title that begins with `>` stands over figures, which are flush right."""
    names = [title.removeprefix(">") for title in titles]
    clean = [[_printable(cell) for cell in row] for row in rows]
    columns = list(zip(names, *clean, strict=True))
    widths = [max(map(len, column)) for column in columns[:-1]]
    widths.append(max(map(len, columns[-1])) if titles[-1].startswith(">") else 0)  # nothing to the right to align

    def line(cells: Sequence[str]) -> str:
        dressed = []
        for title, cell, width in zip(titles, cells, widths, strict=True):
            padded = cell.rjust(width) if title.startswith(">") else cell.ljust(width)
            dressed.append(paint(padded, cell) if title in _STATES else padded)
        return "  ".join(dressed)

    return [line(row) for row in (names, *clean)]


def fields(pairs: Sequence[tuple[str, str]], paint: Paint = plain) -> list[str]:
    """One `name: value` a line, values aligned."""
    width = max(len(name) for name, _ in pairs) + 1
    clean = [(name, _printable(value)) for name, value in pairs]
    return [
        f"{f'{name}:'.ljust(width)} {paint(value, value) if name in _STATES else value}".rstrip()
        for name, value in clean
    ]


def duration(span_ns: int) -> str:
    """Its two greatest units: `10m30s`, `1d16h`, `5s`; a negative span (clocks differ) is `0s`."""
    seconds = max(span_ns, 0) // _SECOND_NS
    for (size, unit), (lesser, lesser_unit) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // lesser
            return f"{seconds // size}{unit}{rest}{lesser_unit}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"


def moment(at_ns: int) -> str:
    """A time in UTC, to the second."""
    return f"{datetime.fromtimestamp(at_ns // _SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def vip(prefix: str) -> str:
    """A VIP's prefix, without the length of a single address."""
    single = "/128" if ":" in prefix else "/32"
    return prefix.removesuffix(single)


def frontends(infos: Sequence[pb.FrontendInfo], paint: Paint = plain) -> list[str]:
    """All frontends, one a line."""
    rows = [
        (
            info.name,
            vip(info.address),
            info.protocol,
            str(info.port) if info.port else "any",
            info.state,
            info.active_pool if info.HasField("active_pool") else _ABSENT,
        )
        for info in infos
    ]
    lines = table(("name", "vip", "protocol", ">port", "state", "active-pool"), rows, paint)
    refused = [(info.name, info.refused) for info in infos if info.HasField("refused")]
    return [*lines, "", *table(("name", "vpp-refuses"), refused)] if refused else lines


def frontend(info: pb.FrontendInfo, states: Mapping[str, str], paint: Paint = plain) -> list[str]:
    """One frontend with its pools; `states` are those of backends, by name."""
    head = fields(
        (
            ("name", info.name),
            ("description", info.description or _ABSENT),
            ("vip", vip(info.address)),
            ("protocol", info.protocol),
            ("port", str(info.port) if info.port else "any"),
            ("state", info.state),
            ("active-pool", info.active_pool if info.HasField("active_pool") else _ABSENT),
            ("src-ip-sticky", _yes(info.src_ip_sticky)),
            ("flush-on-down", _yes(info.flush_on_down)),
            *([("vpp-refuses", info.refused)] if info.HasField("refused") else []),
        ),
        paint,
    )
    rows: list[tuple[str, ...]] = []
    for pool in info.pools:
        rows += [
            (pool.name, cell.name, str(cell.weight), str(cell.effective_weight), states.get(cell.name, _ABSENT))
            for cell in pool.backends
        ]
        if not pool.backends:
            rows.append((pool.name, *(_ABSENT,) * 4))
    return [*head, "", *table(("pool", "backend", ">weight", ">effective-weight", "state"), rows, paint)]


def backends(infos: Sequence[pb.BackendInfo], now_ns: int, paint: Paint = plain) -> list[str]:
    """All backends, one a line."""
    rows = [
        (
            info.name,
            info.address,
            info.state,
            duration(now_ns - info.changed_at_ns),
            _health(info),
            info.healthcheck or _ABSENT,
            _yes(info.enabled),
        )
        for info in infos
    ]
    return table(("name", "address", "state", ">for", ">health", "healthcheck", "enabled"), rows, paint)


def backend(info: pb.BackendInfo, now_ns: int, paint: Paint = plain) -> list[str]:
    """One backend with its latest transitions."""
    head = fields(
        (
            ("name", info.name),
            ("address", info.address),
            ("state", info.state),
            ("since", _when(info.changed_at_ns, now_ns)),
            ("health", f"{_health(info)}, up from {info.rise}" if info.healthcheck else _ABSENT),
            ("healthcheck", info.healthcheck or _ABSENT),
            ("enabled", _yes(info.enabled)),
        ),
        paint,
    )
    rows = [
        (moment(each.at_ns), duration(now_ns - each.at_ns), getattr(each, "from"), each.to, each.code, each.detail)
        for each in info.transitions
    ]
    return [*head, "", *table(("at", ">ago", "from", "to", "code", "detail"), rows, paint)] if rows else head


def vpp_info(info: pb.VPPInfo, now_ns: int) -> list[str]:
    """The VPP that maglevd is connected to."""
    return fields(
        (
            ("version", info.version),
            ("build-date", info.build_date),
            ("build-directory", info.build_directory),
            ("pid", str(info.pid)),
            ("started", _when(info.boottime_ns, now_ns)),
            ("connected", _when(info.connecttime_ns, now_ns)),
        )
    )


def lb_state(state: pb.VPPLBState, now_ns: int) -> list[str]:
    """VPP's table: global parameters, VIPs, their application servers, and what VPP refused."""
    head = [
        ("audited", _when(state.audited_at_ns, now_ns)),
        ("audit-cost", f"{state.audit_cost_s * 1e3:.3g}ms, every {state.audit_interval_s:.3g}s"),
    ]
    if state.doubtful:
        head.append(("in-doubt", f"{state.doubtful} VIPs, not written until the next audit"))
    if state.held_back_s:
        head.append(("held-back", f"nothing is written for {state.held_back_s:.0f}s: VPP keeps dying of it"))
    if state.HasField("conf"):
        head += [
            ("ipv4-src-address", state.conf.ipv4_src_address),
            ("ipv6-src-address", state.conf.ipv6_src_address),
            ("sticky-buckets-per-core", str(state.conf.sticky_buckets_per_core)),
            ("flow-timeout", f"{state.conf.flow_timeout_s}s"),
        ]
    vips = [
        (
            vip(each.prefix),
            _service(each),
            each.encap,
            _yes(each.src_ip_sticky) if each.HasField("src_ip_sticky") else _ABSENT,
            str(each.flow_table_length),
            str(len(each.application_servers)),
        )
        for each in state.vips
    ]
    servers = [
        (
            vip(each.prefix),
            _service(each),
            server.address,
            str(server.weight),
            str(server.buckets) if server.HasField("buckets") else _ABSENT,
            str(server.flows) if server.HasField("flows") else _ABSENT,
        )
        for each in state.vips
        for server in each.application_servers
    ]
    if state.HasField("conf_refused"):
        head.append(("parameters-refused", state.conf_refused))
    refused = [(vip(each.prefix), _service(each), each.refused) for each in state.vips if each.HasField("refused")]
    lines = [
        *fields(head),
        "",
        *table(("vip", "port", "encap", "src-ip-sticky", ">flow-table", ">backends"), vips),
        "",
        *table(("vip", "port", "backend", ">weight", ">buckets", ">flows"), servers),
    ]
    return [*lines, "", *table(("vip", "port", "refused"), refused)] if refused else lines


def lb_counters(counters: pb.VPPLBCounters, now_ns: int) -> list[str]:
    """Packets and bytes of VIPs, then of backends."""
    vips = [
        (
            vip(each.prefix),
            _service(each),
            *(_figure(each, name) for name in ("first", "next", "untracked", "no_server", "fib_packets", "fib_bytes")),
        )
        for each in counters.vips
    ]
    backends_ = [
        (
            ",".join(each.backends) or _ABSENT,
            each.address,
            *(_figure(each, f"{kind}_{unit}") for kind in ("forwarded", "direct") for unit in ("packets", "bytes")),
        )
        for each in counters.backends
    ]
    vip_titles = ("vip", "port", ">first", ">next", ">untracked", ">no-server", ">fib-packets", ">fib-bytes")
    backend_titles = ("backend", "address", ">fwd-packets", ">fwd-bytes", ">direct-packets", ">direct-bytes")
    return [
        *fields(
            [("taken", _when(counters.taken_at_ns, now_ns)), ("unmatched-packets", str(counters.unmatched_packets))]
        ),
        "",
        *table(vip_titles, vips),
        "",
        *table(backend_titles, backends_),
    ]


def _figure(entry: pb.VPPLBVIPCounters | pb.VPPLBBackendCounters, name: str) -> str:
    """The field of that name; an index that is not known yet has none."""
    return str(getattr(entry, name)) if name in {field.name for field, _ in entry.ListFields()} else _ABSENT


def _service(entry: pb.VPPLBVIP | pb.VPPLBVIPCounters) -> str:
    return f"{entry.protocol}/{entry.port}" if entry.port else "any"


def _health(info: pb.BackendInfo) -> str:
    return f"{info.counter}/{info.counter_max}" if info.healthcheck else _ABSENT


def _when(at_ns: int, now_ns: int) -> str:
    return f"{moment(at_ns)} ({duration(now_ns - at_ns)} ago)" if at_ns else _ABSENT


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"


def _printable(text: str) -> str:
    """`text` without what would move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
