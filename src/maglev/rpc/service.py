"""The RPCs: questions are plain functions of Status and a request, changes are commands; knows no sockets.

One shell calls them for gRPC. What cannot answer raises, and each kind of error has its status.
"""

import difflib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from maglev.core.health import Order
from maglev.core.status import FrontendStatus, Status
from maglev.errors import ConfigError, MaglevError, NotFound, Refused, Unavailable
from maglev.rpc import mapping
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.ports import Commands, Faults

SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"].full_name
REFUSED = (("maglev-refused", "1"),)
"""Trailing metadata of every refusal of ours: a client's library makes up UNAVAILABLE of its own, without it."""

_ECHOED = 64  # characters of an unknown name that we repeat, and compare with what there is
_LISTED = 5  # names that an error offers
_NO_VPP = "is VPP running, and does maglevd's --vpp-api-addr name its socket? maglevd's log says what is wrong"

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Entry = TypeVar("Entry")


def list_frontends(status: Status, _: pb.ListFrontendsRequest) -> pb.ListFrontendsResponse:
    """All frontends, in the order of the config."""
    frontends = status.health.frontends.values()
    return pb.ListFrontendsResponse(
        frontends=[mapping.frontend_info(each, _refused(status, each)) for each in frontends]
    )


def get_frontend(status: Status, request: pb.GetFrontendRequest) -> pb.FrontendInfo:
    """One frontend. Raises NotFound."""
    found = _named("frontend", request.name, status.health.frontends)
    return mapping.frontend_info(found, _refused(status, found))


def _refused(status: Status, found: FrontendStatus) -> str | None:
    return status.lb.refused.get(found.frontend.vip) if status.lb else None


def list_backends(status: Status, _: pb.ListBackendsRequest) -> pb.ListBackendsResponse:
    """All backends, in the order of the config."""
    return pb.ListBackendsResponse(backends=map(mapping.backend_info, status.health.backends.values()))


def get_backend(status: Status, request: pb.GetBackendRequest) -> pb.BackendInfo:
    """One backend. Raises NotFound."""
    return mapping.backend_info(_named("backend", request.name, status.health.backends))


def get_vpp_info(status: Status, _: pb.GetVPPInfoRequest) -> pb.VPPInfo:
    """The connected VPP. Raises Unavailable."""
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    return mapping.vpp_info(status.vpp)


def get_vpp_lb_state(status: Status, _: pb.GetVPPLBStateRequest) -> pb.VPPLBState:
    """VPP's load-balancer table. Raises Unavailable."""
    if status.lb is not None:
        return mapping.lb_state(status.lb)
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable("VPP's load-balancer table has not been read yet", hint="try again in a moment")


def get_vpp_lb_counters(status: Status, _: pb.GetVPPLBCountersRequest) -> pb.VPPLBCounters:
    """The newest sample. Raises Unavailable."""
    if status.sample is not None:
        return mapping.lb_counters(status.sample, status.health.backends)
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable(
        "VPP's counters have not been read yet", hint="try again in a moment; if it lasts, maglevd's log says why"
    )


def _named(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    """The entry called `name`. Raises NotFound, which offers what there is."""
    if name in entries:
        return entries[name]
    shown = name if len(name) <= _ECHOED else f"{name[:_ECHOED]}..."
    raise NotFound(f"there is no {kind} called {shown!r}", hint=_offer(kind, name[:_ECHOED], list(entries)))


def _offer(kind: str, name: str, names: list[str]) -> str:
    if not names:
        return f"no {kind}s are configured"
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"the nearest is {near[0]!r}"
    listed = ", ".join(repr(each) for each in names[:_LISTED])
    more = len(names) - _LISTED
    return f"there are {listed} and {more} more" if more > 0 else f"there is {listed}"


class Changes:
    """The RPCs that change something."""

    def __init__(self, status: Callable[[], Status], commands: Commands) -> None:
        self._status = status
        self._commands = commands

    def order(self, order: Order) -> Callable[[pb.BackendRequest], Awaitable[pb.BackendInfo]]:
        """Gives a backend this order. Raises NotFound, Refused."""

        async def give(request: pb.BackendRequest) -> pb.BackendInfo:
            _named("backend", request.name, self._status().health.backends)
            return mapping.backend_info(await self._commands.order(request.name, order))

        return give

    async def set_weight(self, request: pb.SetWeightRequest) -> pb.FrontendInfo:
        """Sets a weight. Raises NotFound, ConfigError."""
        frontend = _named("frontend", request.frontend, self._status().health.frontends).frontend
        pool = _named(f"pool of {frontend.name}", request.pool, {pool.name: pool for pool in frontend.pools})
        _named(f"backend in pool {pool.name} of {frontend.name}", request.backend, pool.weights)
        found = await self._commands.set_weight(
            request.frontend, request.pool, request.backend, request.weight, flush=request.flush
        )
        return mapping.frontend_info(found, _refused(self._status(), found))

    async def check_config(self, _: pb.CheckConfigRequest) -> pb.CheckConfigResponse:
        """Says what is wrong with the configuration file."""
        return pb.CheckConfigResponse(**_told(await self._commands.check_config()))

    async def reload_config(self, _: pb.ReloadConfigRequest) -> pb.ReloadConfigResponse:
        """Takes the configuration file over, if nothing is wrong with it."""
        return pb.ReloadConfigResponse(**_told(await self._commands.reload_config()))


def _told(faults: Faults | None) -> dict[str, Any]:
    if faults is None:
        return {"ok": True}
    return {"ok": False, "parse_error" if faults.is_syntax else "semantic_error": faults.text}


def _code(error: MaglevError) -> grpc.StatusCode:
    match error:
        case NotFound():
            return grpc.StatusCode.NOT_FOUND
        case Refused():
            return grpc.StatusCode.FAILED_PRECONDITION
        case ConfigError():
            return grpc.StatusCode.INVALID_ARGUMENT
        case _:
            return grpc.StatusCode.UNAVAILABLE


def handlers(status: Callable[[], Status], commands: Commands) -> grpc.GenericRpcHandler:
    """Every RPC of the API: questions are answered from the Status of the moment."""

    def change(
        answer: Callable[[Request], Awaitable[Response]], request: type[Request]
    ) -> "grpc.RpcMethodHandler[Request, Response]":
        async def shell(message: Request, context: "grpc.aio.ServicerContext[Request, Response]") -> Response:
            try:
                return await answer(message)
            except MaglevError as error:
                await context.abort(_code(error), str(error), REFUSED)

        return grpc.unary_unary_rpc_method_handler(
            shell, request_deserializer=request.FromString, response_serializer=_serialized
        )

    def rpc(
        answer: Callable[[Status, Request], Response], request: type[Request]
    ) -> "grpc.RpcMethodHandler[Request, Response]":
        async def now(message: Request) -> Response:
            return answer(status(), message)

        return change(now, request)

    changes = Changes(status, commands)
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ListFrontends": rpc(list_frontends, pb.ListFrontendsRequest),
        "GetFrontend": rpc(get_frontend, pb.GetFrontendRequest),
        "ListBackends": rpc(list_backends, pb.ListBackendsRequest),
        "GetBackend": rpc(get_backend, pb.GetBackendRequest),
        "PauseBackend": change(changes.order(Order.PAUSE), pb.BackendRequest),
        "ResumeBackend": change(changes.order(Order.RESUME), pb.BackendRequest),
        "EnableBackend": change(changes.order(Order.ENABLE), pb.BackendRequest),
        "DisableBackend": change(changes.order(Order.DISABLE), pb.BackendRequest),
        "SetFrontendPoolBackendWeight": change(changes.set_weight, pb.SetWeightRequest),
        "CheckConfig": change(changes.check_config, pb.CheckConfigRequest),
        "ReloadConfig": change(changes.reload_config, pb.ReloadConfigRequest),
        "GetVPPInfo": rpc(get_vpp_info, pb.GetVPPInfoRequest),
        "GetVPPLBState": rpc(get_vpp_lb_state, pb.GetVPPLBStateRequest),
        "GetVPPLBCounters": rpc(get_vpp_lb_counters, pb.GetVPPLBCountersRequest),
    }
    return grpc.method_handlers_generic_handler(SERVICE, table)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
