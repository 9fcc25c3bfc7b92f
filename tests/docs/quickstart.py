"""docs/quickstart.md as a program: its ```sh blocks are pasted into one bash, its ```text blocks are what came out.

`python -m tests.docs.quickstart` runs it exactly as it stands, and writes there what came out. A test runs it at a
place of its own, other addresses of loopback and other ports, equally long: so it meets neither another test nor
somebody who is just trying the quickstart out. A network namespace would do that too, but not everybody may make one.
"""

import re
import socket
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from os import getpid, kill
from pathlib import Path
from signal import SIGKILL

from tests.cli.terminal import Terminal, terminal
from tests.cli.transcript import masked as masked_pages
from tests.processes import until

DOCUMENT = Path(__file__).parents[2] / "docs/quickstart.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_STEP = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_NETWORK, _WEB_PORT, _METRICS_PORT = "127.0.0.", "8080", "9191"
_HOSTS = (1, 11, 12, 13)
_PATIENCE_S = 120.0
_LOOK_S = 60  # a machine that tests may be slower than ten seconds; a wait ends as soon as there is something
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"\bpid \d+"), "pid PID"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """What is pasted, and what is to be seen then: nothing, if nothing stands there."""

    block: str
    said: str


@dataclass(frozen=True, slots=True)
class Place:
    """Loopback addresses and ports; `number` 0 is where the document is."""

    number: int

    @property
    def _names(self) -> tuple[tuple[str, str], ...]:
        if not self.number:
            return ()
        tens, ones = divmod(self.number, 10)
        return (
            (_NETWORK, f"127.{tens}.{ones}."),
            (_WEB_PORT, f"80{self.number:02}"),
            (_METRICS_PORT, f"91{self.number:02}"),
        )

    def move_here(self, text: str) -> str:
        """The document's text as it is to be here."""
        for there, here in self._names:
            text = text.replace(there, here)
        return text

    def move_back(self, text: str) -> str:
        """What was said here, as if it had been said there."""
        for there, here in self._names:
            text = re.sub(rf"(?<![\d.]){re.escape(here)}(?!\d\d\d\d)", there, text)
        return text

    def is_free(self) -> bool:
        """That one can listen everywhere here."""
        network = self._names[0][1]
        with suppress(OSError), ExitStack() as stack:
            for _, port in self._names[1:]:
                for host in _HOSTS:
                    stack.enter_context(socket.create_server((f"{network}{host}", int(port))))
            return True
        return False


@contextmanager
def place_of_ones_own() -> Iterator[Place]:
    """Held by a socket at an address that the document does not use: other processes take another place."""
    for turn in range(99):
        place = Place(1 + (getpid() + turn) % 99)
        with suppress(OSError), ExitStack() as stack:
            stack.enter_context(socket.create_server((place.move_here(f"{_NETWORK}254"), int(_METRICS_PORT))))
            if place.is_free():
                yield place
                return
    raise AssertionError("no place on loopback is free")


def steps(document: str) -> list[Step]:
    """In the order of the document."""
    return [Step(block, said) for block, said in _STEP.findall(document)]


def not_run(document: str) -> list[str]:
    """Its other blocks."""
    ours = {fence for step in steps(document) for fence in (("sh", step.block), ("text", step.said))}
    return [text for kind, text in _FENCE.findall(document) if (kind, text) not in ours]


def with_said(document: str, said: Sequence[str]) -> str:
    """The document with this below its steps."""
    texts = iter(said)

    def step(match: re.Match[str]) -> str:
        text = next(texts)
        below = f"\n```text\n{text}```\n" if text else ""
        return f"```sh\n{match[1]}```\n{below}"

    return _STEP.sub(step, document)


def masked(said: str) -> list[str]:
    """The same of every run."""
    for pattern, mask in _MASKS:
        said = pattern.sub(mask, said)
    return masked_pages(said.splitlines())


class Bash:
    """An interactive one in a terminal of 80 columns that neither echoes nor prompts: all one sees is what was said."""

    def __init__(self, home: Path, *, inside: ExitStack) -> None:
        self._terminal: Terminal = inside.enter_context(terminal())
        environ = (
            f"HOME={home}",
            f"look_s={_LOOK_S}",
            "PATH=/usr/bin:/bin",
            "LANG=C.UTF-8",
            "TERM=xterm",
            "PS1=",
            "PS2=",
            "HISTFILE=",
        )
        program = ("bash", "--norc", "--noprofile", "--noediting", "-i")
        self._terminal.run(["env", "-i", "-C", str(home), *environ, *program])
        self._pasted = 0
        self.paste("stty -echo\n")

    def paste(self, block: str) -> str:
        """What it says, once it has come to the end of the block."""
        self._pasted += 1
        begin, mark = len(self._terminal.raw), f"[end of block {self._pasted}]"
        self._terminal.type(f"{block}echo '{mark}'\n")
        end = f"{mark}\r\n".encode()
        self._terminal.until(lambda: self._terminal.raw[begin:].endswith(end), f"the end of\n{block}", _PATIENCE_S)
        return self._terminal.raw[begin : -len(end)].decode().replace("\r\n", "\n")

    def running(self) -> list[int]:
        """What it has started and still runs, in the background too."""
        popen = self._terminal.popen
        assert popen
        return [pid for pid, session in _sessions() if session == popen.pid != pid]


@contextmanager
def bash(home: Path) -> Iterator[Bash]:
    """With nothing left when it ends."""
    with ExitStack() as inside:
        shell = Bash(home, inside=inside)
        try:
            yield shell
        finally:
            for pid in shell.running():
                with suppress(ProcessLookupError):
                    kill(pid, SIGKILL)


def _sessions() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                session = (entry / "stat").read_text().rpartition(")")[2].split()[3]
                yield int(entry.name), int(session)


def play(found: Sequence[Step], home: Path, place: Place) -> Generator[str]:
    """What each of them says, in a home where `make dev` has been. In the end nothing may run or be left there."""
    (home / "maglev").mkdir()
    (home / "maglev/.venv").symlink_to(sys.prefix)
    with bash(home) as shell:
        for step in found:
            yield place.move_back(shell.paste(place.move_here(step.block)))
        until(lambda: not shell.running(), lambda: f"the end of {shell.running()}")
    assert [entry.name for entry in islice(home.iterdir(), 9)] == ["maglev"]


def main() -> None:
    """Write it."""
    document = DOCUMENT.read_text()
    with tempfile.TemporaryDirectory() as home:
        DOCUMENT.write_text(with_said(document, list(play(steps(document), Path(home), Place(0)))))


if __name__ == "__main__":
    main()
