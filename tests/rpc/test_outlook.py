from dataclasses import replace
from ipaddress import IPv4Address

from google.protobuf.json_format import MessageToDict

from maglev.core.observed import DelBackend, SetConf
from maglev.core.status import HealthStatus, LbStatus
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.outlook import lb_plan
from tests.rpc import statuses
from tests.rpc.parts import whole


def plan_of(lb: LbStatus, health: HealthStatus = statuses.HEALTH) -> pb.VPPLBPlan:
    return whole(lb_plan(health, lb))


def told(operation: pb.VPPLBOperation) -> dict[str, object]:
    return dict(MessageToDict(operation, preserving_proto_field_name=True))


WEB = {"prefix": "192.0.2.10/32", "protocol": "tcp", "port": 80}
NET = {"prefix": "198.51.100.0/25", "protocol": "any"}


def test_each_operation_is_told_with_its_effect_and_the_names_of_its_backend() -> None:
    plan = plan_of(statuses.LB)

    assert (plan.audited_at_ns, plan.held_back_s) == (statuses.LB.audited_at_ns, 0)
    gone, first, second = (told(each) for each in plan.operations)
    assert 0 < float(str(gone.pop("moves"))) < 0.02
    assert gone == {"kind": "del-backend", **WEB, "address": "10.1.0.10", "breaks_flows": True, "flows": "3"}
    assert first == {"kind": "add-backend", **NET, "address": "10.1.0.1", "backends": ["web1"], "weight": 7, "moves": 1}
    assert second == {
        "kind": "add-backend",
        **NET,
        "address": "10.1.0.3",
        "backends": ["spare", "spare-alias"],
        "weight": 0,
    }


def test_a_weight_of_zero_is_there_and_a_flush_is_told() -> None:
    observed = statuses.OBSERVED
    web = observed.vips[statuses.WEB]
    web2 = IPv4Address("10.1.0.2")
    heavy = replace(web, backends={**web.backends, web2: replace(web.backends[web2], weight=50, is_flushed=False)})
    plan = plan_of(replace(statuses.LB, observed=replace(observed, vips={**observed.vips, statuses.WEB: heavy})))

    operation = next(each for each in plan.operations if each.kind == "set-weight")
    assert (operation.address, list(operation.backends)) == ("10.1.0.2", ["web2"])
    assert (operation.HasField("weight"), operation.weight, operation.flush) == (True, 0, True)
    assert (operation.breaks_flows, operation.HasField("flows"), operation.flows) == (True, True, 0)


def test_vips_and_parameters_have_neither_address_nor_weight() -> None:
    vips = {key: vip for key, vip in statuses.OBSERVED.vips.items() if key != statuses.SIX}
    vips[statuses.vip("192.0.2.77/32")] = replace(statuses.OBSERVED.vips[statuses.NET])
    lb = replace(statuses.LB, observed=replace(statuses.OBSERVED, conf=None, vips=vips), held_back_s=30.0)
    assert lb.wish
    plan = plan_of(replace(lb, held=frozenset({SetConf(lb.wish)})))

    assert plan.held_back_s == 30
    bare = [told(each) for each in plan.operations if each.kind in ("set-parameters", "add-vip", "del-vip")]
    assert bare == [
        {"kind": "set-parameters", "breaks_flows": True, "waits": "refused"},
        {"kind": "add-vip", "prefix": "2001:db8::1/128", "protocol": "tcp", "port": 80, "waits": "held-back"},
        {"kind": "del-vip", "prefix": "192.0.2.77/32", "protocol": "tcp", "port": 80, "waits": "held-back"},
    ]


def test_why_it_waits_is_told_by_the_words_of_the_api() -> None:
    warming = replace(statuses.LB, is_warming_up=True)
    gone = DelBackend(statuses.WEB, IPv4Address("10.1.0.10"))

    for lb, health, expected in (
        (statuses.LB, statuses.HEALTH, {""}),
        (warming, statuses.HEALTH, {""}),
        (replace(warming, refused={}), HealthStatus(), {"warmup"}),
        (replace(statuses.LB, doubtful=frozenset({statuses.WEB, statuses.NET})), statuses.HEALTH, {"doubt"}),
        (replace(statuses.LB, held=frozenset({gone})), statuses.HEALTH, {"refused", ""}),
        (replace(statuses.LB, held_back_s=1.0), statuses.HEALTH, {"held-back"}),
    ):
        assert {each.waits for each in plan_of(lb, health).operations} == expected


def test_vips_of_which_nothing_is_planned_yet_are_counted_with_and_without_operations() -> None:
    warming = replace(statuses.LB, is_warming_up=True)
    states = {**statuses.HEALTH.backends, "web1": statuses.HEALTH.backends["six"]}
    unknown = HealthStatus(states, statuses.HEALTH.frontends)

    assert plan_of(statuses.LB).unknown_vips == 0
    plan = plan_of(warming)  # that of `six` is unknown anyhow
    assert (plan.unknown_vips, {each.waits for each in plan.operations}) == (1, {""})
    assert plan_of(warming, unknown) == pb.VPPLBPlan(audited_at_ns=statuses.LB.audited_at_ns, unknown_vips=3)


def test_with_nothing_to_do_the_plan_is_empty_and_no_name_is_looked_up() -> None:
    lb = LbStatus(statuses.OBSERVED, 7, wish=None)
    parts = list(
        lb_plan(HealthStatus(backends=statuses.HEALTH.backends), replace(lb, observed=replace(lb.observed, vips={})))
    )

    assert parts == [pb.VPPLBPlan(audited_at_ns=7)]
