"""maglevc: one command, a script on stdin, or a shell; the only module that knows all three."""

import gc
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from maglev.cli import options as flags
from maglev.cli.options import Options
from maglev.cli.output import Exit, Unwritable, complain, is_terminal, width, write
from maglev.cli.session import Look, Session
from maglev.cli.times import Times
from maglev.errors import ConfigError

if TYPE_CHECKING:
    from maglev.cli.client import Client

_LONGEST_LINE = 64 * 1024  # characters, of a script


def main(argv: Sequence[str] | None = None) -> int:
    """Run maglevc; `argv` is without the program's name. Ctrl-C just ends the process, as of any small tool."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # there is no garbage in a start, only a tenth of it spent on looking for some
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else gRPC too has its say on stderr about a failed handshake
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:] if argv is None else argv, os.environ, Times(time.time_ns, time.sleep))


def run(argv: Sequence[str], environ: Mapping[str, str], times: Times) -> int:
    """Run it and say how it went; raises SystemExit for --help, --version and wrong options only."""
    if argv and argv[0] == "--complete":  # what follows may be wrong, or an option that is only begun
        return _complete(argv[1:], environ)
    options = flags.parse(argv, environ)
    if options.completion:
        from maglev.cli.completers import script

        return _print(script(options.completion).splitlines())
    is_shell = not options.words and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    look = Look(width, _is_coloured(options, environ, is_shell=is_shell), _is_ascii())
    session = Session(lambda: _connect(options), look, _agree(options, is_shell=is_shell), times, options.server)
    try:
        if options.words:
            return session.run_words(options.words)
        gc.enable()
        return _shell(session, options) if is_shell else _script(session)
    finally:
        session.close()


def _complete(words: Sequence[str], environ: Mapping[str, str]) -> Exit:
    """What the scripts of `--completion` ask."""
    from maglev.cli.completers import complete
    from maglev.cli.names import LiveNames

    def names(given: Sequence[str]) -> LiveNames:
        return LiveNames(lambda: _connect(flags.parse(given, environ)), time.monotonic)

    return _print(complete(words, flags.parser(environ), names))


def _print(lines: Sequence[str]) -> Exit:
    try:
        write(lines)
    except Unwritable as error:
        return error.status
    return Exit.OK


def _script(session: Session) -> Exit:
    """The commands on stdin, until one fails."""
    if sys.stdin is None:
        complain("no command, and standard input is closed; `maglevc --help` lists what there is")
        return Exit.USAGE
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")
    number = 0
    while not session.is_over:
        try:
            text = sys.stdin.readline(_LONGEST_LINE)
        except OSError as error:
            complain(f"cannot read standard input: {error.strerror}")
            return Exit.USAGE
        if not text:
            break
        number += 1
        if len(text) == _LONGEST_LINE and not text.endswith("\n"):
            complain(f"line {number} is longer than {_LONGEST_LINE} characters; stopped there")
            return Exit.USAGE
        text = text.strip()
        if not text or text.startswith("#"):
            continue
        if status := session.run(text):
            complain(f"stopped at line {number}")
            return status
    return Exit.OK


def _shell(session: Session, options: Options) -> int:
    from maglev.cli import shell
    from maglev.cli.names import LiveNames

    return shell.run(session, LiveNames(lambda: session.client, time.monotonic), shell.prompt_of(options.server))


def _connect(options: Options) -> "Client":
    from maglev.cli.client import Client

    return Client(options.server, options.timeout_s, options.tls)


def _agree(options: Options, *, is_shell: bool) -> Callable[[str], bool]:
    def agree(breaks: str) -> bool:
        if options.yes:
            return True
        if not is_shell:
            raise ConfigError(breaks, hint="say --yes if that is meant")
        from maglev.cli import shell

        return shell.agrees(breaks)

    return agree


def _is_coloured(options: Options, environ: Mapping[str, str], *, is_shell: bool) -> bool:
    if options.is_coloured is not None:
        return options.is_coloured
    return is_shell and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


def _is_ascii() -> bool:
    """Whether trees have to do without the lines of Unicode."""
    return "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()


if __name__ == "__main__":
    sys.exit(main())
