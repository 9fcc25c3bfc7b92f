"""Plain clients of gRPC: each channel has a connection of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tests.rpc.authorities import Folder

_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


def call(channel: grpc.Channel, method: str, request: bytes = b"", says: str = "") -> bytes:
    """One RPC of the API. Raises grpc.RpcError."""
    rpc = channel.unary_unary(f"/maglev.Maglev/{method}", request_serializer=bytes, response_deserializer=bytes)
    return rpc(request, timeout=10, metadata=(("maglev-user", says),) if says else ())


def code(channel: grpc.Channel, method: str, request: bytes = b"") -> grpc.StatusCode:
    """How one RPC of the API ends."""
    try:
        call(channel, method, request)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def code_without_request(channel: grpc.Channel, method: str) -> grpc.StatusCode:
    """How a call ends whose request is never sent."""
    done = threading.Event()

    def nothing() -> Iterator[bytes]:
        done.wait()
        yield from ()

    rpc = channel.stream_stream(f"/maglev.Maglev/{method}", request_serializer=bytes, response_deserializer=bytes)
    try:
        with pytest.raises(grpc.RpcError) as failed:
            next(rpc(nothing(), timeout=60))
    finally:
        done.set()
    # The client's own deadline has the same status as ours, but no metadata.
    assert [each.key for each in failed.value.trailing_metadata()] == ["maglev-refused"]
    return failed.value.code()


def plain(address: str) -> grpc.Channel:
    """Without TLS."""
    return grpc.insecure_channel(address, options=_OWN_CONNECTION)


@contextmanager
def tls(address: str, folder: Folder, *, ca: str = "ca", client: str = "") -> Iterator[grpc.Channel]:
    """One that trusts `ca`, and shows the certificate of `client`."""
    own = (Path(folder.key(client)).read_bytes(), Path(folder.crt(client)).read_bytes()) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(Path(folder.crt(ca)).read_bytes(), *own)
    with grpc.secure_channel(address, credentials, options=_OWN_CONNECTION) as channel:
        yield channel
