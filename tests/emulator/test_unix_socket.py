import socket
from pathlib import Path

import pytest

from maglev.emulator.unix_socket import listening
from maglev.errors import Unavailable

KINDS = [socket.SOCK_STREAM, socket.SOCK_SEQPACKET]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_socket_that_a_dead_process_left_behind_is_taken_over(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = tmp_path / "vpp.sock"
    with socket.socket(socket.AF_UNIX, kind) as dead:
        dead.bind(str(path))

    async with listening(str(path), kind, "API"):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.connect(str(path))
    assert not path.exists()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_live_one_is_left_alone(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = tmp_path / "vpp.sock"
    with socket.socket(socket.AF_UNIX, kind) as alive:
        alive.bind(str(path))
        alive.listen()
        with pytest.raises(Unavailable, match="cannot listen on the API socket"):
            async with listening(str(path), kind, "API"):
                pass
        assert path.exists()


async def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    with pytest.raises(Unavailable):
        async with listening(str(path), socket.SOCK_STREAM, "API"):
            pass
    assert path.read_text() == "mine"


async def test_a_socket_that_took_its_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "vpp.sock"
    with socket.socket(socket.AF_UNIX) as successor:
        async with listening(str(path), socket.SOCK_STREAM, "API"):
            path.unlink()
            successor.bind(str(path))
        assert path.exists()
