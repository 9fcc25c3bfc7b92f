"""grpc.health.v1 for whoever watches over maglevd; must not know what the services do.

| service           | SERVING while                                              |
|-------------------|------------------------------------------------------------|
| "" and the API's  | maglevd listens and its loop runs, as it says itself       |
| "vpp"             | a VPP is connected                                         |

Before maglevd stops listening all of them are NOT_SERVING. The levels are looked at whenever somebody asks, and for
those who watch several times a second, which costs little and misses nothing that lasts.

Messages and service are those of grpcio's package. Its servicer is not: it holds the lock of a service while it writes
to a watcher of it, so one who does not read kept every news of that service from everybody, `Check` included.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME

LOOK_EVERY_S = 0.25
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

Service = tuple[str, Callable[[], bool]]
"""A name, and whether it serves now; asked on the serving loop."""


@dataclass(eq=False, slots=True)
class _Watcher:
    """Who asked for the news of a service, and which has reached him."""

    service: str
    told: Any = None


class Health:
    """Tells how `services` are; those who watch hear of changes for as long as it is followed."""

    def __init__(self, services: tuple[Service, ...]) -> None:
        self._services = services
        self._statuses = dict.fromkeys((name for name, _ in services), _NOT_SERVING)
        self._news = asyncio.Event()  # another one after each change
        self._watchers: set[_Watcher] = set()
        self._heard = asyncio.Event()  # by a watcher, or it has gone
        self._has_ended = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have `server` answer Check, List and Watch."""
        asked = health_pb2.HealthCheckRequest.FromString
        table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Check": grpc.unary_unary_rpc_method_handler(
                self._check, request_deserializer=asked, response_serializer=_serialized
            ),
            "List": grpc.unary_unary_rpc_method_handler(
                self._list,
                request_deserializer=health_pb2.HealthListRequest.FromString,
                response_serializer=_serialized,
            ),
            "Watch": grpc.unary_stream_rpc_method_handler(
                self._watch, request_deserializer=asked, response_serializer=_serialized
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, table),))

    async def follow(self) -> None:
        """Look at the services until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Tell what has changed since the last look."""
        if not self._has_ended:
            self._tell({name: _SERVING if is_serving() else _NOT_SERVING for name, is_serving in self._services})

    def end(self) -> None:
        """Nothing serves any more, for good."""
        self._has_ended = True
        self._tell(dict.fromkeys(self._statuses, _NOT_SERVING))

    async def all_told(self) -> None:
        """Wait until the newest has reached all who watch; somebody may never take it."""
        while any(each.told != self._status(each.service) for each in self._watchers):
            self._heard.clear()
            await self._heard.wait()

    def _status(self, service: str) -> Any:
        return self._statuses.get(service, _UNKNOWN)

    def _tell(self, statuses: dict[str, Any]) -> None:
        if statuses != self._statuses:
            self._statuses = statuses
            news, self._news = self._news, asyncio.Event()
            news.set()

    async def _check(self, request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        self.look()
        status = self._statuses.get(request.service)
        if status is None:
            there_is = ", ".join(map(repr, self._statuses))
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"there is no service called {request.service[:64]!r}; there is {there_is}"
            )
        return health_pb2.HealthCheckResponse(status=status)

    async def _list(self, _: Any, __: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        self.look()
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        )

    async def _watch(self, request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        """A watcher gets the newest when it has taken what came before: nothing is kept for it."""
        self.look()
        watcher = _Watcher(request.service)
        self._watchers.add(watcher)
        try:
            while True:
                news, status = self._news, self._status(watcher.service)
                if status != watcher.told:
                    watcher.told = None  # by the time that he has it there may be another
                    await context.write(health_pb2.HealthCheckResponse(status=status))
                    watcher.told = status
                    self._heard.set()
                await news.wait()
        finally:
            self._watchers.discard(watcher)
            self._heard.set()


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
