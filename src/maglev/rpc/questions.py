"""The RPCs that ask: plain functions of the frozen Status and a request, which raise what they cannot answer.

A long answer comes in parts, each a message of the answer's type: serialized and joined, they are the whole one. So
whoever asks for all of a large table holds nobody up: between two parts others may have their turn.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from maglev.core.naming import named
from maglev.core.status import FrontendStatus, LbStatus, Status
from maglev.errors import Unavailable
from maglev.rpc import counters, mapping, outlook
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.version import build

_NO_VPP = "is VPP running, and does maglevd's --vpp-api-addr name its socket? maglevd's log says what is wrong"


def list_frontends(status: Status, request: pb.ListFrontendsRequest) -> Iterator[pb.ListFrontendsResponse]:
    """All frontends, in the order of the config, in parts."""
    yield pb.ListFrontendsResponse()
    for name, each in status.health.frontends.items():
        info = pb.FrontendInfo(name=name) if request.names_only else mapping.frontend_info(each, refused(status, each))
        yield pb.ListFrontendsResponse(frontends=[info])


def get_frontend(status: Status, request: pb.GetFrontendRequest) -> pb.FrontendInfo:
    """One frontend. Raises NotFound."""
    return whole_frontend(status, named("frontend", request.name, status.health.frontends))


def whole_frontend(status: Status, found: FrontendStatus) -> pb.FrontendInfo:
    """A frontend with all that is known of its backends."""
    info = mapping.frontend_info(found, refused(status, found))
    vip = status.lb.observed.vips.get(found.frontend.vip) if status.lb else None
    mapping.add_backends(info, status.health.backends, vip)
    if vip is not None and status.lb is not None:
        info.audited_at_ns = status.lb.audited_at_ns
    return info


def refused(status: Status, found: FrontendStatus) -> str | None:
    """What VPP answered to what the VIP of a frontend needs and does not get."""
    return status.lb.refused.get(found.frontend.vip) if status.lb else None


def list_backends(status: Status, request: pb.ListBackendsRequest) -> Iterator[pb.ListBackendsResponse]:
    """All backends, in the order of the config, in parts."""
    yield pb.ListBackendsResponse()
    for name, each in status.health.backends.items():
        info = pb.BackendInfo(name=name) if request.names_only else mapping.backend_info(each)
        yield pb.ListBackendsResponse(backends=[info])


def get_backend(status: Status, request: pb.GetBackendRequest) -> pb.BackendInfo:
    """One backend. Raises NotFound."""
    return mapping.backend_info(named("backend", request.name, status.health.backends))


def list_health_checks(status: Status, _: pb.ListHealthChecksRequest) -> pb.ListHealthChecksResponse:
    """All health checks, in the order of the config."""
    users = _users(status)
    return pb.ListHealthChecksResponse(
        health_checks=[mapping.health_check_info(check, users[name]) for name, check in status.checks.items()]
    )


def get_health_check(status: Status, request: pb.GetHealthCheckRequest) -> pb.HealthCheckInfo:
    """One health check. Raises NotFound."""
    check = named("health check", request.name, status.checks)
    return mapping.health_check_info(check, _users(status)[check.name])


def _users(status: Status) -> Mapping[str, Sequence[str]]:
    """By name of the health check, the backends that have it."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for name, found in status.health.backends.items():
        if found.backend.check is not None:
            users[found.backend.check.name].append(name)
    return users


def get_vpp_info(status: Status, _: pb.GetVPPInfoRequest) -> pb.VPPInfo:
    """The connected VPP. Raises Unavailable."""
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    return mapping.vpp_info(status.vpp)


def get_vpp_lb_state(status: Status, _: pb.GetVPPLBStateRequest) -> Iterator[pb.VPPLBState]:
    """VPP's load-balancer table, in parts. Raises Unavailable at once."""
    return mapping.lb_state(_lb(status))


def get_vpp_lb_plan(status: Status, _: pb.GetVPPLBPlanRequest) -> Iterator[pb.VPPLBPlan]:
    """What is left to do to it, in parts. Raises Unavailable at once."""
    return outlook.lb_plan(status.health, _lb(status))


def _lb(status: Status) -> LbStatus:
    if status.lb is not None:
        return status.lb
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable(
        "VPP's load-balancer table has not been read yet",
        hint="after a start maglevd leaves VPP alone for startup-min-delay; if it lasts, its log says why",
    )


def get_vpp_lb_counters(status: Status, _: pb.GetVPPLBCountersRequest) -> Iterator[pb.VPPLBCounters]:
    """The newest sample, of all that VPP's table has, in parts. Raises Unavailable at once."""
    if status.sample is not None and status.lb is not None:
        return counters.lb_counters(status.sample, status.lb, status.health.backends, status.sample_interval_s)
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable(
        "VPP's counters have not been read yet", hint="try again in a moment; if it lasts, maglevd's log says why"
    )


def get_version(_: Status, __: pb.GetVersionRequest) -> pb.VersionInfo:
    """The maglevd that answers."""
    of = build()
    return pb.VersionInfo(version=of.version, commit=of.commit, date=of.date)
