"""HAProxy put before the whole zoo: the same questions in its words, and its verdicts from its own table."""

import csv
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT

import trio

from maglev.core.model import HttpSpec, Tls
from tests.probes.zoo.animal import TIMEOUT_S, Animal, Outcome, Question

DEADLINE_S = 60.0  # for all of it; it takes about six
_LOOK_S = 0.5  # how soon to look again when HAProxy's word got lost

# `inter` spreads the first checks, and comes again long after all are done.
_GLOBAL = f"""
global
    stats socket {{folder}}/stats mode 600 level admin
    log {{folder}}/log len 1024 local0 info
    nbthread 1
    maxconn 50
    ca-base {{folder}}
defaults
    mode tcp
    log global
    option log-health-checks
    timeout connect {TIMEOUT_S:g}s
    timeout check {TIMEOUT_S:g}s
    timeout server {TIMEOUT_S:g}s
    timeout client {TIMEOUT_S:g}s
    timeout queue {TIMEOUT_S:g}s
    default-server inter 2s rise 1 fall 1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What HAProxy found: `code` in our words, `detail` in its own."""

    outcome: Outcome
    detail: str


def section(name: str, question: Question, port: int, authority: Path) -> str:
    """A backend of one server that HAProxy is to ask the same."""
    lines = [f"backend {name}"]
    words = ["server one", f"127.0.0.1:{port}", "check"]
    if isinstance(question, HttpSpec):
        codes = ",".join(f"{low}-{high}" for low, high in question.codes)
        lines.append("option httpchk")
        lines.append(f"http-check send meth GET uri {question.path} ver HTTP/1.1 hdr Host 127.0.0.1:{port}")
        lines.append(f"http-check expect status {codes}")
        if question.body_regexp is not None:
            lines.append(f"http-check expect rstring {question.body_regexp}")
    if question.tls is not None:
        words += ["check-ssl", *_tls(question.tls, authority)]
    return "\n    ".join([*lines, " ".join(words)]) + "\n"


def _tls(tls: Tls, authority: Path) -> list[str]:
    sni = ["check-sni", tls.server_name] if tls.server_name else []
    if not tls.verify:
        return ["verify", "none", *sni]
    name = ["verifyhost", tls.server_name] if tls.server_name else []
    return ["verify", "required", "ca-file", str(authority), *sni, *name]


async def judge(command: str, animals: tuple[Animal, ...], certificates: Path) -> dict[str, Seen]:
    """Open every den, have HAProxy check them all at once, and return what it says of each."""
    authority = certificates / "ca.crt"
    # Not pytest's folder: the path of a Unix socket is short.
    with tempfile.TemporaryDirectory(prefix="zoo") as name, trio.fail_after(DEADLINE_S):
        folder = Path(name)
        async with AsyncExitStack() as stack:
            text = _GLOBAL.format(folder=folder)
            for animal in animals:
                port = await stack.enter_async_context(animal.den(certificates))
                text += section(animal.name, animal.question, port, authority)
            (folder / "haproxy.cfg").write_text(text)
            log = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            log.bind(str(folder / "log"))
            log.setblocking(False)
            await stack.enter_async_context(_running(command, folder))
            return await _verdicts(folder, log, {animal.name for animal in animals})


@asynccontextmanager
async def _running(command: str, folder: Path) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        arguments = [command, "-db", "-f", str(folder / "haproxy.cfg")]
        process = await trio.lowlevel.open_process(arguments, stdout=PIPE, stderr=STDOUT)
        nursery.start_soon(_say_why_it_ended, process)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def _say_why_it_ended(process: trio.Process) -> None:
    """HAProxy is not to end by itself; when it does, what it said is the failure."""
    assert process.stdout is not None
    said = b"".join([chunk async for chunk in process.stdout])
    raise RuntimeError(f"haproxy ended with {await process.wait()}: {said.decode(errors='replace')}")


async def _verdicts(folder: Path, log: socket.socket, names: set[str]) -> dict[str, Seen]:
    """Every verdict, once there is one on each; HAProxy's log tells when to look."""
    while True:
        seen = await _table(folder / "stats")
        if seen.keys() >= names:
            return seen
        with trio.move_on_after(_LOOK_S):
            await trio.lowlevel.wait_readable(log)
            while _drained(log):
                pass


def _drained(log: socket.socket) -> bool:
    try:
        return bool(log.recv(2048))
    except BlockingIOError:
        return False


async def _table(path: Path) -> dict[str, Seen]:
    try:
        stream = await trio.open_unix_socket(str(path))
    except OSError:
        return {}  # it has not come that far
    async with stream:
        await stream.send_all(b"show stat\n")
        text = b"".join([chunk async for chunk in stream]).decode().removeprefix("# ")
    rows = csv.DictReader(text.splitlines())
    return {row["pxname"]: _seen(row) for row in rows if row["svname"] == "one" and _is_final(row)}


def _is_final(row: Mapping[str, str]) -> bool:
    return row["check_status"].removeprefix("* ") not in ("", "UNK", "INI")


def _seen(row: Mapping[str, str]) -> Seen:
    code = row["check_status"].removeprefix("* ").replace("L7OKC", "L7OK")
    return Seen((row["status"].startswith("UP"), code), f"{row['check_desc']}: {row['last_chk']}")
