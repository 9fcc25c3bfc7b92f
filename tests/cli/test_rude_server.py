"""What a server says of an error reaches the terminal as text, whatever is in it."""

import subprocess
from collections.abc import Iterator
from concurrent import futures
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest

from maglev.rpc._pb import maglev_pb2 as pb
from tests.cli.shells import COMMAND, ENTER, in_terminal, maglevc

ORDERS = "\x1b]0;OWNED\x07\x1b[2J"  # sets the title, and wipes the screen
SHOWN = r"boom \x1b]0;OWNED\x07\x1b[2J"


class Rude(grpc.GenericRpcHandler):
    """Answers who asks for frontends once."""

    def __init__(self) -> None:
        self._asked = count()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def run(_: bytes, context: grpc.ServicerContext) -> bytes:
            if details.method.endswith("ListFrontends") and next(self._asked) == 0:
                return pb.ListFrontendsResponse().SerializeToString()
            context.abort(grpc.StatusCode.INTERNAL, f"boom {ORDERS}")
            raise AssertionError

        return grpc.unary_unary_rpc_method_handler(run)


@pytest.fixture
def rude() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Rude(),))
    with TemporaryDirectory() as short:
        address = f"unix:{short}/m.sock"
        server.add_insecure_port(address)
        server.start()
        yield address
        server.stop(None).wait()


def test_one_shot_shows_it_in_a_pipe_too(rude: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--server", rude, "show", "version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert SHOWN in done.stderr
    assert "\x1b" not in done.stderr


def test_a_terminal_shows_it(rude: str) -> None:
    with in_terminal((*COMMAND, "--server", rude, "show", "version"), {}, columns=200) as shell:
        assert shell.wait() == 1
        shell.until_says(SHOWN)
        assert b"\x1b" not in shell.terminal.raw


def test_the_shell_shows_it(rude: str, tmp_path: Path) -> None:
    with maglevc(rude, tmp_path, columns=200) as shell:
        shell.type(f"show backends{ENTER}")
        shell.until_says(SHOWN)
        assert ORDERS.encode() not in shell.terminal.raw


def test_a_watch_shows_it(rude: str) -> None:
    with in_terminal((*COMMAND, "--server", rude, "watch", "frontends"), {}, columns=200) as shell:
        shell.terminal.until(lambda: SHOWN in shell.terminal.lines[1], "it below the head line")
        shell.type("q")
        assert shell.wait() == 0
        assert b"OWNED\x07" not in shell.terminal.raw
