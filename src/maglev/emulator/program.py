"""The embedded VPP as a program of its own, for others to test against: its flags, its signals, its exit status."""

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Callable, Sequence

import trio

from maglev import signals
from maglev.emulator import faults
from maglev.emulator.fib import ROUTES_MAX
from maglev.emulator.service import Emulator, EmulatorConfig, serve
from maglev.emulator.traffic import RATE_MAX
from maglev.emulator.vpp import VERSION, WORKERS_MAX
from maglev.errors import MaglevError, leaves


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGINT or SIGTERM, 1 without sockets or when VPP would have died, 2 for bad usage."""
    config = _parse(arguments)
    # Next to nothing here is cyclic garbage, and looking for it among the entries of a large table takes half the time.
    gc.set_threshold(50_000, 50, 1000)
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO)
    status = 0
    try:
        trio.run(_run, config)
    except* MaglevError as group:
        for error in leaves(group):
            sys.stderr.write(f"maglev.emulator: {error}\n")
        status = 1
    return status


async def _run(config: EmulatorConfig) -> None:
    scope = trio.CancelScope()
    with signals.stopped_by(scope.cancel, signal.SIGINT, signal.SIGTERM), scope:
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(serve, config, name="embedded VPP")
            sys.stdout.write(
                f"embedded VPP {VERSION.version} pid {emulator.vpp.identity.pid}:"
                f" API at {config.api_socket}, stats at {config.stats_socket}\n"
            )
            sys.stdout.flush()


def _parse(arguments: Sequence[str] | None) -> EmulatorConfig:
    parser = argparse.ArgumentParser(
        prog="python -m maglev.emulator",
        description="An embedded VPP: its API socket, its stats segment, its lb plugin, and flows if you like.",
        epilog=_about_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--api-socket", required=True, metavar="PATH", help="where to serve the binary API")
    parser.add_argument("--stats-socket", required=True, metavar="PATH", help="where to hand out the stats segment")
    parser.add_argument("--workers", type=_up_to(WORKERS_MAX), default=1, metavar="N", help="worker threads (1)")
    parser.add_argument("--routes", type=_up_to(ROUTES_MAX), default=0, metavar="N", help="other routes in the FIB (0)")
    parser.add_argument("--traffic", type=_up_to(RATE_MAX), default=0, metavar="PPS", help="packets per second (0)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, another traffic (1)")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND[=VALUE][:MESSAGE][:AT]",
        help="what shall go wrong, and when; may be given again (see below)",
    )
    given = parser.parse_args(arguments)
    return EmulatorConfig(
        given.api_socket,
        given.stats_socket,
        given.workers,
        given.routes,
        given.traffic,
        given.seed,
        faults=tuple(given.fault),
    )


def _about_faults() -> str:
    """What stands at the head of the module that knows them, without the lines that are for its readers."""
    return (faults.__doc__ or "").partition("\n\n")[2]


def _fault(text: str) -> faults.Fault:
    try:
        return faults.parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not in 0..{most}")
        return value

    return number
