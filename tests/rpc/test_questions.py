from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.status import Status
from maglev.errors import NotFound, Refused, Unavailable
from maglev.rpc import questions
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.version import build
from tests.rpc import statuses
from tests.rpc.parts import whole


def test_names_come_in_the_order_of_the_config() -> None:
    frontends = whole(questions.list_frontends(statuses.FULL, pb.ListFrontendsRequest())).frontends
    backends = whole(questions.list_backends(statuses.FULL, pb.ListBackendsRequest())).backends

    assert [each.name for each in frontends] == ["web", "shop", "net", "six"]
    assert [each.name for each in backends] == ["web2", "web1", "spare", "spare-alias", "six"]


def test_names_alone_are_the_names_and_nothing_else() -> None:
    frontends = whole(questions.list_frontends(statuses.FULL, pb.ListFrontendsRequest(names_only=True))).frontends
    backends = whole(questions.list_backends(statuses.FULL, pb.ListBackendsRequest(names_only=True))).backends

    assert list(frontends) == [pb.FrontendInfo(name=name) for name in statuses.HEALTH.frontends]
    assert list(backends) == [pb.BackendInfo(name=name) for name in statuses.HEALTH.backends]


def test_a_frontend_alone_says_what_its_backends_are_and_have_in_vpp() -> None:
    info = questions.get_frontend(statuses.FULL, pb.GetFrontendRequest(name="web"))
    web1, web2, spare = (each for pool in info.pools for each in pool.backends)

    assert (web1.address, web1.state, web1.changed_at_ns) == (
        "10.1.0.1",
        "up",
        statuses.NOW_NS - 40 * statuses.HOUR_NS,
    )
    assert (web1.buckets, web1.flows) == (1024, 398)
    assert (web2.state, web2.file_weight, web2.HasField("flows"), web2.flows) == ("down", 80, True, 0)
    assert (spare.buckets, spare.flows, spare.HasField("file_weight")) == (0, 7, False)
    (listed, *_) = whole(questions.list_frontends(statuses.FULL, pb.ListFrontendsRequest())).frontends
    assert (listed.changed_at_ns, listed.pools[0].backends[1].file_weight) == (info.changed_at_ns, 80)
    assert not any(each.address for pool in listed.pools for each in pool.backends)


@pytest.mark.parametrize(("status", "name"), [(statuses.NO_VPP, "web"), (statuses.FULL, "net"), (statuses.FULL, "six")])
def test_what_a_backend_has_in_vpp_is_absent_where_it_is_not_known(status: Status, name: str) -> None:
    for pool in questions.get_frontend(status, pb.GetFrontendRequest(name=name)).pools:
        for each in pool.backends:
            assert each.address
            assert not each.HasField("buckets")
            assert not each.HasField("flows")


def test_the_version_is_ours() -> None:
    told = questions.get_version(statuses.EMPTY, pb.GetVersionRequest())

    assert (told.version, told.commit, told.date) == (build().version, build().commit, build().date)


def test_a_frontend_whose_vip_vpp_refuses_says_so() -> None:
    infos = whole(questions.list_frontends(statuses.FULL, pb.ListFrontendsRequest())).frontends
    refused = {info.name: info.refused for info in infos if info.HasField("refused")}

    assert refused == {"shop": "lb_add_del_as_v2 refused (retval=-73)"}
    assert questions.get_frontend(statuses.FULL, pb.GetFrontendRequest(name="shop")).refused == refused["shop"]
    assert not questions.get_frontend(statuses.FULL, pb.GetFrontendRequest(name="web")).HasField("refused")


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(Refused) as refused:
        questions.get_frontend(statuses.FULL, pb.GetFrontendRequest(name="wbe"))

    assert str(refused.value) == "there is no frontend called 'wbe'; the nearest is 'web'"


def test_a_name_like_no_other_is_told_with_what_there_is() -> None:
    with pytest.raises(Refused) as refused:
        questions.get_backend(statuses.FULL, pb.GetBackendRequest(name="qqq"))

    listed = "'web2', 'web1', 'spare', 'spare-alias', 'six'"
    assert str(refused.value) == f"there is no backend called 'qqq'; there is {listed}"


def test_a_long_list_of_names_is_cut() -> None:
    backends = {f"b{n}": statuses.BACKENDS[0] for n in range(5000)}
    status = Status(type(statuses.HEALTH)(backends, {}))

    with pytest.raises(Refused) as refused:
        questions.get_backend(status, pb.GetBackendRequest(name="qqq"))

    assert str(refused.value).endswith("there are 'b0', 'b1', 'b2', 'b3', 'b4' and 4995 more")


def test_without_any_backend_that_is_what_is_said() -> None:
    with pytest.raises(Refused, match="no backends are configured"):
        questions.get_backend(statuses.EMPTY, pb.GetBackendRequest(name="web1"))


def test_health_checks_come_in_the_order_of_the_config_with_those_who_have_them() -> None:
    spare = replace(statuses.CHECK, name="a-spare")
    status = replace(statuses.FULL, checks={**statuses.CHECKS, "a-spare": spare})
    infos = questions.list_health_checks(status, pb.ListHealthChecksRequest()).health_checks

    assert [(info.name, list(info.backends)) for info in infos] == [
        ("http-check", ["web2", "web1", "spare-alias", "six"]),  # "spare" has none
        ("a-spare", []),
    ]
    for info in infos:
        assert questions.get_health_check(status, pb.GetHealthCheckRequest(name=info.name)) == info


def test_an_unknown_health_check_is_told_with_the_nearest_one() -> None:
    with pytest.raises(NotFound) as refused:
        questions.get_health_check(statuses.FULL, pb.GetHealthCheckRequest(name="htp-check"))

    assert str(refused.value) == "there is no health check called 'htp-check'; the nearest is 'http-check'"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_name_is_an_answer_or_one_short_printable_line(name: str) -> None:
    request = pb.GetBackendRequest(name=name)
    if name in statuses.HEALTH.backends:
        assert questions.get_backend(statuses.FULL, request).name == name
        return

    with pytest.raises(Refused) as refused:
        questions.get_backend(statuses.FULL, request)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("status", [statuses.NO_VPP, statuses.EMPTY])
def test_without_vpp_every_vpp_call_is_unavailable_and_says_what_to_do(status: Status) -> None:
    hint = "no VPP is connected; is VPP running, and does maglevd's --vpp-api-addr name its socket"

    with pytest.raises(Unavailable, match=hint):
        questions.get_vpp_info(status, pb.GetVPPInfoRequest())
    with pytest.raises(Unavailable, match=hint):
        questions.get_vpp_lb_state(status, pb.GetVPPLBStateRequest())
    with pytest.raises(Unavailable, match=hint):
        questions.get_vpp_lb_plan(status, pb.GetVPPLBPlanRequest())
    with pytest.raises(Unavailable, match=hint):
        questions.get_vpp_lb_counters(status, pb.GetVPPLBCountersRequest())


def test_before_the_first_audit_and_sample_the_calls_say_to_try_again() -> None:
    assert questions.get_vpp_info(statuses.JUST_CONNECTED, pb.GetVPPInfoRequest()).pid == 4711
    with pytest.raises(Unavailable, match="has not been read yet; after a start"):
        questions.get_vpp_lb_state(statuses.JUST_CONNECTED, pb.GetVPPLBStateRequest())
    with pytest.raises(Unavailable, match="has not been read yet; after a start"):
        questions.get_vpp_lb_plan(statuses.JUST_CONNECTED, pb.GetVPPLBPlanRequest())
    with pytest.raises(Unavailable, match="have not been read yet; try again"):
        questions.get_vpp_lb_counters(statuses.JUST_CONNECTED, pb.GetVPPLBCountersRequest())
