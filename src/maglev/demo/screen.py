"""The demo's table: frontends, pools, backends, weights, buckets and packets; only draws what a View says."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from maglev.demo.view import View
from maglev.rpc._pb import maglev_pb2 as pb

COLOURS = {"up": "green", "down": "bold red", "unknown": "yellow", "disabled": "magenta"}
# "weight" is effective of configured; "VPP" is the weight that VPP itself lists. All of it fits 80 columns.
COLUMNS = ("", "address", "health", "weight", "VPP", "buckets", "pkts", "bytes", "pkt/s")
FURNITURE = 2  # header and column titles
ROOMY = 6  # lines of the story that are worth more than blank lines
UNITS = ("", "k", "M", "G", "T")


def draw(view: View, before: View) -> Table:
    """The table of `view`; rates are taken against the sample in `before`."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 3 else "right", no_wrap=True)
    for frontend in view.frontends:
        for row in _frontend(view, before, frontend):
            table.add_row(*row)
    return table


def screen(view: View, before: View, story: Sequence[str], hints: Sequence[str], height: int) -> RenderableType:
    """The live display, at most `height` lines: header, table, the newest lines of the story, where to look further."""
    vpp = f"VPP {view.vpp.version}, pid {view.vpp.pid}" if view.vpp else "no VPP"
    table = draw(view, before)
    room = height - len(hints) - table.row_count - FURNITURE
    blank = [Text()] if room > ROOMY else []
    room = max(2, room - 3 * len(blank))
    return Group(
        Text(f"maglevd and {vpp}", style="bold", no_wrap=True),
        *blank,
        table,
        *blank,
        *(Text(line, style="" if line.startswith(" ") else "bold cyan") for line in story[-room:]),
        *blank,
        *(Text(hint, style="dim", no_wrap=True) for hint in hints),
    )


def print_table(console: Console, view: View, before: View) -> None:
    """The table once, as lines."""
    console.print(draw(view, before))


def _frontend(view: View, before: View, frontend: pb.FrontendInfo) -> Iterator[tuple[RenderableType, ...]]:
    seconds = _seconds(before, view)
    counted = _vip(view, frontend)
    old = _vip(before, frontend)
    packets = octets = rate = "-"
    if counted is not None:
        packets, octets = _number(_packets(counted)), _number(counted.fib_bytes)
        rate = _rate(_packets(counted) - _packets(old), seconds) if old is not None else "-"
    address, _, length = frontend.address.partition("/")
    prefix = address if length in ("32", "128") else frontend.address
    where = f"{prefix} {frontend.protocol}/{frontend.port}"
    yield Text(frontend.name, style="bold"), where, _state(frontend.state), "", "", "", packets, octets, rate
    vip = (frontend.address, frontend.port)
    weights, buckets = view.weights(vip), view.buckets(vip)
    for pool in frontend.pools:
        is_active = pool.name == frontend.active_pool
        note = "takes the traffic" if is_active else "stands by"
        yield Text(f" {pool.name}"), Text(note, style="" if is_active else "dim"), *[""] * 7
        for member in pool.backends:
            backend = view.backends.get(member.name, pb.BackendInfo())
            now, was = view.forwarded(backend.address), before.forwarded(backend.address)
            volume = next((b.forwarded_bytes for b in _counted(view) if b.address == backend.address), None)
            yield (
                f"  {member.name}",
                backend.address,
                _state(backend.state, f" {backend.counter}/{backend.counter_max}"),
                f"{member.effective_weight}/{member.weight}",
                str(weights.get(backend.address, "-")),
                str(buckets.get(backend.address, "-")),
                _number(now),
                _number(volume),
                _rate(now - was, seconds) if now is not None and was is not None else "-",
            )


def _state(state: str, more: str = "") -> Text:
    return Text(state + more, style=COLOURS.get(state, ""))


def _counted(view: View) -> Iterator[pb.VPPLBBackendCounters]:
    if view.counters is not None:
        yield from (backend for backend in view.counters.backends if backend.HasField("forwarded_packets"))


def _vip(view: View, frontend: pb.FrontendInfo) -> pb.VPPLBVIPCounters | None:
    for vip in view.counters.vips if view.counters else ():
        if (vip.prefix, vip.protocol, vip.port) == (frontend.address, frontend.protocol, frontend.port):
            return vip if vip.HasField("next") else None
    return None


def _packets(vip: pb.VPPLBVIPCounters) -> int:
    return vip.next + vip.first + vip.untracked


def _seconds(before: View, now: View) -> float:
    if before.counters is None or now.counters is None:
        return 0.0
    return (now.counters.taken_at_ns - before.counters.taken_at_ns) / 1e9


def _rate(gain: int, seconds: float) -> str:
    return _number(round(gain / seconds)) if seconds > 0 and gain >= 0 else "-"


def _number(value: int | None) -> str:
    """Four digits at most, then k, M, G, T."""
    if value is None:
        return "-"
    scaled, unit = float(value), 0
    while scaled >= 9999.5 and unit < len(UNITS) - 1:
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.{1 if unit and scaled < 100 else 0}f}{UNITS[unit]}"
