"""VPP's API definitions (JSON, as VPP hands them over) -> the flat shape of a message; knows no bytes and no socket.

Why not the serializer of vpp_papi: it keeps types in one registry per process, and the first definition of a name
wins. After VPP was upgraded and restarted under us, a changed type would be read with its old shape. Here a shape is
made from the definitions of the module that defines the message, and from nothing else.

A shape is a run of scalars, then at most one part of variable length: all that VPP's replies to us ever are.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from maglev.errors import ProtocolError

MAX_DEPTH = 16
"""How deep types may nest; VPP's deepest is 5. Ends a definition that contains itself."""
MAX_SCALARS = 4096
"""How many scalars one record may have; keeps a wrong array length from filling the memory."""

SCALARS: Mapping[str, str] = {
    "u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "bool": "?",
    "f64": "8s",  # left as bytes: no message of ours has one, so we need not know its byte order
}  # fmt: skip
SIZES: Mapping[str, int] = {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "Q": 8, "q": 8, "?": 1}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value at a fixed place: its path (`vip.pfx.len`) and its code in the language of `struct`."""

    path: str
    code: str

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return int(self.code[:-1]) if self.code.endswith("s") else SIZES[self.code]


@dataclass(frozen=True, slots=True)
class Text:
    """A string at the end: u32 length, then the bytes."""

    path: str


@dataclass(frozen=True, slots=True)
class Records:
    """An array at the end, as many records as the scalar `count` says."""

    path: str
    count: str
    record: tuple[Scalar, ...]


Tail = Text | Records | None
Flat = tuple[list[Scalar], Tail]


@dataclass(frozen=True, slots=True)
class Shape:
    """A message: name, CRC (8 hex digits), scalars with the header's, and what follows them."""

    name: str
    crc: str
    scalars: tuple[Scalar, ...]
    tail: Tail

    @property
    def name_crc(self) -> str:
        """The name as VPP's message table spells it."""
        return f"{self.name}_{self.crc}"


Fields = list[Any]
"""Rows of a definition as JSON has them: [type, name], [type, name, length], [type, name, 0, count]."""


@dataclass(frozen=True, slots=True)
class _Module:
    """The definitions of one .api file; VPP repeats in each all the types that it uses."""

    records: Mapping[str, Fields]
    unions: Mapping[str, Fields]
    enums: Mapping[str, str]
    aliases: Mapping[str, tuple[str, int | None]]


def read_definitions(text: str | bytes) -> Mapping[str, Shape]:
    """The shape of each message by name, made when asked for. Raises ProtocolError for what is no such JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("VPP's API definitions are no JSON", seen=str(error)) from error
    modules = found if isinstance(found, list) else [found]
    sources: dict[str, tuple[_Module, Fields]] = {}
    try:
        for one in modules:
            module = _module(one)
            for name, *fields in one["messages"]:
                sources[name] = (module, fields)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProtocolError(
            "VPP's API definitions are not built as we know them", seen=repr(error), expected="modules of messages"
        ) from error
    return _Shapes(sources)


def bootstrap_definitions() -> Mapping[str, Shape]:
    """What must be known before VPP can be asked for its definitions; vpp_papi packages it."""
    return read_definitions(resources.files("vpp_papi.data").joinpath("memclnt.api.json").read_bytes())


class _Shapes(Mapping[str, Shape]):
    """Shapes made on demand: we use some twenty of more than eight hundred."""

    def __init__(self, sources: Mapping[str, tuple[_Module, Fields]]) -> None:
        self._sources = sources

    def __getitem__(self, name: str) -> Shape:
        module, fields = self._sources[name]
        try:
            return _shape(name, module, fields)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ProtocolError("a message's definition makes no sense", message=name, seen=repr(error)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def _module(found: dict[str, Any]) -> _Module:
    enums = [*found.get("enums", ()), *found.get("enumflags", ())]
    return _Module(
        records={name: fields for name, *fields in found.get("types", ())},
        unions={name: fields for name, *fields in found.get("unions", ())},
        enums={name: rest[-1].get("enumtype", "u32") for name, *rest in enums},
        aliases={name: (alias["type"], alias.get("length")) for name, alias in found.get("aliases", {}).items()},
    )


def _shape(name: str, module: _Module, fields: Fields) -> Shape:
    scalars, tail = _flatten(module, fields, "", 0)
    crc = str(fields[-1]["crc"]).removeprefix("0x")
    return Shape(name, crc, tuple(scalars), tail)


def _flatten(module: _Module, fields: Fields, prefix: str, depth: int) -> Flat:
    """All of a record; `prefix` is empty or ends with a dot."""
    scalars: list[Scalar] = []
    tail: Tail = None
    for field in fields:
        if isinstance(field, dict):  # CRC, comment and options close a definition
            continue
        kind, name, *rest = field
        if tail is not None:
            raise ValueError(f"{name} follows {tail.path}, which has no fixed length")
        length = [part for part in rest if not isinstance(part, dict)]
        found, tail = _field(module, _bare(kind), prefix, name, length, depth)
        scalars += _bounded(scalars, found)
    return scalars, tail


def _field(module: _Module, kind: str, prefix: str, name: str, length: list[Any], depth: int) -> Flat:
    path = prefix + name
    match length:
        case []:
            return _one(module, kind, path, depth)
        case [0] if kind == "string":
            return [], Text(path)
        case [int(size)] if kind in ("string", "u8") and size > 0:
            return [Scalar(path, f"{size}s")], None
        case [int(size)] if 0 < size <= MAX_SCALARS:
            scalars: list[Scalar] = []
            for index in range(size):
                scalars += _bounded(scalars, _fixed(module, kind, f"{path}.{index}", depth))
            return scalars, None
        case [0, str(count)]:
            return [], Records(path, prefix + count, tuple(_fixed(module, kind, "", depth)))
        case _:
            raise ValueError(f"{path} has the length {length}, which is none that we know")


def _one(module: _Module, kind: str, path: str, depth: int) -> Flat:
    if depth > MAX_DEPTH:
        raise ValueError(f"{path} nests deeper than {MAX_DEPTH}")
    if kind in SCALARS:
        return [Scalar(path, SCALARS[kind])], None
    if kind in module.enums:
        return [Scalar(path, SCALARS[module.enums[kind]])], None
    if kind in module.aliases:
        target, size = module.aliases[kind]
        return _field(module, _bare(target), "", path, [] if size is None else [size], depth + 1)
    if kind in module.unions:
        members = [field for field in module.unions[kind] if not isinstance(field, dict)]
        sizes = [sum(scalar.size for scalar in _member(module, field, depth)) for field in members]
        return [Scalar(path, f"{max(sizes)}s")], None
    scalars, tail = _flatten(module, module.records[kind], f"{path}." if path else "", depth + 1)
    if not scalars:
        raise ValueError(f"{kind} at {path} is empty")
    return scalars, tail


def _fixed(module: _Module, kind: str, path: str, depth: int) -> list[Scalar]:
    scalars, tail = _one(module, kind, path, depth)
    if tail is not None:
        raise ValueError(f"{kind} at {path} has no fixed length")
    return scalars


def _member(module: _Module, field: Fields, depth: int) -> list[Scalar]:
    scalars, tail = _flatten(module, [field], "", depth + 1)
    if tail is not None:
        raise ValueError(f"a member of a union, {field}, has no fixed length")
    return scalars


def _bounded(scalars: list[Scalar], more: list[Scalar]) -> list[Scalar]:
    if len(scalars) + len(more) > MAX_SCALARS:
        raise ValueError(f"more than {MAX_SCALARS} scalars in one record")
    return more


def _bare(kind: str) -> str:
    return kind.removeprefix("vl_api_").removesuffix("_t")
