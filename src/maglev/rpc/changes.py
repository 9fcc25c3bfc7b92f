"""The RPCs that change something: each is a command to the rest of maglevd; knows no sockets."""

from collections.abc import Awaitable, Callable
from typing import Any

from maglev.core.health import Order
from maglev.core.naming import named
from maglev.core.status import Status
from maglev.rpc import mapping
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.ports import Commands, Faults
from maglev.rpc.questions import refused


class Changes:
    """The RPCs that change something."""

    def __init__(self, status: Callable[[], Status], commands: Commands) -> None:
        self._status = status
        self._commands = commands

    def order(self, order: Order) -> Callable[[pb.BackendRequest], Awaitable[pb.BackendInfo]]:
        """Gives a backend this order. Raises NotFound, Refused."""

        async def give(request: pb.BackendRequest) -> pb.BackendInfo:
            named("backend", request.name, self._status().health.backends)
            return mapping.backend_info(await self._commands.order(request.name, order))

        return give

    async def set_weight(self, request: pb.SetWeightRequest) -> pb.FrontendInfo:
        """Sets a weight. Raises NotFound, ConfigError."""
        frontend = named("frontend", request.frontend, self._status().health.frontends).frontend
        pool = named(f"pool of {frontend.name}", request.pool, {pool.name: pool for pool in frontend.pools})
        named(f"backend in pool {pool.name} of {frontend.name}", request.backend, pool.weights)
        found = await self._commands.set_weight(
            request.frontend, request.pool, request.backend, request.weight, flush=request.flush
        )
        return mapping.frontend_info(found, refused(self._status(), found))

    async def check_config(self, _: pb.CheckConfigRequest) -> pb.CheckConfigResponse:
        """Says what is wrong with the configuration file."""
        return pb.CheckConfigResponse(**_told(await self._commands.check_config()))

    async def sync(self, request: pb.SyncVPPLBStateRequest) -> pb.SyncVPPLBStateResponse:
        """Syncs VPP's table. Raises NotFound for a frontend that is not there, Unavailable."""
        if request.name:
            named("frontend", request.name, self._status().health.frontends)
        synced = await self._commands.sync()
        return pb.SyncVPPLBStateResponse(
            audited_at_ns=synced.audited_at_ns, operations=synced.operations, refused_vips=synced.refused_vips
        )

    async def reload_config(self, _: pb.ReloadConfigRequest) -> pb.ReloadConfigResponse:
        """Takes the configuration file over, if nothing is wrong with it."""
        return pb.ReloadConfigResponse(**_told(await self._commands.reload_config()))


def _told(faults: Faults | None) -> dict[str, Any]:
    if faults is None:
        return {"ok": True}
    return {"ok": False, "parse_error" if faults.is_syntax else "semantic_error": faults.text}
