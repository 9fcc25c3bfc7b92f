"""maglevc(1): its options and commands are those of the tables that it runs by."""

from collections.abc import Iterator

from maglev.cli.options import parser
from maglev.cli.output import Exit
from maglev.cli.words import LANGUAGE, RULES
from maglev.manuals import roff

_ABOUT = """\
maglevc asks a running maglevd about its frontends, backends and health checks and about the load balancer of
VPP, and gives it orders. It speaks gRPC and nothing else, so it runs wherever maglevd can be reached.

With words on the command line it runs that one command. Without any it is a shell; if standard input or
output is no terminal, it runs the commands it reads from standard input, one a line, and stops at the first
that fails. Empty lines and lines that begin with # are skipped.

Each keyword may be cut to a prefix that no other keyword at its place begins with, as in `maglevc sh fr`; an
exact match wins. Words in capitals are the user's, what stands in brackets may be left out, and options of
one command may come in any order. A word with blanks stands in quotes.
"""
_PIPES = (
    ("| json", "one JSON document: the answer of the RPC, as proto/maglev.proto has it; behind every show command"),
    (
        "| match REGEX",
        "only rows in which REGEX (as of Python's re) is found; behind every show command, and behind watch "
        "frontends and watch vpp lb counters",
    ),
)
_KEYS = (
    ("Tab", "completes the word, with names as maglevd has them; a second time it lists what there is"),
    ("?", "says what can follow, without entering the line; within quotes it is a character"),
    ("Ctrl-C", "clears the line, or ends the command that runs"),
    ("Ctrl-D", "on an empty line leaves, as quit and exit do"),
    ("Up, Down, Ctrl-R", "walk through the history and search it; it is kept from run to run"),
)
STATUSES = {
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
_FILES = (
    ("/run/maglev/maglevd.sock", "where maglevd listens for its group: --server unix:/run/maglev/maglevd.sock"),
    ("~/.local/state/maglev/history", "what was typed into the shell"),
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
    yield from roff.head("maglevc", 1, "command line of maglevd, the control plane for VPP's Maglev load balancer")
    yield from roff.heading("Synopsis")
    yield from roff.synopsis("maglevc [OPTION]... [WORD]...")
    yield from roff.heading("Description")
    yield from roff.paragraphs(_ABOUT)
    yield from roff.heading("Options")
    yield from roff.options(parser({}))
    yield from roff.heading("Commands")
    for rule in RULES:
        yield from roff.entries([(rule.synopsis, rule.help)])
        for word, what in rule.helps.items():
            yield from (".br", f"{roff.bold(word)}: {roff.text(what)}")
    yield from roff.subheading("Words of the user's")
    for name, argument in LANGUAGE.arguments.items():
        choices = f": {', '.join(argument.choices)}" if argument.choices else ""
        yield from roff.entries([(name, argument.help + choices)])
    yield from roff.subheading("Pipes")
    yield from roff.entries(_PIPES)
    yield from roff.heading("Shell")
    yield from roff.entries(_KEYS)
    yield from roff.heading("Exit status")
    yield from roff.entries((str(int(status)), STATUSES[status]) for status in Exit)
    yield from roff.heading("Environment")
    yield from roff.entries(_VARIABLES)
    yield from roff.heading("Files")
    yield from roff.entries(_FILES)
    yield from roff.heading("Examples")
    yield from roff.entries(_EXAMPLES)
    yield from roff.see_also(("maglevd", 8))
