"""maglevd's flags and their environment variables; a flag beats its variable."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maglev.logs import FORMS, LEVELS
from maglev.rpc.access import Access
from maglev.version import build

GRPC_ADDR = "unix:/run/maglev/maglevd.sock,127.0.0.1:9090"
EXIT_OK, EXIT_SYNTAX, EXIT_SEMANTIC, EXIT_FAILED, EXIT_FAULT = 0, 1, 2, 3, os.EX_SOFTWARE


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the environment ask for; an empty address means off."""

    config: Path
    grpc_addr: str
    access: Access
    metrics_addr: str
    vpp_api_addr: str
    vpp_stats_addr: str
    log_level: str
    log_format: str
    reflection: bool
    check: bool
    dry_run: bool


def command_line(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser of all flags, whose defaults are what `environ` says."""
    parser = argparse.ArgumentParser(
        prog="maglevd",
        description="Checks backends, keeps VPP's load-balancer table in line with them, and serves its counters.",
        epilog="Exit status: 0 stopped as asked, --check found the file valid or --dry-run printed its plan; 1 the "
        "YAML cannot be read or parsed; 2 the configuration or the command line is wrong, or a right is lacking; 3 it "
        "could not start; 70 a fault of its own.",
        allow_abbrev=False,
    )

    def add(synopsis: str, default: str, what: str) -> None:
        flag, value = synopsis.split()
        variable = _variable(flag)
        parser.add_argument(
            flag,
            metavar=value,
            default=environ.get(variable, default),
            help=f"{what} [{variable}] (default: {default or 'off'})",
        )

    def add_switch(flag: str, what: str) -> None:
        variable = _variable(flag)
        is_on = environ.get(variable, "").lower() in ("1", "true", "yes")
        parser.add_argument(flag, action="store_true", default=is_on, help=f"{what} [{variable}=true]")

    add("--config FILE", "/etc/vpp-maglev/maglev.yaml", "configuration file")
    add("--grpc-addr LIST", GRPC_ADDR, "gRPC listeners, HOST:PORT or unix:PATH, separated by commas; empty = off")
    add(
        "--grpc-tls-cert FILE",
        "",
        "PEM file of the certificate that gRPC shows on TCP; others than this machine may look",
    )
    add("--grpc-tls-key FILE", "", "PEM file of its key")
    add("--grpc-client-ca FILE", "", "PEM file of the CA of the certificates that clients on TCP have to show")
    add(
        "--grpc-operators LIST", "", "names of client certificates that may change things, separated by commas; * = any"
    )
    add("--grpc-viewers LIST", "*", "names of client certificates that may look, separated by commas; * = any")
    add("--metrics-addr ADDRESS", ":9091", "Prometheus listener; empty = off")
    add("--vpp-api-addr PATH", "/run/vpp/api.sock", "VPP's API socket; empty = no VPP")
    add("--vpp-stats-addr PATH", "/run/vpp/stats.sock", "VPP's stats socket")
    add("--log-level LEVEL", "info", f"one of {', '.join(LEVELS)}; audit records are shown at any")
    add("--reflection BOOLEAN", "true", "whether gRPC clients may ask for the API's description, true or false")
    add_switch("--grpc-insecure", "let anybody who reaches gRPC on TCP change everything")
    add("--log-format FORMAT", "auto", f"one of {', '.join(FORMS)}; auto is text on a terminal and JSON elsewhere")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be written to VPP and what it would do to traffic",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print version, commit and its date, and exit")
    return parser


def read_options(argv: Sequence[str] | None, environ: Mapping[str, str] = os.environ) -> Options:
    """Parse `argv`; bad words end the process with status 2 and a usage line, as argparse does it."""
    parser = command_line(environ)
    words = parser.parse_args(argv)
    if words.log_level not in LEVELS:
        parser.error(f"--log-level {words.log_level!r}: must be one of {', '.join(LEVELS)}")
    if words.reflection not in ("true", "false"):
        parser.error(f"--reflection {words.reflection!r}: must be true or false")
    if words.log_format not in FORMS:
        parser.error(f"--log-format {words.log_format!r}: must be one of {', '.join(FORMS)}")
    return Options(
        Path(words.config),
        words.grpc_addr,
        Access(
            words.grpc_tls_cert,
            words.grpc_tls_key,
            words.grpc_client_ca,
            _names(words.grpc_operators),
            _names(words.grpc_viewers),
            words.grpc_insecure,
        ),
        words.metrics_addr,
        words.vpp_api_addr,
        words.vpp_stats_addr,
        words.log_level,
        words.log_format,
        words.reflection == "true",
        words.check,
        words.dry_run,
    )


class _Version(argparse.Action):
    """argparse's own wants to be told at each start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        parser.exit(message=f"maglevd {build()}\n")


def _variable(flag: str) -> str:
    return "MAGLEV_" + flag.strip("-").upper().replace("-", "_")


def _names(text: str) -> frozenset[str]:
    return frozenset(name for each in text.split(",") if (name := each.strip()))
