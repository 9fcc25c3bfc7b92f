"""Calls maglevd over gRPC, each call under one deadline; must not know what is done with the answers."""

import getpass
import re
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message

from maglev.errors import ConfigError, MaglevError, Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"].full_name
_ADDRESS = re.compile(r"(\[[^\[\]\s]+\]|[^:\[\]\s/]+):[0-9]{1,5}|unix:\S+")
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a proxy meant for the web has no business before a router's control plane
    (
        "grpc.max_receive_message_length",
        256 * 1024 * 1024,
    ),  # a table of thousands of VIPs is longer than the usual 4 MB
)
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

Response = TypeVar("Response", bound=Message)


class Client:
    """A connection to maglevd, to be used in a `with`.

    Every call raises Refused when maglevd says no, and Unavailable when there is no maglevd to say anything.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        if address.startswith(":"):
            address = f"localhost{address}"  # as maglevd's own flag is written
        if not _ADDRESS.fullmatch(address):
            raise ConfigError(
                f"{address!r} is no address of a server", hint="write HOST:PORT, [IPV6]:PORT or unix:/PATH"
            )
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = _metadata()
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._channel.close()

    def frontends(self) -> list[pb.FrontendInfo]:
        """All frontends."""
        return list(self._call("ListFrontends", pb.ListFrontendsRequest(), pb.ListFrontendsResponse).frontends)

    def frontend(self, name: str) -> pb.FrontendInfo:
        """One frontend."""
        return self._call("GetFrontend", pb.GetFrontendRequest(name=name), pb.FrontendInfo)

    def backends(self) -> list[pb.BackendInfo]:
        """All backends."""
        return list(self._call("ListBackends", pb.ListBackendsRequest(), pb.ListBackendsResponse).backends)

    def backend(self, name: str) -> pb.BackendInfo:
        """One backend."""
        return self._call("GetBackend", pb.GetBackendRequest(name=name), pb.BackendInfo)

    def vpp_info(self) -> pb.VPPInfo:
        """The VPP behind maglevd."""
        return self._call("GetVPPInfo", pb.GetVPPInfoRequest(), pb.VPPInfo)

    def lb_state(self) -> pb.VPPLBState:
        """VPP's load-balancer table."""
        return self._call("GetVPPLBState", pb.GetVPPLBStateRequest(), pb.VPPLBState)

    def lb_counters(self) -> pb.VPPLBCounters:
        """VPP's counters."""
        return self._call("GetVPPLBCounters", pb.GetVPPLBCountersRequest(), pb.VPPLBCounters)

    def _call(self, method: str, request: Message, response: type[Response]) -> Response:
        rpc = self._channel.unary_unary(
            f"/{_SERVICE}/{method}", request_serializer=_serialized, response_deserializer=response.FromString
        )
        try:
            return rpc(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._failure(method, error) from error

    def _failure(self, method: str, error: grpc.RpcError) -> MaglevError:
        details = error.details() or ""
        if any(each.key == "maglev-refused" for each in error.trailing_metadata() or ()):
            return Refused(details)
        if error.code() in _GONE:
            return Unavailable(
                f"no maglevd answers at {self._address}: {details.rpartition(': ')[2]}",  # the rest is gRPC's own talk
                hint="is it running? --server or MAGLEV_SERVER says where",
            )
        return Refused(
            f"{self._address} answered {method} with {error.code().name}: {details}",
            hint="is that a maglevd, of a version that fits?",
        )


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _metadata() -> tuple[tuple[str, str], ...]:
    """Our login name, for maglevd's audit record; gRPC takes printable ASCII only."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        return ()
    plain = "".join(each for each in name if each.isascii() and each.isprintable()).strip()
    return (("maglev-user", plain[:64]),) if plain else ()
