"""All that a restart of maglevd may not disturb: servers, VPP with its flows; and one maglevd after the other."""

import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.farm import WEIGHTS, Farm, FarmSite, farm
from tests.daemon.flows import Router, Share
from tests.metrics.reading import parse_text
from tests.processes import Program, until


@dataclass(frozen=True, slots=True)
class Picture:
    """What a restart may not change: VPP's table to the bucket, and where each flow is."""

    table: dict[str, Share]
    where: dict[str, str]


class Town:
    """At most one maglevd runs, which a test starts and ends."""

    def __init__(self, directory: Path, servers: Farm) -> None:
        self.farm = servers
        self.site = FarmSite(directory, servers.port)
        self.router = Router(self.site.api, self.site.stats)
        self.maglevd: Program | None = None
        self._lives = 0
        self._started_at = 0.0

    @property
    def log(self) -> str:
        """Of the present maglevd, or the last one."""
        assert self.maglevd
        return self.maglevd.output

    def start(self, path: Path | None = None) -> None:
        """Another maglevd, of the package at `path` if it is given, which serves when this returns."""
        self._lives += 1
        self.router.writes.clear()
        self._started_at = time.time()
        of = ["env", f"PYTHONPATH={path}"] if path else []
        command = [*of, sys.executable, "-m", "maglev.entry", *self.site.arguments]
        self.maglevd = Program(command, self.site.directory / f"maglevd{self._lives}.log")
        self.maglevd.until_says(" started ")

    def end(self, number: signal.Signals) -> None:
        """The present one is gone when this returns."""
        assert self.maglevd
        self.maglevd.signal(number)
        assert self.maglevd.wait() == (-number if number is signal.SIGKILL else 0), self.log
        assert "Traceback" not in self.log

    def until_all_known(self) -> None:
        """No backend is unknown."""
        until(lambda: (states := self.site.states()) and "unknown" not in states.values(), self._told, self.maglevd)

    def until_warm(self) -> None:
        """The warmup is over."""
        end_s = self.site.metric("maglev_warmup_end_timestamp_seconds")
        until(lambda: time.time() > end_s, lambda: "the end of the warmup", self.maglevd)

    def until_written(self, weights: dict[str, dict[str, int]] = WEIGHTS) -> None:
        """VPP has these weights."""
        until(lambda: self.weights() == weights, lambda: f"{weights}, seen {self.weights()}; {self._told()}")

    def weights(self) -> dict[str, dict[str, int]]:
        """What VPP has."""
        return {vip: share.weights for vip, share in self.router.table().items()}

    def picture(self) -> Picture:
        """As of now."""
        return Picture(self.router.table(), self.router.where())

    def all_is_as(self, before: Picture) -> None:
        """No flow has moved, no packet was lost, and VPP's table is the same."""
        self.router.until_all_flowed()
        no_flow_moved(self.router)
        assert self.picture() == before

    def nothing_was_written(self) -> None:
        """By the present maglevd, which does not claim to have."""
        synced = self.site.synced()
        assert (synced.operations, synced.refused_vips) == (0, 0), self.log
        assert self.router.writes == []
        page = self.samples()
        assert {value for name, value in page.items() if name.startswith("maglev_vpp_lbsync_total")} <= {0.0}
        assert not [name for name in page if name.startswith("maglev_vpp_last_write_timestamp_seconds")]
        assert page["maglev_vpp_drift_total"] == 0
        self.only_starts_are_told()

    def only_starts_are_told(self) -> None:
        """No change of anything but from unknown, neither in the metrics nor in the log, and no other pool."""
        page = self.samples()
        changes = {name: value for name, value in page.items() if "_transitions_total{" in name and value}
        assert changes
        assert [name for name in changes if 'from="unknown"' not in name] == []
        told = [
            line
            for line in self.log.splitlines()
            if re.search(r" (backend|frontend)-transition | frontend-pool ", line)
        ]
        assert [line for line in told if not re.search(r" from=(unknown|none) ", line)] == []
        assert [line for line in told if " frontend-transition " in line and " to=down" in line] == []

    def samples(self) -> dict[str, float]:
        """All that /metrics says, by name and labels."""
        families = parse_text(self.site.metrics())
        return {_named(each.name, each.labels): each.value for family in families for each in family.samples}

    def counters(self) -> pb.VPPLBCounters:
        """VPP's, as maglevd tells them."""
        return self.site.call("GetVPPLBCounters", pb.GetVPPLBCountersRequest(), pb.VPPLBCounters)

    def counters_went_on(self, before: pb.VPPLBCounters) -> None:
        """VPP's are told again, all of them, none is less than it was, and none is said to have begun later."""
        until(lambda: self.counters().taken_at_ns > before.taken_at_ns, lambda: "a sample", self.maglevd)
        until(lambda: all(vip.HasField("next") for vip in self.counters().vips), lambda: "figures", self.maglevd)
        now = self.counters()
        assert _keys(now) == _keys(before)
        for new, old in zip((*now.vips, *now.backends), (*before.vips, *before.backends), strict=True):
            for field, value in old.ListFields():
                found = getattr(new, field.name)
                if field.name.endswith("since_ns"):
                    assert 0 < found <= value
                elif isinstance(value, int):
                    assert found >= value

    def version(self) -> str:
        """By what the metrics, and clients, are told."""
        (told,) = [name for name in self.samples() if name.startswith("maglev_build_info{")]
        said = self.site.ask(lambda client: client.version().version)
        assert said
        assert f'"{said}"' in told
        return said

    def maglevd_says(self, text: str) -> None:
        """Sooner or later."""
        assert self.maglevd
        self.maglevd.until_says(text)

    def maglevd_takes_its_file(self) -> None:
        """It is asked to."""
        assert self.maglevd
        self.maglevd.signal(signal.SIGHUP)

    def _told(self) -> str:
        return f"all to be known; {self.site.states()}; log:\n{self.log}"


@contextmanager
def founded(directory: Path) -> Iterator[Town]:
    """With servers, and nothing else as yet."""
    with farm() as servers:
        made = Town(directory, servers)
        try:
            yield made
        finally:
            if made.maglevd:
                made.maglevd.stop()


@contextmanager
def town(directory: Path) -> Iterator[Town]:
    """With a maglevd that has written all, and flows."""
    with founded(directory) as made, made.router.running():
        made.start()
        made.until_written()
        with made.router.flowing():
            made.router.until_all_flowed()
            yield made


def _keys(counters: pb.VPPLBCounters) -> list[tuple[object, ...]]:
    return [(vip.prefix, vip.protocol, vip.port) for vip in counters.vips] + [(b.address,) for b in counters.backends]


def _named(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def no_flow_moved(router: Router) -> None:
    """Not one, and no packet was dropped, at any moment since they began to flow."""
    assert router.moved == []
    assert router.lost == []
    assert set(router.dropped().values()) == {0}
