"""The RPCs that change something: what reaches the commands, and what comes back, over a real server."""

from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message

from maglev.core.health import Order
from maglev.errors import Broken, ConfigError, Forbidden, MaglevError, NotFound, Overloaded, Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.ports import Faults
from tests.rpc import statuses
from tests.rpc.desk import Desk
from tests.rpc.served import served

M = TypeVar("M", bound=Message)
WEB = statuses.HEALTH.frontends["web"]
BACKEND = pb.BackendRequest(name="web1")
WEIGHT = pb.SetWeightRequest(
    frontend="web",
    pool=WEB.frontend.pools[0].name,
    backend=next(iter(WEB.frontend.pools[0].weights)),
    weight=3,
    flush=True,
)


def call(desk: Desk, method: str, request: Message, response: type[M]) -> M:
    with served(statuses.FULL, commands=desk) as address, grpc.insecure_channel(address) as channel:
        rpc: grpc.UnaryUnaryMultiCallable[Message, M] = channel.unary_unary(
            f"/maglev.Maglev/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return rpc(request, timeout=10)


def refusal(desk: Desk, method: str, request: Message) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        call(desk, method, request, pb.BackendInfo)
    assert [each.key for each in refused.value.trailing_metadata()] == ["maglev-refused"]
    return refused.value


@pytest.mark.parametrize("order", [Order.PAUSE, Order.RESUME, Order.ENABLE, Order.DISABLE])
def test_an_order_is_given_and_answered_with_the_backend_as_it_is_then(order: Order) -> None:
    desk = Desk()
    info = call(desk, f"{order.value.capitalize()}Backend", BACKEND, pb.BackendInfo)

    assert desk.told == [("web1", order)]
    assert (info.name, info.state) == ("web1", "paused")


def test_a_weight_is_set_and_answered_with_the_frontend() -> None:
    desk = Desk()
    info = call(desk, "SetFrontendPoolBackendWeight", WEIGHT, pb.FrontendInfo)

    assert desk.told == [("web", WEIGHT.pool, WEIGHT.backend, 3, True)]
    assert info.name == "web"


@pytest.mark.parametrize("name", ["", "web"])
def test_a_sync_is_of_the_whole_table_and_answered_with_what_came_of_it(name: str) -> None:
    desk = Desk()
    synced = call(desk, "SyncVPPLBState", pb.SyncVPPLBStateRequest(name=name), pb.SyncVPPLBStateResponse)

    assert desk.told == [("sync", name)]
    assert (synced.audited_at_ns, synced.operations, synced.refused_vips) == (1_700_000_000_000_000_000, 3, 1)


def test_a_sync_that_cannot_be_done_says_why() -> None:
    failure = Unavailable("VPP was lost meanwhile", hint="maglevd syncs by itself once it is back")
    error = refusal(Desk(failure), "SyncVPPLBState", pb.SyncVPPLBStateRequest())

    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, str(failure))


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Refused("cannot pause what is disabled", hint="enable it first"), grpc.StatusCode.FAILED_PRECONDITION),
        (ConfigError("a weight is a whole number"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFound("there is no backend called 'web1'"), grpc.StatusCode.NOT_FOUND),
        (Forbidden("you are a viewer"), grpc.StatusCode.PERMISSION_DENIED),
        (Overloaded("256 wait for a sync already"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Unavailable("maglevd is starting"), grpc.StatusCode.UNAVAILABLE),
        (Broken("maglevd failed over this"), grpc.StatusCode.INTERNAL),
    ],
)
def test_each_kind_of_no_has_its_status_and_its_sentence(failure: MaglevError, code: grpc.StatusCode) -> None:
    error = refusal(Desk(failure), "PauseBackend", BACKEND)

    assert (error.code(), error.details()) == (code, str(failure))


@pytest.mark.parametrize("what", ["Check", "Reload"])
@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (None, (True, "", "")),
        (Faults(is_syntax=True, text="line 1: no"), (False, "line 1: no", "")),
        (Faults(is_syntax=False, text="line 2: no\nline 3: no"), (False, "", "line 2: no\nline 3: no")),
    ],
)
def test_a_configuration_is_judged(what: str, faults: Faults | None, expected: tuple[bool, str, str]) -> None:
    desk = Desk(faults=faults)
    messages = {"Check": pb.CheckConfigRequest(), "Reload": pb.ReloadConfigRequest()}
    answer = call(desk, f"{what}Config", messages[what], pb.CheckConfigResponse)

    assert (answer.ok, answer.parse_error, answer.semantic_error) == expected
    assert desk.told == [(what.lower(),)]
