"""Fetches VPP's own API definitions and keeps the codecs made of them; checks that VPP has all that we need."""

from collections.abc import Mapping

import trio

from maglev.errors import Incapable, ProtocolError
from maglev.vpp.codec import text
from maglev.vpp.definitions import Shape, read_definitions
from maglev.vpp.transport import Call, Transport
from maglev.vpp.wire import BOOTSTRAP, NEEDED, NEEDED_VERSION, Bootstrap, Version, Wire


class Library:
    """The codecs of the VPP seen last: a reconnect to the same one fetches and parses nothing again."""

    def __init__(self) -> None:
        self._bootstrap: Bootstrap | None = None
        self._table: Mapping[str, int] | None = None
        self._wire: Wire | None = None

    async def bootstrap(self) -> Bootstrap:
        """What VPP's own definitions are fetched with."""
        if self._bootstrap is None:
            self._bootstrap = await trio.to_thread.run_sync(Bootstrap)
        return self._bootstrap

    async def wire(self, table: Mapping[str, int], transport: Transport) -> Wire:
        """The codecs for the VPP behind `transport`, which has this `table` of `name_crc`.

        Raises Incapable when it lacks a message: which ones, the version seen and the version needed.
        """
        if self._wire is not None and self._table == table:
            return self._wire
        _demand(table, BOOTSTRAP, "unknown")
        bootstrap = await self.bootstrap()
        retval, definitions = bootstrap.api_json_reply(
            await transport.call(Call("get_api_json", bootstrap.api_json(), "get_api_json_reply"))
        )
        if retval:
            raise ProtocolError("VPP does not hand over its API definitions", message="get_api_json", retval=retval)
        # 1.3 MB of JSON, with a NUL behind it: not on the loop.
        shapes = await trio.to_thread.run_sync(read_definitions, definitions.rstrip(b"\0"))
        if any(f"{name}_{crc}" not in table for name, crc in NEEDED.items()):
            _demand(table, NEEDED, await _version(table, shapes, transport))
        self._table, self._wire = table, await trio.to_thread.run_sync(Wire, shapes)
        return self._wire


def without_crc(table: Mapping[str, int]) -> dict[str, int]:
    """VPP's message numbers by bare name."""
    return {name_crc.rpartition("_")[0]: number for name_crc, number in table.items()}


async def _version(table: Mapping[str, int], shapes: Mapping[str, Shape], transport: Transport) -> str:
    if any(f"{name}_{NEEDED[name]}" not in table for name in ("show_version", "show_version_reply")):
        return "unknown"
    codec = Version(shapes)
    reply = await transport.call(Call("show_version", codec.request(), "show_version_reply"))
    return text(codec.reply(reply)[1])


def _demand(table: Mapping[str, int], needed: Mapping[str, str], version: str) -> None:
    lacking = [name_crc for name, crc in needed.items() if (name_crc := f"{name}_{crc}") not in table]
    if not lacking:
        return
    has_lb = any(name.startswith("lb_") for name in table)
    raise Incapable(
        "VPP lacks messages that we need",
        missing=",".join(lacking),
        version=version,
        needed=NEEDED_VERSION,
        hint=f"run VPP {NEEDED_VERSION} or newer"
        + ("" if has_lb else ", with its lb plugin: none of its messages is there"),
    )
