"""The gate through which every call over gRPC goes, health and reflection included; who may is for `access` to say."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc

from maglev.core.orders import ACTIONS
from maglev.errors import Forbidden
from maglev.rpc import requests, service
from maglev.rpc.access import Access, require
from maglev.rpc.ports import Caller

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Call = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


def caller(access: Access, context: Context) -> Caller:
    """Who calls, by his socket, his certificate and his word."""
    proved = {key: [str(each, "utf-8", "replace") for each in values] for key, values in context.auth_context().items()}
    names = None
    if "x509_pem_cert" in proved:
        names = [*proved.get("x509_common_name", []), *proved.get("x509_subject_alternative_name", [])]
    said = [value for key, value in context.invocation_metadata() or () if key == "maglev-user"]
    return access.caller(context.peer(), names, str(said[0]) if said else "")


class Gate(grpc.aio.ServerInterceptor):
    """Lets calls through to their handlers, or ends them with PERMISSION_DENIED before their request is read.

    What gives an order goes on to the commands, which refuse by the same rule and leave the record of it.
    """

    def __init__(self, access: Access, request_s: float = 10.0) -> None:
        self._access = access
        self._request_s = request_s
        self._lasting: set[asyncio.Timeout] = set()  # round each call with many answers
        self._has_ended = False

    def end(self) -> None:
        """End all calls with many answers, whose clients would wait for more of them as long as we let them."""
        self._has_ended = True
        for scope in self._lasting:
            scope.reschedule(0)
        self._lasting.clear()

    async def intercept_service(
        self, continuation: Call, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of the call, behind the gate."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        place, _, rpc = handler_call_details.method.rpartition("/")
        is_order = place == f"/{service.SERVICE}" and rpc in ACTIONS
        return self._guarded(handler, None if is_order else rpc)

    @asynccontextmanager
    async def _until_end(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(0 if self._has_ended else None) as scope:
                self._lasting.add(scope)
                try:
                    yield
                finally:
                    self._lasting.discard(scope)
        except TimeoutError as error:
            if scope.expired():
                raise _EndedError from error
            raise

    def _guarded(
        self, handler: "grpc.RpcMethodHandler[Any, Any]", rpc: str | None
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """`rpc` is None where others ask who may."""
        call: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        parse = handler.request_deserializer or bytes

        async def admitted(context: Context) -> Any:
            """What the handler is called with."""
            try:
                if rpc is not None:
                    require(caller(self._access, context), rpc)
            except Forbidden as no:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(no), requests.REFUSED)
            if handler.request_streaming:
                return requests.each(context, parse)
            return await requests.only(context, parse, self._request_s)

        async def one(_: object, context: Context) -> Any:
            return await call(await admitted(context), context)

        async def many(_: object, context: Context) -> None:
            request = await admitted(context)
            try:
                async with self._until_end():
                    await _written(call(request, context), context)
            except _EndedError:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "maglevd stops", requests.REFUSED)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(many, response_serializer=handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(one, response_serializer=handler.response_serializer)


async def _written(answers: AsyncGenerator[Any, None] | Awaitable[None], context: Context) -> None:
    if not isinstance(answers, AsyncGenerator):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await context.write(answer)


class _EndedError(Exception):
    pass
