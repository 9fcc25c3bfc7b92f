"""A client such as anybody may write: of proto/maglev.proto and grpcio alone. Must not import maglev."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

PROTO = Path(__file__).parents[2] / "proto" / "maglev.proto"
PATIENCE_S = 30.0  # for what is answered at once unless something is broken
LARGE = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)

Told = dict[str, Any]
"""A message by the names of its fields."""


class Api:
    """What the .proto says."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            compiled = Path(scratch) / "set"
            protoc = [sys.executable, "-m", "grpc_tools.protoc"]
            subprocess.run([*protoc, f"-I{PROTO.parent}", f"--descriptor_set_out={compiled}", PROTO.name], check=True)
            files = FileDescriptorSet.FromString(compiled.read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for each in files.file:
            self.pool.Add(each)
        self.service = self.pool.FindServiceByName("maglev.Maglev")
        self.methods: dict[str, MethodDescriptor] = dict(self.service.methods_by_name)

    def numbers(self, message: str) -> dict[str, int]:
        """Of each field."""
        fields = self.pool.FindMessageTypeByName(f"maglev.{message}").fields
        return {field.name: field.number for field in fields}


class Client:
    """Calls RPCs by name, with the request's fields as keywords."""

    def __init__(self, api: Api, channel: grpc.Channel) -> None:
        self._api, self.channel = api, channel

    def __call__(self, rpc: str, timeout: float = PATIENCE_S, **fields: Any) -> Message:
        """The answer of a unary RPC. Raises grpc.RpcError."""
        call, request = self._unary(rpc, fields)
        return call(request, timeout=timeout)

    def begun(self, rpc: str, **fields: Any) -> Any:
        """The answer to come of one, a grpc.Future."""
        call, request = self._unary(rpc, fields)
        return call.future(request, timeout=PATIENCE_S)

    def told(self, rpc: str, **fields: Any) -> Told:
        """The same, by names."""
        return told(self(rpc, **fields))

    def watch(self, timeout: float = PATIENCE_S, **fields: Any) -> Any:
        """The stream of events; to be cancelled by whoever has had enough."""
        path, serializer, deserializer, request = self._parts("WatchEvents", fields)
        call = self.channel.unary_stream(path, request_serializer=serializer, response_deserializer=deserializer)
        return call(request, timeout=timeout)

    def refused(self, rpc: str, code: grpc.StatusCode, **fields: Any) -> str:
        """The sentence with which an RPC is refused, by us and with this status."""
        with pytest.raises(grpc.RpcError) as failed:
            for _ in self.watch(**fields) if rpc == "WatchEvents" else [self(rpc, **fields)]:
                pass
        error = failed.value
        said = str(error.details())
        assert error.code() is code, said
        assert "maglev-refused" in [each.key for each in error.trailing_metadata()]
        assert said
        assert said.isprintable()
        return said

    def _unary(self, rpc: str, fields: Told) -> tuple["grpc.UnaryUnaryMultiCallable[Message, Message]", Message]:
        path, serializer, deserializer, request = self._parts(rpc, fields)
        call: grpc.UnaryUnaryMultiCallable[Message, Message] = self.channel.unary_unary(
            path, request_serializer=serializer, response_deserializer=deserializer
        )
        return call, request

    def _parts(self, rpc: str, fields: Told) -> tuple[str, Any, Any, Message]:
        method = self._api.methods[rpc]
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        return f"/maglev.Maglev/{rpc}", request.SerializeToString, response.FromString, request(**fields)


@contextmanager
def calling(api: Api, address: str) -> Iterator[Client]:
    with grpc.insecure_channel(address, options=LARGE) as channel:
        yield Client(api, channel)


def told(message: Message) -> Told:
    """What is absent and can be is left out; what cannot be is there, be it empty."""
    return {
        field.name: _plain(getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _plain(value: Any) -> Any:
    match value:
        case Message():
            return told(value)
        case bool() | int() | float() | str():
            return value
        case _ if hasattr(value, "items"):
            return dict(value.items())
        case _:
            return [_plain(each) for each in value]
