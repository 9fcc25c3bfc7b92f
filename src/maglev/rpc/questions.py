"""The RPCs that ask: plain functions of the frozen Status and a request, which raise what they cannot answer."""

from maglev.core.naming import named
from maglev.core.status import FrontendStatus, Status
from maglev.errors import Unavailable
from maglev.rpc import counters, mapping
from maglev.rpc._pb import maglev_pb2 as pb

_NO_VPP = "is VPP running, and does maglevd's --vpp-api-addr name its socket? maglevd's log says what is wrong"


def list_frontends(status: Status, _: pb.ListFrontendsRequest) -> pb.ListFrontendsResponse:
    """All frontends, in the order of the config."""
    frontends = status.health.frontends.values()
    return pb.ListFrontendsResponse(
        frontends=[mapping.frontend_info(each, refused(status, each)) for each in frontends]
    )


def get_frontend(status: Status, request: pb.GetFrontendRequest) -> pb.FrontendInfo:
    """One frontend. Raises NotFound."""
    found = named("frontend", request.name, status.health.frontends)
    return mapping.frontend_info(found, refused(status, found))


def refused(status: Status, found: FrontendStatus) -> str | None:
    """What VPP answered to what the VIP of a frontend needs and does not get."""
    return status.lb.refused.get(found.frontend.vip) if status.lb else None


def list_backends(status: Status, _: pb.ListBackendsRequest) -> pb.ListBackendsResponse:
    """All backends, in the order of the config."""
    return pb.ListBackendsResponse(backends=map(mapping.backend_info, status.health.backends.values()))


def get_backend(status: Status, request: pb.GetBackendRequest) -> pb.BackendInfo:
    """One backend. Raises NotFound."""
    return mapping.backend_info(named("backend", request.name, status.health.backends))


def get_vpp_info(status: Status, _: pb.GetVPPInfoRequest) -> pb.VPPInfo:
    """The connected VPP. Raises Unavailable."""
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    return mapping.vpp_info(status.vpp)


def get_vpp_lb_state(status: Status, _: pb.GetVPPLBStateRequest) -> pb.VPPLBState:
    """VPP's load-balancer table. Raises Unavailable."""
    if status.lb is not None:
        return mapping.lb_state(status.lb)
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable("VPP's load-balancer table has not been read yet", hint="try again in a moment")


def get_vpp_lb_counters(status: Status, _: pb.GetVPPLBCountersRequest) -> pb.VPPLBCounters:
    """The newest sample, of all that VPP's table has. Raises Unavailable."""
    if status.sample is not None and status.lb is not None:
        return counters.lb_counters(status.sample, status.lb, status.health.backends)
    if status.vpp is None:
        raise Unavailable("no VPP is connected", hint=_NO_VPP)
    raise Unavailable(
        "VPP's counters have not been read yet", hint="try again in a moment; if it lasts, maglevd's log says why"
    )
