"""The demo's command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Whose VPP to use, where its packets come from, and how to tell the story."""

    api_socket: str
    stats_socket: str
    packet_generator: bool
    is_live: bool
    traffic_pps: int

    @property
    def has_own_vpp(self) -> bool:
        """Whether the demo runs its embedded VPP."""
        return not self.api_socket


def read_options(argv: Sequence[str] | None) -> Options:
    """Parse `argv`; wrong words end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="maglev.demo",
        description="Runs maglevd against an embedded VPP and six HTTP backends, and makes things fail.",
        epilog="Exit status: 0 when everything happened that should, 1 when something did not, 130 after Ctrl-C.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--vpp-api-socket", default="", metavar="PATH", help="use a running VPP, which must have no VIPs"
    )
    parser.add_argument("--vpp-stats-socket", default="", metavar="PATH", help="the same VPP's stats socket")
    parser.add_argument(
        "--packet-generator", action="store_true", help="make flows with the running VPP's own packet generator"
    )
    parser.add_argument("--plain", action="store_true", help="tell the story as lines, and end, even on a terminal")
    parser.add_argument("--traffic", type=int, default=2000, metavar="PPS", help="packets a second (default: 2000)")
    words = parser.parse_args(argv)
    if bool(words.vpp_api_socket) != bool(words.vpp_stats_socket):
        parser.error("--vpp-api-socket and --vpp-stats-socket go together")
    if words.packet_generator and not words.vpp_api_socket:
        parser.error("--packet-generator needs --vpp-api-socket: the embedded VPP makes its own flows")
    if not 1 <= words.traffic <= 100_000:
        parser.error("--traffic must be 1 to 100000 packets a second")
    return Options(
        words.vpp_api_socket,
        words.vpp_stats_socket,
        words.packet_generator,
        sys.stdout.isatty() and os.environ.get("TERM") not in (None, "dumb") and not words.plain,
        words.traffic,
    )
