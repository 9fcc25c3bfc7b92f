"""The manual page of maglevc, from the tables that it runs by: `python -m maglev.cli.manual > docs/maglevc.1`."""

import argparse
import sys
from collections.abc import Iterator

import maglev
from maglev.cli.options import parser
from maglev.cli.output import Exit
from maglev.cli.words import LANGUAGE, RULES

_ABOUT = (
    "maglevc asks a running maglevd about its frontends, backends and health checks and about the load balancer of VPP,"
    " and gives it orders. It speaks gRPC and nothing else, so it runs wherever maglevd can be reached.",
    "With words on the command line it runs that one command. Without any it is a shell; if standard input or output is"
    " no terminal, it runs the commands it reads from standard input, one a line, and stops at the first that fails."
    " Empty lines and lines that begin with # are skipped.",
    "Each keyword may be cut to a prefix that no other keyword at its place begins with, as in `maglevc sh fr`; an"
    " exact match wins. Words in capitals are the user's, what stands in brackets may be left out, and options of one"
    " command may come in any order. A word with blanks stands in quotes.",
)
_PIPES = (
    ("| json", "one JSON document: the answer of the RPC, as proto/maglev.proto has it; behind every show command"),
    ("| match REGEX", "only rows in which REGEX (as of Python's re) is found; behind every show command, and behind"
     " watch frontends and watch vpp lb counters"),
)  # fmt: skip
_KEYS = (
    ("Tab", "completes the word, with names as maglevd has them; a second time it lists what there is"),
    ("?", "says what can follow, without entering the line; within quotes it is a character"),
    ("Ctrl-C", "clears the line, or ends the command that runs"),
    ("Ctrl-D", "on an empty line leaves, as quit and exit do"),
    ("Up, Down, Ctrl-R", "walk through the history and search it; it is kept from run to run"),
)
_STATUSES = {
    Exit.OK: "success",
    Exit.REFUSED: "maglevd refused, the configuration file has faults, or the user did not agree",
    Exit.USAGE: "wrong words or options, or flows would be cut and --yes was not said; nothing was changed",
    Exit.NO_SERVER: "no maglevd answers, or not in time: an order may have been carried out all the same",
    Exit.FAULT: "a fault of maglevc itself, which it tells",
    Exit.NO_OUTPUT: "the answer could not be written",
    Exit.BROKEN_PIPE: "whoever read the answer went away",
}
_VARIABLES = (
    ("MAGLEV_SERVER", "as --server"),
    ("MAGLEV_TLS_CA, MAGLEV_TLS_CERT, MAGLEV_TLS_KEY, MAGLEV_TLS_SERVER_NAME", "as the options; not for Unix sockets"),
    ("NO_COLOR", "no colour in the shell, if it is not empty; --color beats it"),
    ("XDG_STATE_HOME", "where maglev/history is kept, instead of ~/.local/state"),
)
_EXAMPLES = (
    ("maglevc show frontends", "all frontends, one a line"),
    ("maglevc show backends '| match down'", "the pipe is quoted, or else it is the shell's"),
    ("maglevc show vpp lb counters rate '| json'", "packets and bytes per second, for a program"),
    ("maglevc set backend web1 pause", "no new flows for web1; it keeps those it has"),
    ("maglevc --yes set backend web1 disable", "and cut those, in a script that cannot be asked"),
    ("maglevc --server unix:/run/maglev/maglevd.sock < commands", "a script, until a command fails"),
)


def page() -> Iterator[str]:
    """Lines of roff, for man(7)."""
    yield f'.TH MAGLEVC 1 "" "maglev {maglev.__version__}" "maglev"'
    yield from (".SH NAME", r"maglevc \- command line of maglevd, the control plane for VPP's Maglev load balancer")
    yield from (".SH SYNOPSIS", r".B maglevc", r"[\fIOPTION\fR]... [\fIWORD\fR]...", ".SH DESCRIPTION")
    for number, paragraph in enumerate(_ABOUT):
        yield from (*([".PP"] if number else []), _text(paragraph))
    yield ".SH OPTIONS"
    yield from _options(parser({}))
    yield ".SH COMMANDS"
    for rule in RULES:
        yield from _entry(rule.synopsis, rule.help)
        for word, what in rule.helps.items():
            yield from (".br", f"{_bold(word)}: {_text(what)}")
    yield ".SS Words of the user's"
    for name, argument in LANGUAGE.arguments.items():
        choices = f": {', '.join(argument.choices)}" if argument.choices else ""
        yield from _entry(name, argument.help + choices)
    yield ".SS Pipes"
    for synopsis, what in _PIPES:
        yield from _entry(synopsis, what)
    yield ".SH SHELL"
    for key, what in _KEYS:
        yield from _entry(key, what)
    yield ".SH EXIT STATUS"
    for status in Exit:
        yield from _entry(str(int(status)), _STATUSES[status])
    yield ".SH ENVIRONMENT"
    for name, what in _VARIABLES:
        yield from _entry(name, what)
    yield ".SH EXAMPLES"
    for command, what in _EXAMPLES:
        yield from _entry(command, what)


def _options(options: argparse.ArgumentParser) -> Iterator[str]:
    for action in options._actions:  # noqa: SLF001  argparse has no other way to ask
        if action.help == argparse.SUPPRESS:
            continue
        value = action.metavar or ("|".join(action.choices) if action.choices else "")
        names = ", ".join(action.option_strings)
        yield from _entry(f"{names} {value}".rstrip(), str(action.help))


def _entry(what: str, text: str) -> tuple[str, ...]:
    return (".TP", _bold(what), _text(text))


def _bold(text: str) -> str:
    return rf"\fB{_text(text)}\fR"


def _text(text: str) -> str:
    """Hyphens are those that can be typed, and no line begins with a command of roff's."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in page())
