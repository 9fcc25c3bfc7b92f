"""The gate through which every call over gRPC goes, health and reflection included; who may is for `access` to say."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from maglev.core.orders import ACTIONS
from maglev.errors import Forbidden
from maglev.rpc import service
from maglev.rpc.access import Access, require
from maglev.rpc.ports import Caller

Call = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


def caller(access: Access, context: "grpc.aio.ServicerContext[Any, Any]") -> Caller:
    """Who calls, by his socket, his certificate and his word."""
    proved = {key: [str(each, "utf-8", "replace") for each in values] for key, values in context.auth_context().items()}
    names = None
    if "x509_pem_cert" in proved:
        names = [*proved.get("x509_common_name", []), *proved.get("x509_subject_alternative_name", [])]
    said = [value for key, value in context.invocation_metadata() or () if key == "maglev-user"]
    return access.caller(context.peer(), names, str(said[0]) if said else "")


class Gate(grpc.aio.ServerInterceptor):
    """Lets calls through to their handlers, or ends them with PERMISSION_DENIED.

    What gives an order goes on to the commands, which refuse by the same rule and leave the record of it.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def intercept_service(
        self, continuation: Call, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of the call, behind the gate."""
        handler = await continuation(handler_call_details)
        place, _, rpc = handler_call_details.method.rpartition("/")
        if handler is None or (place == f"/{service.SERVICE}" and rpc in ACTIONS):
            return handler
        return self._guarded(handler, rpc)

    def _guarded(self, handler: "grpc.RpcMethodHandler[Any, Any]", rpc: str) -> "grpc.RpcMethodHandler[Any, Any]":
        make, call = _shape(handler)

        async def admit(context: "grpc.aio.ServicerContext[Any, Any]") -> None:
            try:
                require(caller(self._access, context), rpc)
            except Forbidden as no:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(no), service.REFUSED)

        async def one(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            await admit(context)
            return await call(request, context)

        async def many(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
            await admit(context)
            answers = call(request, context)
            if isinstance(answers, AsyncGenerator):
                async with aclosing(answers):
                    async for answer in answers:
                        await context.write(answer)
            else:
                await answers

        guarded: grpc.RpcMethodHandler[Any, Any] = make(
            many if handler.response_streaming else one,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return guarded


def _shape(handler: "grpc.RpcMethodHandler[Any, Any]") -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What makes such a handler, and the function that it calls."""
    shapes = (
        (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
        (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
        (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
        (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
    )
    ((make, call),) = [(make, call) for make, call in shapes if call is not None]
    return make, call
