"""grpc.health.v1 and reflection beside the API, by grpcio's own clients for them."""

import signal
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.api.client import PATIENCE_S, Api, Client
from tests.api.site import Site

SERVICES = ("", "maglev.Maglev", "vpp")
_STATUS = health_pb2.HealthCheckResponse
SERVING, NOT_SERVING, UNKNOWN = _STATUS.SERVING, _STATUS.NOT_SERVING, _STATUS.SERVICE_UNKNOWN


def check(channel: grpc.Channel, name: str) -> Any:
    request = health_pb2.HealthCheckRequest(service=name)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE_S).status


def watch(channel: grpc.Channel, name: str) -> Iterator[Any]:
    stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE_S)
    return (told.status for told in stream)


def test_all_services_are_told(client: Client) -> None:
    assert [check(client.channel, name) for name in SERVICES] == [SERVING] * 3
    assert [next(watch(client.channel, name)) for name in SERVICES] == [SERVING] * 3
    listed = health_pb2_grpc.HealthStub(client.channel).List(health_pb2.HealthListRequest(), timeout=PATIENCE_S)
    assert {name: told.status for name, told in listed.statuses.items()} == dict.fromkeys(SERVICES, SERVING)


def test_a_service_that_is_not_there_is_told_as_that(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        check(client.channel, "maglev")
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert failed.value.details() == "there is no service called 'maglev'; there is '', 'maglev.Maglev', 'vpp'"
    assert next(watch(client.channel, "maglev")) == UNKNOWN


def test_vpp_is_told_as_gone_and_as_back_and_at_the_stop_nothing_serves(site: Site) -> None:
    with site.vpp.running() as vpp, site.running() as maglevd, grpc.insecure_channel(site.address) as channel:
        maglevd.until_says(" vpp-connect ")
        streams = {name: watch(channel, name) for name in SERVICES}
        assert next(streams[""]) == next(streams["maglev.Maglev"]) == SERVING
        while next(streams["vpp"]) != SERVING:
            pass
        vpp.signal(signal.SIGKILL)
        assert next(streams["vpp"]) == NOT_SERVING
        assert [check(channel, name) for name in SERVICES] == [SERVING, SERVING, NOT_SERVING]
        with site.vpp.running():
            assert next(streams["vpp"]) == SERVING
            maglevd.signal(signal.SIGTERM)
            assert [next(stream) for stream in streams.values()] == [NOT_SERVING] * 3
            for stream in streams.values():
                with pytest.raises(grpc.RpcError):
                    next(stream)
            assert maglevd.wait() == 0


def test_the_api_is_described_to_who_asks(client: Client, api: Api) -> None:
    database = ProtoReflectionDescriptorDatabase(client.channel)

    assert set(database.get_services()) == {
        "maglev.Maglev",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    pool = descriptor_pool.DescriptorPool(database)
    described = pool.FindServiceByName("maglev.Maglev")
    assert set(described.methods_by_name) == set(api.methods)
    for symbol in ("maglev.FrontendInfo", "maglev.Event"):
        theirs, ours = pool.FindMessageTypeByName(symbol), api.pool.FindMessageTypeByName(symbol)
        assert [(f.name, f.number, f.type) for f in theirs.fields] == [(f.name, f.number, f.type) for f in ours.fields]
    assert pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Watch"].server_streaming


def test_reflection_can_be_turned_off_alone(site: Site) -> None:
    with site.running("--reflection", "false"), grpc.insecure_channel(site.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError) as failed:
            next(stub.ServerReflectionInfo(iter([question]), timeout=PATIENCE_S))
        assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert check(channel, "maglev.Maglev") == SERVING
