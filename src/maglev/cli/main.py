"""maglevc: words in, text out, and an exit status; the only module of the CLI that touches the process.

gRPC is imported only when a server is to be called: wrong words need none of it, nor do those who wait for the answer.
"""

import argparse
import contextlib
import enum
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

import maglev
from maglev.cli import grammar
from maglev.errors import ConfigError, MaglevError, Refused

if TYPE_CHECKING:
    from maglev.cli.client import Client

SERVER = "localhost:9090"
_CALL_TIMEOUT_S = 10.0


class Exit(enum.IntEnum):
    """What the exit status says."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SERVER = 3
    NO_OUTPUT = 74  # EX_IOERR
    BROKEN_PIPE = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` without the program's name. Ctrl-C just ends the process, as of any small tool."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else gRPC too has its say on stderr about a failed handshake
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:] if argv is None else argv, os.environ, time.time_ns)


def run(argv: Sequence[str], environ: Mapping[str, str], now_ns: Callable[[], int]) -> int:
    """Run one command and say how it went; raises SystemExit for --help, --version and wrong options only."""
    parser = _parser(environ)
    try:
        options = parser.parse_intermixed_args(argv)
        if not options.words:
            parser.print_help(sys.stderr)
            return Exit.USAGE
        command = grammar.parse(options.words)
        if isinstance(command, grammar.Help):
            return _write(parser.format_help().splitlines())
        lines = _answer(command, options.server, options.color == "true", now_ns)
    except MaglevError as error:
        _complain(str(error))
        return _status_of(error)
    return _write(lines)


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    width = max(len(rule.synopsis) for rule in grammar.RULES)
    commands = "\n".join(f"  {rule.synopsis.ljust(width)}  {rule.help}" for rule in grammar.RULES)
    parser = argparse.ArgumentParser(
        prog="maglevc",
        usage="maglevc [OPTION]... WORD...",
        description="Ask a running maglevd. Words may be cut to unique prefixes: `maglevc sh fr`.",
        epilog=f"commands:\n{commands}\n\nAn interactive shell, for no words at all, is still to come.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    server = environ.get("MAGLEV_SERVER") or SERVER
    parser.add_argument("--server", default=server, metavar="ADDRESS", help=f"of maglevd; MAGLEV_SERVER, or {SERVER}")
    parser.add_argument("--color", choices=("true", "false"), default="false", help="colour states (default: false)")
    parser.add_argument("--version", action="version", version=f"maglevc {maglev.__version__}")
    parser.add_argument("words", nargs="*", metavar="WORD", help=argparse.SUPPRESS)
    return parser


def _answer(command: grammar.Question, server: str, is_coloured: bool, now_ns: Callable[[], int]) -> list[str]:
    """The lines that `command` prints. Raises what the client raises."""
    if isinstance(command, grammar.ShowVersion):
        return [f"maglevc {maglev.__version__}"]

    from maglev.cli import render
    from maglev.cli.client import Client

    paint = render.coloured if is_coloured else render.plain
    with Client(server, _CALL_TIMEOUT_S) as client:
        match command:
            case grammar.ShowFrontends(name):
                if name is None:
                    lines = render.frontends(client.frontends(), paint)
                else:
                    states = {each.name: each.state for each in client.backends()}
                    lines = render.frontend(client.frontend(name), states, paint)
                return [*lines, *_vpp_missed(client)]
            case grammar.ShowBackends(name):
                if name is None:
                    return render.backends(client.backends(), now_ns(), paint)
                return render.backend(client.backend(name), now_ns(), paint)
            case grammar.ShowVppInfo():
                return render.vpp_info(client.vpp_info(), now_ns())
            case grammar.ShowLbState():
                return render.lb_state(client.lb_state(), now_ns())
            case grammar.ShowLbCounters():
                return render.lb_counters(client.lb_counters(), now_ns())
            case _:
                assert_never(command)


def _vpp_missed(client: "Client") -> list[str]:
    """What is to be said below the state of a frontend, which follows from health alone."""
    try:
        client.vpp_info()
    except Refused as error:
        return ["", f"not being written to VPP: {error}"]
    return []


def _status_of(error: MaglevError) -> Exit:
    if isinstance(error, ConfigError):
        return Exit.USAGE
    return Exit.REFUSED if isinstance(error, Refused) else Exit.NO_SERVER


def _write(lines: Sequence[str]) -> Exit:
    if sys.stdout is None:  # started with it closed
        _complain("cannot write the answer: standard output is closed")
        return Exit.NO_OUTPUT
    try:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except OSError as error:
        _forget_output()
        if isinstance(error, BrokenPipeError):
            return Exit.BROKEN_PIPE  # whoever read us has seen enough
        _complain(f"cannot write the answer: {error.strerror}")
        return Exit.NO_OUTPUT
    return Exit.OK


def _forget_output() -> None:
    """What could not be written stays buffered, and Python would try again, and complain, as it ends."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _complain(sentence: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"maglevc: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
