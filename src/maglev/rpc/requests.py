"""Reads requests off gRPC: those that never come and those that are no protobuf end their call; knows no RPC.

gRPC's own reading of a unary call comes before all else: before the gate, without a bound, and with a traceback in the
log for every message that is none. So all calls are taken as streams, which look the same on the wire.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

REFUSED = (("maglev-refused", "1"),)
"""Trailing metadata of every refusal of ours: a client's library makes up UNAVAILABLE of its own, without it."""

Parse = Callable[[bytes], Any]


async def only(context: "grpc.aio.ServicerContext[Any, Any]", parse: Parse, deadline_s: float) -> Any:
    """The request of a call that has one."""
    reading = _reading(context)
    done, _ = await asyncio.wait((reading,), timeout=deadline_s)
    if not done:
        await context.abort(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"no request came within {deadline_s:g} s of the call", REFUSED
        )
    raw = reading.result()
    if raw is grpc.aio.EOF:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call has no request", REFUSED)
    return await _parsed(context, parse, raw)


async def each(context: "grpc.aio.ServicerContext[Any, Any]", parse: Parse) -> AsyncGenerator[Any, None]:
    """The requests of a call that has any number."""
    while True:
        reading = _reading(context)
        await asyncio.wait((reading,))
        raw = reading.result()
        if raw is grpc.aio.EOF:
            return
        yield await _parsed(context, parse, raw)


def _reading(context: "grpc.aio.ServicerContext[Any, Any]") -> "asyncio.Task[Any]":
    """A task that nobody cancels: gRPC's core would then write to memory that is free. It ends with its call."""
    reading = asyncio.create_task(_read(context))
    reading.add_done_callback(_forget)
    return reading


async def _read(context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
    return await context.read()


def _forget(reading: "asyncio.Task[Any]") -> None:
    """Whoever waited for it has gone, perhaps, and then nobody asks for its error."""
    if not reading.cancelled():
        reading.exception()


async def _parsed(context: "grpc.aio.ServicerContext[Any, Any]", parse: Parse, raw: bytes) -> Any:
    try:
        return parse(raw)
    except DecodeError:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            "the request is no message of this RPC; is the client's .proto that of this server?",
            REFUSED,
        )
