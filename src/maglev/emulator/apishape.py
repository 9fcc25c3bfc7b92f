"""The shape in which VPP describes its messages as JSON, and a short way to write it; must not know any message.

A field is written `type name`, `type name[8]` (fixed), `type name[]` (counted by itself), `type name[count]`
(counted by an earlier field) or `type name=default`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Json = dict[str, object] | list["Json"] | str | int

_FIELD = re.compile(r"(?P<type>\w+) (?P<name>\w+)(?:\[(?P<count>\w*)\]|=(?P<default>\d+))?")


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `fields` leaves out the message id."""

    name: str
    crc: str
    fields: Sequence[str]

    def json(self) -> Json:
        """As in VPP's api files."""
        head: Json = ["u16", "_vl_msg_id"]
        return [self.name, head, *(_field(text) for text in self.fields), {"crc": f"0x{self.crc}", "options": {}}]


@dataclass(frozen=True, slots=True)
class Types:
    """Enums (by type and members), unions, aliases and structs."""

    enums: Mapping[str, tuple[str, Mapping[str, int]]] = field(default_factory=dict)
    unions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    structs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    aliases: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Api:
    """One api file: `services` maps a request to its answer; an answer named `_details` is a stream."""

    module: str
    version: str
    messages: Sequence[Message]
    services: Mapping[str, str]
    types: Sequence[Types] = ()

    def json(self) -> Json:
        """As in VPP's api files."""
        return {
            "module": self.module,
            "types": [[name, *(_field(f) for f in fields)] for t in self.types for name, fields in t.structs.items()],
            "messages": [message.json() for message in self.messages],
            "unions": [[name, *(_field(f) for f in fields)] for t in self.types for name, fields in t.unions.items()],
            "enums": [_enum(name, *rest) for t in self.types for name, rest in t.enums.items()],
            "enumflags": [],
            "services": {
                request: {"reply": answer, "stream": True} if answer.endswith("_details") else {"reply": answer}
                for request, answer in self.services.items()
            },
            "options": {"version": self.version},
            "aliases": {name: alias for t in self.types for name, alias in t.aliases.items()},
            "vl_api_version": "0x00000000",
            "imports": [],
            "counters": [],
            "paths": [],
        }


def _field(text: str) -> Json:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"not a field: {text!r}")
    parts: list[Json] = [match["type"], match["name"]]
    if match["default"] is not None:
        return [*parts, {"default": int(match["default"])}]
    if match["count"] is None:
        return parts
    return [*parts, int(match["count"])] if match["count"].isdigit() else [*parts, 0, *filter(None, [match["count"]])]


def _enum(name: str, size: str, members: Mapping[str, int]) -> Json:
    pairs: list[Json] = [[member, value] for member, value in members.items()]
    return [name, *pairs, {"enumtype": size}]


def counted(prefix: str, names: str) -> dict[str, int]:
    """Members of an enum, numbered from 0."""
    return {prefix + name: value for value, name in enumerate(names.split())}
