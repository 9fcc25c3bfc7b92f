"""The table of the RPCs and the shell that calls them for gRPC; knows no sockets.

What cannot answer raises, and each kind of error has its status.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from maglev.core.health import Order
from maglev.core.status import Status
from maglev.errors import MaglevError
from maglev.rpc import happenings, questions
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.access import canonical
from maglev.rpc.changes import Changes
from maglev.rpc.hub import Hub
from maglev.rpc.pace import TURN_S
from maglev.rpc.ports import Caller, Commands
from maglev.rpc.requests import REFUSED

SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"].full_name

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message | bytes)


def _code(error: MaglevError) -> grpc.StatusCode:
    return grpc.StatusCode[canonical(error)]


def handlers(
    status: Callable[[], Status],
    commands: Commands,
    hub: Hub,
    who: "Callable[[grpc.aio.ServicerContext[Any, Any]], Caller]",
) -> grpc.GenericRpcHandler:
    """Every RPC of the API: questions are answered from the Status of the moment; `who` tells the caller."""

    def change(
        answer: Callable[[Request, Caller], Awaitable[Response]], request: type[Request]
    ) -> "grpc.RpcMethodHandler[Request, Response]":
        async def shell(message: Request, context: "grpc.aio.ServicerContext[Request, Response]") -> Response:
            try:
                return await answer(message, who(context))
            except MaglevError as error:
                await context.abort(_code(error), str(error), REFUSED)

        return grpc.unary_unary_rpc_method_handler(
            shell, request_deserializer=request.FromString, response_serializer=_serialized
        )

    def rpc(
        answer: Callable[[Status, Request], Response], request: type[Request]
    ) -> "grpc.RpcMethodHandler[Request, Response]":
        async def now(message: Request, _: Caller) -> Response:
            return answer(status(), message)

        return change(now, request)

    def long(
        answer: Callable[[Status, Request], Iterable[Message]], request: type[Request]
    ) -> "grpc.RpcMethodHandler[Request, bytes]":
        async def whole(message: Request, _: Caller) -> bytes:
            return await _joined(answer(status(), message))

        return change(whole, request)

    planning = asyncio.Lock()

    async def plan(message: pb.GetVPPLBPlanRequest, _: Caller) -> bytes:
        """One at a time: that of a large table holds some 20 MB, and nobody needs two of the same."""
        async with planning:
            return await _joined(questions.get_vpp_lb_plan(status(), message))

    changes = Changes(status, commands)

    async def watch(message: pb.WatchRequest, context: "grpc.aio.ServicerContext[pb.WatchRequest, bytes]") -> None:
        try:
            async with aclosing(hub.watch(happenings.wants(message), _door(context.peer()))) as events:
                async for event in events:
                    await context.write(event)
        except MaglevError as error:
            await context.abort(_code(error), str(error), REFUSED)

    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ListFrontends": long(questions.list_frontends, pb.ListFrontendsRequest),
        "GetFrontend": rpc(questions.get_frontend, pb.GetFrontendRequest),
        "ListBackends": long(questions.list_backends, pb.ListBackendsRequest),
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
        "GetVPPLBState": long(questions.get_vpp_lb_state, pb.GetVPPLBStateRequest),
        "GetVPPLBPlan": change(plan, pb.GetVPPLBPlanRequest),
        "GetVersion": rpc(questions.get_version, pb.GetVersionRequest),
        "GetVPPLBCounters": long(questions.get_vpp_lb_counters, pb.GetVPPLBCountersRequest),
    }
    return grpc.method_handlers_generic_handler(SERVICE, table)


def _door(peer: str) -> str:
    """Unix socket or TCP: neither can take all places of watchers from the other."""
    return "unix" if peer.startswith("unix") else "tcp"


async def _joined(parts: Iterable[Message]) -> bytes:
    """In turns of a millisecond with rests as long: a large table takes a second of the GIL."""
    whole, began_s = [], time.perf_counter()
    for part in parts:
        whole.append(part.SerializeToString())
        if time.perf_counter() - began_s >= TURN_S:
            await asyncio.sleep(TURN_S)
            began_s = time.perf_counter()
    return b"".join(whole)


def _serialized(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()
