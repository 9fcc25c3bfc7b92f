"""Whether we may make the probes that a configuration asks for; what else this machine lacks may come at any time.

Asked before a start. A maglevd that lacks a right would know no backend for ever, and at the end of the warmup what is
unknown has no weight: all traffic would be gone from a table that was right.
"""

from collections.abc import Iterable
from errno import EPERM

from maglev.core.model import Backend, IcmpSpec
from maglev.errors import ConfigError
from maglev.probes import echoes
from maglev.probes.netns import opened_inside
from maglev.probes.verdict import Fault, Target


def require(netns: str | None, backends: Iterable[Backend]) -> None:
    """Raise ConfigError, with what to do, if the kernel refuses us that namespace or the sockets of ICMP."""
    if netns is not None:
        try:
            opened_inside(netns, lambda: None)
        except Fault as fault:
            if not isinstance(fault.__cause__, OSError) or fault.__cause__.errno != EPERM:
                return  # it is not there, but may come
            raise ConfigError(str(fault), hint="under systemd: netns.conf, a drop-in for maglevd.service") from fault
    asked = {
        each.address.version: each.address for each in backends if each.check and isinstance(each.check.spec, IcmpSpec)
    }
    for address in asked.values():
        if not echoes.may_open(Target(address, None, netns)):
            raise ConfigError(
                echoes.NO_RIGHT, hint="under systemd: AmbientCapabilities=CAP_NET_RAW, as maglevd.service has it"
            )
