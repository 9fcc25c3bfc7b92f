"""Messages to bytes and back, with vpp_papi's serializer; must not know what a message means.

The product's own codec is not used here, on purpose: emulator and product then check each other. The messages that
come by the ten thousand have layouts of their own (`quick`), held to that serializer by a test.
"""

import struct
from functools import partial

from vpp_papi.vpp_papi import VPPApiJSONFiles
from vpp_papi.vpp_serializer import VPPSerializerValueError

from maglev.emulator import quick
from maglev.emulator.definitions import all_json, messages
from maglev.errors import ProtocolError

FRAME = struct.Struct(">QII")
Fields = quick.Fields
"""Fields by name; of a request, values as vpp_papi unpacks them without conversion (numbers, bytes, named tuples)."""

# VPP leaves its own queue pointer in the first eight bytes of a frame: whoever expects 0 there is wrong.
_QUEUE = 0x7E57_0000_0040_0000
_ID = struct.Struct(">H")
_FIRST_FREE_ID = 89
# Ids that VPP's memclnt.api fixes; clients rely on the first two.
_FIXED_IDS = {
    "sockclnt_create": 15,
    "sockclnt_create_reply": 16,
    "sockclnt_delete": 17,
    "sockclnt_delete_reply": 18,
    "control_ping": 23,
    "control_ping_reply": 24,
    "get_api_json": 27,
    "get_api_json_reply": 28,
}


class Wire:
    """The message table of one VPP."""

    def __init__(self) -> None:
        self._messages, _ = VPPApiJSONFiles.process_json_array_str(all_json())
        others = [message.name for message in messages() if message.name not in _FIXED_IDS]
        self._ids = _FIXED_IDS | {name: _FIRST_FREE_ID + i for i, name in enumerate(others)}
        self._names = {number: name for name, number in self._ids.items()}
        pack_route = partial(self.packed, "ip_route_lookup_reply")
        self._pack: dict[str, quick.Pack] = {**quick.PACK, "ip_route_lookup_reply": quick.RoutePacker(pack_route)}
        self.table = [{"index": self._ids[m.name], "name": f"{m.name}_{m.crc}"} for m in messages()]

    def name(self, payload: bytes) -> str | None:
        """Which message this is; None for an id that stands for none."""
        return self._names.get(_ID.unpack_from(payload)[0]) if len(payload) >= _ID.size else None

    def unpack(self, name: str, payload: bytes) -> Fields:
        """The fields of a message; bytes that are too many are ignored. Raises ProtocolError if it is too short."""
        try:
            if (unpack := quick.UNPACK.get(name)) is not None:
                return unpack(payload)
            return self.unpacked(name, payload)
        except (struct.error, VPPSerializerValueError, UnicodeDecodeError) as error:
            raise ProtocolError("truncated message", message=name, bytes=len(payload)) from error

    def frame(self, name: str, fields: Fields) -> bytes:
        """The message with its frame around it."""
        number = self._ids[name]
        pack = self._pack.get(name)
        payload = self.packed(name, number, fields) if pack is None else pack(number, fields)
        return FRAME.pack(0 if name == "sockclnt_create_reply" else _QUEUE, len(payload), 0) + payload

    def packed(self, name: str, number: int, fields: Fields) -> bytes:
        """The message as vpp_papi packs it, without a frame."""
        payload: bytes = self._messages[name].pack({"_vl_msg_id": number, **fields})
        return payload

    def unpacked(self, name: str, payload: bytes) -> Fields:
        """The fields as vpp_papi unpacks them."""
        values, _ = self._messages[name].unpack(payload, ntc=True)
        return dict(zip(self._messages[name].fields, values, strict=True))


def prefix_fields(family: int, union: bytes, length: int) -> Fields:
    """A `vl_api_prefix_t`."""
    return {"address": address_fields(family, union), "len": length}


def address_fields(family: int, union: bytes) -> Fields:
    """A `vl_api_address_t`."""
    return {"af": family, "un": {"ip6": union}}
