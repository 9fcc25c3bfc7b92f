"""maglevd(8): its options are those of the parser; the rest is what an operator has to know beside them."""

import argparse
from collections.abc import Iterator

from maglev.manuals import roff
from maglev.options import EXIT_FAILED, EXIT_FAULT, EXIT_OK, EXIT_SEMANTIC, EXIT_SYNTAX, GRPC_ADDR, command_line

SMALLEST = """\
maglev:
  vpp:
    lb:
      ipv4-src-address: 192.0.2.254
      ipv6-src-address: 2001:db8::fe
  healthchecks:
    web: {type: http, port: 80}
  backends:
    web1: {address: 198.51.100.11, healthcheck: web}
    web2: {address: 198.51.100.12, healthcheck: web}
  frontends:
    www:
      address: 192.0.2.1
      protocol: tcp
      port: 80
      pools:
        - name: primary
          backends:
            web1: {}
            web2: {}
"""

_ABOUT = """\
maglevd probes backends, keeps the table of VIPs, backends and weights of VPP's load balancer (its plugin lb)
equal to what the configuration and the health of the backends ask for, sums the counters that VPP's workers
keep in shared memory, and serves all of it to `maglevc`(1) by gRPC and to Prometheus by HTTP. It stays in the
foreground.

It needs a VPP whose plugin lb speaks API 1.2.0 (VPP 26.10), and ends with one that does not. Without any VPP
it probes and serves all the same, and looks for one every 5 seconds; so it may start before VPP, and stays
when VPP goes. The API socket and the stats socket are one unit: unless both are there, VPP is left as it is.

maglevd owns VPP's table: VIPs that are not in its configuration are removed, each with a WARNING. One maglevd
per VPP. `maglevd --dry-run` tells which.

After a start nothing in VPP is touched for `startup-min-delay` (5 seconds). Then each frontend is written as
soon as all its backends are known, and after `startup-max-delay` (30 seconds) everything is. Meanwhile, and
when maglevd has stopped, VPP goes on forwarding by the table that it has.
"""
_OPTIONS = """\
An option beats the environment variable in brackets behind it, which beats the default. Variables are for
/etc/default/maglevd; there, a switch is on with `true`, `1` or `yes`. Options cannot be cut short.

Beyond loopback gRPC wants a certificate or --grpc-insecure, or else maglevd does not start; whoever may use
the Unix socket or reaches gRPC on loopback may change everything.
"""
_SIGNALS = (
    (
        "SIGHUP",
        "reads the configuration anew, all or nothing: a file with a fault changes nothing, and the log says what "
        "is wrong (`config-refused`). What did not change in it is not touched: no probe restarted, no flow moved.",
    ),
    (
        "SIGTERM, SIGINT",
        "end maglevd with status 0, after VPP's answer to what is being written, 5 seconds at most. VPP keeps its "
        "table. Further ones change nothing.",
    ),
)
STATUSES = {
    EXIT_OK: "stopped as asked; --check found the file valid; --dry-run printed its plan",
    EXIT_SYNTAX: "the configuration file is missing, cannot be read, or is no YAML",
    EXIT_SEMANTIC: "something in the file is wrong (every fault is told, with its line), or the command line is, "
    "or gRPC must not be opened as it says, or maglevd lacks what its backends take: file descriptors, or the "
    "right to make their probes",
    EXIT_FAILED: "it could not start or go on, as with an address that is in use, or a VPP that is too old: the last "
    "line of the log says why",
    EXIT_FAULT: "a fault of maglevd's own: report the traceback in the log",
}
_STATUSES_MORE = "1 and 2 are for a human to mend: no restart helps, and systemd tries none."
_ENVIRONMENT = (
    ("MAGLEV_...", "as the options: see there"),
    ("NO_COLOR", "no colour on a terminal, if it is not empty"),
    ("JOURNAL_STREAM, NOTIFY_SOCKET, WATCHDOG_USEC", "set by systemd"),
    ("GRPC_VERBOSITY", "ERROR, unless it is set; INFO tells of each failed handshake"),
)
_SYSTEMD = """\
maglevd.service runs maglevd as user and group maglevd. It is started only where /etc/vpp-maglev/maglev.yaml
is: the package brings none.

`systemctl reload maglevd` is SIGHUP, and `maglevd --check` behind it for systemctl to report: a file with a
fault changes nothing, and the reload fails and says it. maglevd tells systemd when it is ready, and what it
is about (`systemctl status maglevd`).

The watchdog is fed only while probes come to an end. If none does for 30 seconds (WatchdogSec) though
some ought to, maglevd is aborted, the log has where it stood, and it is started anew; so it is after any
failure, 5 seconds later, but not after status 1 or 2.

maglevd.service is ordered after vpp.service and does not require it: a restart of VPP is none of maglevd's,
which keeps what it knows of the backends and fills VPP's table again.
"""
_GRANTED = (
    ("CAP_NET_RAW", "ICMP probes; the unit gives it"),
    (
        "CAP_SYS_ADMIN",
        "probes from a network namespace (`healthchecker.netns`): copy the drop-in "
        "/usr/share/doc/vpp-maglevd/examples/netns.conf to /etc/systemd/system/maglevd.service.d/, then "
        "`systemctl daemon-reload` and `systemctl restart maglevd`",
    ),
    (
        "LimitNOFILE=16384",
        "one descriptor for each connection and each probe under way, at most 4096 of these; maglevd says so if "
        "that is not enough. `systemctl edit maglevd` changes it",
    ),
    (
        "group vpp",
        "VPP's sockets: maglevd is put into it if it is there when the package is installed. If VPP came later: "
        "`adduser maglevd vpp`, then restart maglevd",
    ),
    ("group maglevd", "whoever is in it may give orders on the Unix socket: `adduser NAME maglevd`"),
)
_CONFIGURATION = """\
One YAML file. A frontend is a VIP with its pools, in order of preference: the first pool with a backend that
is up and has a weight above 0 takes all the traffic. A backend is a server with a health check, a health
check says how to probe. Times have units, unknown keys are faults, all backends of a frontend are of one
address family. The smallest file that does something:
"""
_CONFIGURATION_MORE = """\
All other keys have defaults. config-guide.md explains every key and what a reload does when it changes,
healthchecks.md how answers add up; the examples are commented files for one site, two sites, IPv6 only, probes
from a network namespace, and a program that makes one of a table of thousands of VIPs.
"""
_LOGS = """\
The log is on standard error, one event a line: `time LEVEL name field=value ...` on a terminal, JSON
elsewhere. Under systemd it is in the journal, with priorities. At WARNING and above is what a human must look
at: a backend or frontend that goes down, another pool than the first taking over, a VPP that is gone or
refuses, a table that somebody else changed, probes that this machine cannot make. logs.md has every event,
and what to do about it.
"""
_EXAMPLES = (
    ("maglevd --check --config new.yaml", "is this file valid? Touches nothing, needs neither VPP nor root"),
    ("maglevd --dry-run", "what a start would write to VPP, each operation with its effect on traffic"),
    ("systemctl reload maglevd", "after a change of the file"),
    ("journalctl -u maglevd -p warning", "what needs a human"),
    ("maglevd --vpp-api-addr '' --grpc-addr 127.0.0.1:9090 --config test.yaml", "probe and serve, without any VPP"),
    ("curl -s localhost:9091/metrics", "its metrics"),
)


def _files(options: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    socket = next(each for each in GRPC_ADDR.split(",") if each.startswith("unix:")).removeprefix("unix:")
    yield options.get_default("config"), "the configuration; the package brings none"
    yield "/etc/default/maglevd", "variables of the service, such as MAGLEV_LOG_LEVEL=debug"
    yield socket, "gRPC, for the group of maglevd; gone when it has stopped"
    yield options.get_default("vpp_api_addr"), "VPP's API"
    yield options.get_default("vpp_stats_addr"), "where VPP hands out its counters"
    yield "/usr/share/doc/vpp-maglevd/", "the documents that are named here, and examples/"
    yield "/run/netns/NAME", "the network namespace of the probes, if the configuration names one"


def page() -> Iterator[str]:
    """Lines of roff, for man(7)."""
    parser = command_line({})
    yield from roff.head("maglevd", 8, "health checks and control plane for VPP's Maglev load balancer")
    yield from roff.heading("Synopsis")
    yield from roff.synopsis("maglevd [OPTION]...", "maglevd --check [--config FILE]", "maglevd --dry-run [OPTION]...")
    yield from roff.heading("Description")
    yield from roff.paragraphs(_ABOUT)
    yield from roff.heading("Options")
    yield from roff.paragraphs(_OPTIONS)
    yield from roff.options(parser)
    yield from roff.heading("Signals")
    yield from roff.entries(_SIGNALS)
    yield from roff.heading("Exit status")
    yield from roff.entries((str(status), what) for status, what in STATUSES.items())
    yield from roff.paragraphs(_STATUSES_MORE)
    yield from roff.heading("Environment")
    yield from roff.entries(_ENVIRONMENT)
    yield from roff.heading("Files")
    yield from roff.entries(_files(parser))
    yield from roff.heading("systemd")
    yield from roff.paragraphs(_SYSTEMD)
    yield from roff.entries(_GRANTED)
    yield from roff.heading("Configuration")
    yield from roff.paragraphs(_CONFIGURATION)
    yield from roff.verbatim(SMALLEST)
    yield from roff.paragraphs(_CONFIGURATION_MORE)
    yield from roff.heading("Logs")
    yield from roff.paragraphs(_LOGS)
    yield from roff.heading("Examples")
    yield from roff.entries(_EXAMPLES)
    yield from roff.see_also(("maglevc", 1), ("systemctl", 1), ("journalctl", 1), ("capabilities", 7), ("ip-netns", 8))
