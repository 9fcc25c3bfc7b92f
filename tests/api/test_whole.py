"""That the .proto keeps its word: the names and numbers that clients elsewhere have, and a test for each RPC."""

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from tests.api import covering
from tests.api.client import PROTO, Api

RPCS = {
    "ListFrontends": ("ListFrontendsRequest", "ListFrontendsResponse"),
    "GetFrontend": ("GetFrontendRequest", "FrontendInfo"),
    "ListBackends": ("ListBackendsRequest", "ListBackendsResponse"),
    "GetBackend": ("GetBackendRequest", "BackendInfo"),
    "PauseBackend": ("BackendRequest", "BackendInfo"),
    "ResumeBackend": ("BackendRequest", "BackendInfo"),
    "EnableBackend": ("BackendRequest", "BackendInfo"),
    "DisableBackend": ("BackendRequest", "BackendInfo"),
    "ListHealthChecks": ("ListHealthChecksRequest", "ListHealthChecksResponse"),
    "GetHealthCheck": ("GetHealthCheckRequest", "HealthCheckInfo"),
    "SetFrontendPoolBackendWeight": ("SetWeightRequest", "FrontendInfo"),
    "WatchEvents": ("WatchRequest", "Event"),
    "CheckConfig": ("CheckConfigRequest", "CheckConfigResponse"),
    "ReloadConfig": ("ReloadConfigRequest", "ReloadConfigResponse"),
    "GetVPPInfo": ("GetVPPInfoRequest", "VPPInfo"),
    "GetVPPLBState": ("GetVPPLBStateRequest", "VPPLBState"),
    "SyncVPPLBState": ("SyncVPPLBStateRequest", "SyncVPPLBStateResponse"),
    "GetVPPLBCounters": ("GetVPPLBCountersRequest", "VPPLBCounters"),
    "GetVPPLBPlan": ("GetVPPLBPlanRequest", "VPPLBPlan"),
    "GetVersion": ("GetVersionRequest", "VersionInfo"),
}
NUMBERS = {
    "GetFrontendRequest": {"name": 1},
    "GetBackendRequest": {"name": 1},
    "GetHealthCheckRequest": {"name": 1},
    "BackendRequest": {"name": 1},
    "CheckConfigResponse": {"ok": 1, "parse_error": 2, "semantic_error": 3},
    "ReloadConfigResponse": {"ok": 1, "parse_error": 2, "semantic_error": 3},
    "FrontendInfo": {
        "name": 1,
        "address": 2,
        "protocol": 3,
        "port": 4,
        "pools": 5,
        "description": 6,
        "src_ip_sticky": 7,
        "flush_on_down": 8,
        "state": 9,
        "active_pool": 10,
        "refused": 11,
        "changed_at_ns": 12,
        "audited_at_ns": 13,
    },
    "ListFrontendsRequest": {"names_only": 1},
    "ListBackendsRequest": {"names_only": 1},
    "PoolInfo": {"name": 1, "backends": 2},
    "PoolBackendInfo": {
        "name": 1,
        "weight": 2,
        "effective_weight": 3,
        "file_weight": 4,
        "address": 5,
        "state": 6,
        "changed_at_ns": 7,
        "buckets": 8,
        "flows": 9,
    },
    "VersionInfo": {"version": 1, "commit": 2, "date": 3},
    "VPPLBCounters": {"taken_at_ns": 1, "vips": 2, "backends": 3, "audited_at_ns": 6, "interval_s": 7},
    "VPPLBPlan": {"audited_at_ns": 1, "operations": 2, "held_back_s": 3, "unknown_vips": 4},
    "VPPLBOperation": {
        "kind": 1,
        "prefix": 2,
        "protocol": 3,
        "port": 4,
        "address": 5,
        "backends": 6,
        "weight": 7,
        "flush": 8,
        "moves": 9,
        "drops": 10,
        "breaks_flows": 11,
        "flows": 12,
        "waits": 13,
    },
    "SetWeightRequest": {"frontend": 1, "pool": 2, "backend": 3, "weight": 4, "flush": 5},
    "VPPInfo": {
        "version": 1,
        "build_date": 2,
        "build_directory": 3,
        "pid": 4,
        "boottime_ns": 5,
        "connecttime_ns": 6,
    },
}
"""Of fields that clients have, those of vpp-maglev among them."""

TYPES = {
    "FrontendInfo": {"protocol": "string", "port": "uint32", "pools": "repeated PoolInfo"},
    "SetWeightRequest": {"weight": "int32", "flush": "bool"},
    "WatchRequest": {
        "log": "optional bool",
        "log_level": "optional string",
        "backend": "optional bool",
        "frontend": "optional bool",
    },
}


def test_the_rpcs_are_those_that_clients_know(api: Api) -> None:
    methods = {
        name: (method.input_type.name, method.output_type.name, method.server_streaming, method.client_streaming)
        for name, method in api.methods.items()
    }

    assert {name: methods.get(name) for name in RPCS} == {
        name: (*messages, name == "WatchEvents", False) for name, messages in RPCS.items()
    }


@pytest.mark.parametrize("message", NUMBERS)
def test_fields_that_clients_know_keep_their_numbers(api: Api, message: str) -> None:
    numbers = api.numbers(message)

    assert {name: numbers.get(name) for name in NUMBERS[message]} == NUMBERS[message]


@pytest.mark.parametrize("message", TYPES)
def test_fields_that_clients_know_keep_their_types(message: str) -> None:
    body = re.findall(rf"^message {message} {{(.*?)^}}", PROTO.read_text(), re.MULTILINE | re.DOTALL)[0]
    types = {name: kind for kind, name in re.findall(r"^  ((?:optional |repeated )?\w+) (\w+) = ", body, re.MULTILINE)}

    assert {name: types.get(name) for name in TYPES[message]} == TYPES[message]


def test_an_event_is_one_of_what_clients_know(api: Api) -> None:
    (oneof,) = api.pool.FindMessageTypeByName("maglev.Event").oneofs
    types = {field.message_type.name for field in oneof.fields if field.message_type}

    assert types >= {"LogEvent", "BackendEvent", "FrontendEvent"}


def test_each_rpc_has_its_test(api: Api) -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        import_module(f"{__package__}.{path.stem}")  # which is what fills the list

    assert set(api.methods) == covering.COVERED


def test_every_rpc_and_message_has_its_words() -> None:
    """The comments are the reference: each RPC has one right before it."""
    lines = PROTO.read_text().splitlines()
    bare = [line for before, line in pairwise(lines) if "  rpc " in line and "//" not in before]

    assert bare == []
