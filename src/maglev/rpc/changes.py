"""The RPCs that change something: each is a command to the rest of maglevd; knows no sockets.

Whether the caller may, and whether there is such a thing, is for the commands to say: they leave the audit record.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from maglev.core.health import Order
from maglev.core.status import Status
from maglev.rpc import mapping
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.ports import Caller, Commands, Faults
from maglev.rpc.questions import whole_frontend


class Changes:
    """The RPCs that change something."""

    def __init__(self, status: Callable[[], Status], commands: Commands) -> None:
        self._status = status
        self._commands = commands

    def order(self, order: Order) -> Callable[[pb.BackendRequest, Caller], Awaitable[pb.BackendInfo]]:
        """Gives a backend this order. Raises Forbidden, NotFound, Refused."""

        async def give(request: pb.BackendRequest, caller: Caller) -> pb.BackendInfo:
            return mapping.backend_info(await self._commands.order(request.name, order, caller))

        return give

    async def set_weight(self, request: pb.SetWeightRequest, caller: Caller) -> pb.FrontendInfo:
        """Sets a weight. Raises Forbidden, NotFound, ConfigError."""
        found = await self._commands.set_weight(
            request.frontend, request.pool, request.backend, request.weight, caller, flush=request.flush
        )
        return whole_frontend(self._status(), found)

    async def check_config(self, _: pb.CheckConfigRequest, __: Caller) -> pb.CheckConfigResponse:
        """Says what is wrong with the configuration file."""
        return pb.CheckConfigResponse(**_told(await self._commands.check_config()))

    async def sync(self, request: pb.SyncVPPLBStateRequest, caller: Caller) -> pb.SyncVPPLBStateResponse:
        """Syncs VPP's table. Raises Forbidden, NotFound for a frontend that is not there, Unavailable."""
        synced = await self._commands.sync(request.name, caller)
        return pb.SyncVPPLBStateResponse(
            audited_at_ns=synced.audited_at_ns, operations=synced.operations, refused_vips=synced.refused_vips
        )

    async def reload_config(self, _: pb.ReloadConfigRequest, caller: Caller) -> pb.ReloadConfigResponse:
        """Takes the configuration file over, if nothing is wrong with it. Raises Forbidden."""
        return pb.ReloadConfigResponse(**_told(await self._commands.reload_config(caller)))


def _told(faults: Faults | None) -> dict[str, Any]:
    if faults is None:
        return {"ok": True}
    return {"ok": False, "parse_error" if faults.is_syntax else "semantic_error": faults.text}
