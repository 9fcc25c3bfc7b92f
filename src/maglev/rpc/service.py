"""The table of the RPCs and the shell that calls them for gRPC; knows no sockets.

What cannot answer raises, and each kind of error has its status.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from maglev.core.health import Order
from maglev.core.status import Status
from maglev.errors import ConfigError, MaglevError, NotFound, Overloaded, Refused
from maglev.rpc import happenings, questions
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.changes import Changes
from maglev.rpc.hub import Hub
from maglev.rpc.ports import Commands

SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"].full_name
REFUSED = (("maglev-refused", "1"),)
"""Trailing metadata of every refusal of ours: a client's library makes up UNAVAILABLE of its own, without it."""

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


def _code(error: MaglevError) -> grpc.StatusCode:
    match error:
        case NotFound():
            return grpc.StatusCode.NOT_FOUND
        case Overloaded():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case Refused():
            return grpc.StatusCode.FAILED_PRECONDITION
        case ConfigError():
            return grpc.StatusCode.INVALID_ARGUMENT
        case _:
            return grpc.StatusCode.UNAVAILABLE


def handlers(status: Callable[[], Status], commands: Commands, hub: Hub) -> grpc.GenericRpcHandler:
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

    async def watch(message: pb.WatchRequest, context: "grpc.aio.ServicerContext[pb.WatchRequest, bytes]") -> None:
        try:
            async with aclosing(hub.watch(happenings.wants(message))) as events:
                async for event in events:
                    await context.write(event)
        except MaglevError as error:
            await context.abort(_code(error), str(error), REFUSED)

    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ListFrontends": rpc(questions.list_frontends, pb.ListFrontendsRequest),
        "GetFrontend": rpc(questions.get_frontend, pb.GetFrontendRequest),
        "ListBackends": rpc(questions.list_backends, pb.ListBackendsRequest),
        "GetBackend": rpc(questions.get_backend, pb.GetBackendRequest),
        "PauseBackend": change(changes.order(Order.PAUSE), pb.BackendRequest),
        "ResumeBackend": change(changes.order(Order.RESUME), pb.BackendRequest),
        "EnableBackend": change(changes.order(Order.ENABLE), pb.BackendRequest),
        "DisableBackend": change(changes.order(Order.DISABLE), pb.BackendRequest),
        "SetFrontendPoolBackendWeight": change(changes.set_weight, pb.SetWeightRequest),
        "ListHealthChecks": rpc(questions.list_health_checks, pb.ListHealthChecksRequest),
        "GetHealthCheck": rpc(questions.get_health_check, pb.GetHealthCheckRequest),
        "WatchEvents": grpc.unary_stream_rpc_method_handler(watch, request_deserializer=pb.WatchRequest.FromString),
        "SyncVPPLBState": change(changes.sync, pb.SyncVPPLBStateRequest),
        "CheckConfig": change(changes.check_config, pb.CheckConfigRequest),
        "ReloadConfig": change(changes.reload_config, pb.ReloadConfigRequest),
        "GetVPPInfo": rpc(questions.get_vpp_info, pb.GetVPPInfoRequest),
        "GetVPPLBState": rpc(questions.get_vpp_lb_state, pb.GetVPPLBStateRequest),
        "GetVPPLBCounters": rpc(questions.get_vpp_lb_counters, pb.GetVPPLBCountersRequest),
    }
    return grpc.method_handlers_generic_handler(SERVICE, table)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
