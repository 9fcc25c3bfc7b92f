"""What maglevc's command line and environment say -> Options; the commands it knows from their table alone."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maglev.cli.grammar import SHOWN
from maglev.cli.line import joined
from maglev.cli.tls import Tls
from maglev.cli.words import RULES

SERVER = "localhost:9090"
SHELLS = ("bash", "zsh")

_LONGEST_S = 3600.0
_SYNOPSIS = 28  # columns that fit beside what a command does
_TLS = {
    "ca": "FILE with the CA that maglevd's certificate has to be of; implies --tls",
    "cert": "FILE with our certificate, for a maglevd that asks for one; implies --tls",
    "key": "FILE with the key of --tls-cert",
    "server-name": "name in maglevd's certificate, if not the host of --server; implies --tls",
}


@dataclass(frozen=True, slots=True)
class Options:
    """`timeout_s` and `is_coloured` None: as it suits; `completion`: a shell whose script is wanted."""

    words: tuple[str, ...] = ()
    server: str = SERVER
    tls: Tls | None = None
    timeout_s: float | None = None
    is_coloured: bool | None = None
    yes: bool = False
    completion: str | None = None


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """`argv` is without the program's name. Raises SystemExit for --help, --version and wrong options."""
    given = parser(environ).parse_intermixed_args(argv)
    return Options(
        joined(given.words),
        given.server,
        _tls(given, environ),
        given.timeout,
        None if given.color is None else given.color == "true",
        given.yes,
        given.completion,
    )


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Of all options."""
    found = argparse.ArgumentParser(
        prog="maglevc",
        usage="maglevc [OPTION]... [WORD]...",
        description="Ask a running maglevd, or give it orders. Words may be cut to unique prefixes:\n"
        "`maglevc sh fr`. Without words: a shell; if stdin is no terminal, the commands\n"
        "that it holds, one a line.",
        epilog=reference(),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    server = environ.get("MAGLEV_SERVER") or SERVER
    found.add_argument(
        "--server",
        default=server,
        metavar="ADDRESS",
        help=f"HOST:PORT or unix:PATH of maglevd; MAGLEV_SERVER, or {SERVER}",
    )
    found.add_argument("--tls", action="store_true", help="speak TLS, and trust the CAs of this system")
    for name, text in _TLS.items():
        what = text.removeprefix("FILE ")
        metavar = "FILE" if what != text else "NAME"
        found.add_argument(f"--tls-{name}", metavar=metavar, help=f"{what}; {_variable(name)}")
    found.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="for one answer (default: 10, for sync and config 65)",
    )
    found.add_argument("--yes", action="store_true", help="go on where flows will be cut, without asking")
    found.add_argument(
        "--color", choices=("true", "false"), help="colour states (default: only in the shell, and not with NO_COLOR)"
    )
    found.add_argument(
        "--completion", choices=SHELLS, help="print a script that completes maglevc's words in that shell"
    )
    found.add_argument("--version", action=_Version, nargs=0, help="print the version of maglevc")
    found.add_argument("words", nargs="*", metavar="WORD", help=argparse.SUPPRESS)
    return found


def reference() -> str:
    """All commands with what they do, within 80 columns."""
    width = max(len(rule.synopsis) for rule in RULES if len(rule.synopsis) <= _SYNOPSIS)
    lines = ["commands:"]
    for rule in RULES:
        if len(rule.synopsis) > width:
            lines += [f"  {rule.synopsis}", f"  {'':{width}}  {rule.help}"]
        else:
            lines.append(f"  {rule.synopsis:{width}}  {rule.help}")
    return "\n".join((*lines, "", "behind show: `| json` or `| match REGEX`; behind a table watched: the latter"))


def _tls(given: argparse.Namespace, environ: Mapping[str, str]) -> Tls | None:
    """Flags beat the environment, which is not for Unix sockets: they have no TLS."""
    flags = {name: getattr(given, f"tls_{name.replace('-', '_')}") for name in _TLS}
    of_flags = given.tls or any(flags.values())
    if given.server.startswith("unix:") and not of_flags:
        return None
    ca, cert, key, name = (flags[each] or environ.get(_variable(each)) or None for each in _TLS)
    return Tls(ca, cert, key, name) if of_flags or ca or cert or key or name else None


def _variable(name: str) -> str:
    return f"MAGLEV_TLS_{name.upper().replace('-', '_')}"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is no number of seconds above 0, and up to {_LONGEST_S:g}")
    return seconds


class _Version(argparse.Action):
    """argparse's own wants to be told the version at each start, and to look it up takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from maglev.version import build

        parser.exit(message=f"maglevc {build()}\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """One width for everybody: the texts beside it are laid out by hand."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80, max_help_position=28)
