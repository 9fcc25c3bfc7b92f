"""The socket's manners."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from maglev.emulator.definitions import MEMCLNT, messages, served_json
from tests.contract.target import Target, new_prefix
from tests.processes import DEADLINE_S

FRAME = struct.Struct(">QII")
PING, PING_REPLY = "control_ping_51077d14", "control_ping_reply_f6b0b8ca"


class Raw:
    """A client of bare bytes."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(path)
        self.send(struct.pack(">HI64s", 15, 77, b"raw"))
        reply = self.receive()
        number, _, context, response, self.handle, count = struct.unpack_from(">HIIiIH", reply)
        assert (number, context, response) == (16, 77, 0)
        table = struct.iter_unpack(">H64s", reply[20:])
        self.ids = {name.rstrip(b"\0").decode(): index for index, name in table}
        assert len(self.ids) == count

    def send(self, *payloads: bytes) -> None:
        self.socket.sendall(b"".join(FRAME.pack(0, len(p), 0) + p for p in payloads))

    def receive(self) -> bytes:
        _, length, _ = FRAME.unpack(self._exactly(FRAME.size))
        return self._exactly(length)

    def close(self) -> None:
        """Say goodbye first: VPP may overlook an end of file, and stops for good once it has overlooked sixteen."""
        self.send(struct.pack(">HIII", self.ids["sockclnt_delete_8ac76db6"], self.handle, 0, self.handle))
        with suppress(EOFError):
            while True:
                self.receive()
        self.socket.close()

    def ping(self, context: int, handle: int | None = None) -> bytes:
        return struct.pack(">HII", self.ids[PING], self.handle if handle is None else handle, context)

    def next_context(self) -> int:
        """The context of the next answer, which must be to a ping."""
        number, context, retval = struct.unpack_from(">HIi", self.receive())
        assert (number, retval) == (self.ids[PING_REPLY], 0)
        return int(context)

    def _exactly(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            chunk = self.socket.recv(size - len(taken))
            if not chunk:
                raise EOFError
            taken += chunk
        return taken


@pytest.fixture
def raw(target: Target) -> Iterator[Raw]:
    client = Raw(target.api_path)
    yield client
    client.close()


def test_all_our_messages_are_in_the_table_with_vpps_crcs(raw: Raw) -> None:
    assert {f"{m.name}_{m.crc}" for m in messages()} <= raw.ids.keys()


def test_our_definitions_are_vpps(target: Target) -> None:
    theirs = json.loads(target.api.get_api_json().json)
    assert "memclnt" not in [api["module"] for api in theirs]
    for ours in json.loads(served_json()):
        for kind in ("messages", "enums", "types", "unions"):
            known = {definition[0]: definition for their in theirs for definition in their[kind]}
            for definition in ours[kind]:
                assert _shape(definition) == _shape(known[definition[0]])
        for kind in ("services", "aliases"):
            merged = {name: value for their in theirs for name, value in their[kind].items()}
            assert ours[kind] == {name: merged[name] for name in ours[kind]}


def test_our_handshake_is_what_vpp_papi_brings_along(target: Target) -> None:
    for message in MEMCLNT.messages:
        bundled = target.papi.messages[message.name]
        assert bundled.crc == f"0x{message.crc}"
        assert bundled.fields[1:] == [field.split()[1].split("[")[0] for field in message.fields]


def _shape(definition: list[object]) -> set[str]:
    """Fields or members, CRC, defaults and sizes, without comments and options; the order is in the CRC."""
    kept = {"crc", "default", "enumtype"}

    def strip(part: object) -> object:
        match part:
            case dict():
                return {key: value for key, value in part.items() if key in kept} or None
            case list():
                return [strip(p) for p in part if strip(p) is not None]
            case _:
                return part

    return {str(strip(part)) for part in definition if strip(part) is not None}


def test_requests_are_answered_in_order_however_many_are_on_the_way(raw: Raw) -> None:
    raw.send(*(raw.ping(context) for context in range(1, 3001)))

    assert [raw.next_context() for _ in range(3000)] == list(range(1, 3001))


def test_a_dump_ends_with_the_answer_to_the_ping_behind_it(target: Target, raw: Raw) -> None:
    for _ in range(3):
        target.add_vip(new_prefix())
    dump = struct.pack(">HII", raw.ids["lb_vip_dump_56110cb7"], raw.handle, 5) + bytes(18 + 2 + 1 + 2)
    raw.send(dump, raw.ping(5))

    for _ in range(3):
        number, context = struct.unpack_from(">HI", raw.receive())
        assert (number, context) == (raw.ids["lb_vip_details_1329ec9b"], 5)
    assert raw.next_context() == 5


def test_a_wrong_handle_is_answered_to_nobody_though_done(target: Target, raw: Raw) -> None:
    pfx = bytes([0, 10, 203, 0, 1]) + bytes(12) + b"\x20"
    body = pfx + struct.pack(">BHIBIHHIBB", 17, 80, 0, 0, 0, 0, 0, 1024, 0, 0)
    stranger = raw.handle + 50
    raw.send(
        raw.ping(1, stranger),
        struct.pack(">HII", raw.ids["lb_add_del_vip_v2_7c520e0f"], stranger, 2) + body,
        raw.ping(3),
    )

    assert raw.next_context() == 3
    assert "10.203.0.1/32" in [str(vip.vip.pfx) for vip in target.api.lb_vip_dump()]


def test_the_answer_goes_to_whom_the_handle_names(target: Target, raw: Raw) -> None:
    other = Raw(target.api_path)
    raw.send(raw.ping(8, other.handle))

    assert other.next_context() == 8
    other.close()


def test_unknown_and_truncated_messages_are_dropped(raw: Raw) -> None:
    cli = struct.pack(">HIII", raw.ids["cli_inband_f8377302"], raw.handle, 4, 1000) + b"show version"
    raw.send(struct.pack(">HII", 60000, raw.handle, 1), struct.pack(">HI", raw.ids[PING], raw.handle), b"\0", b"", cli)
    raw.send(raw.ping(2))

    assert raw.next_context() == 2


def test_bytes_too_many_do_no_harm(raw: Raw) -> None:
    raw.send(raw.ping(9) + b"surplus")

    assert raw.next_context() == 9


def test_a_message_may_arrive_byte_by_byte(raw: Raw) -> None:
    for byte in FRAME.pack(0, 10, 0) + raw.ping(6):
        raw.socket.sendall(bytes([byte]))

    assert raw.next_context() == 6


def test_a_client_that_says_goodbye_gets_an_answer_and_the_end(target: Target) -> None:
    raw = Raw(target.api_path)
    goodbye = struct.pack(">HII", raw.ids["sockclnt_delete_8ac76db6"], raw.handle, 7)
    raw.send(goodbye + struct.pack(">I", raw.handle + 50))
    assert struct.unpack(">HIi", raw.receive())[1:] == (7, -1)

    raw.send(goodbye + struct.pack(">I", raw.handle))
    assert struct.unpack(">HIi", raw.receive())[1:] == (7, 1)
    with pytest.raises(EOFError):
        raw.receive()
    raw.socket.close()
