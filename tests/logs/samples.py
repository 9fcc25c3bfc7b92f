"""At least one event of each class, at each of the levels that it can have."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

from maglev.core.audits import AuditReason
from maglev.core.desired import FrontendState
from maglev.core.events import (
    ActivePoolChanged,
    Audited,
    BackendAdded,
    BackendTransition,
    ConfChange,
    ConfigReloaded,
    Drift,
    Event,
    FrontendAdded,
    FrontendRemoved,
    FrontendTransition,
    HeldBack,
    ListingUnreadable,
    LoopStalled,
    OpApplied,
    OpRefused,
    Ordered,
    Outcome,
    ProbeDone,
    ProbesInconclusive,
    ProbeStarted,
    Programmed,
    ReloadRefused,
    SampleFailed,
    UplinkSuspected,
    VppConnected,
    VppDisconnected,
    VppMessage,
    VppUnavailable,
    WeightSaid,
)
from maglev.core.health import State
from maglev.core.model import TCP, LbConf, ProbeResult, VipKey, VppInfo
from maglev.core.plan import AddBackend, DelVip

VIP = VipKey(IPv4Network("192.0.2.1/32"), TCP, 80)
BACKEND = IPv4Address("10.0.0.1")
ADD = AddBackend(VIP, BACKEND, 5)
CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 65536, 40)

SAMPLES: tuple[Event, ...] = (
    ProbeStarted("web1", "http", 0.25),
    ProbeDone("web1", "http", ProbeResult(True, "L7OK", "HTTP status 200", 0.003)),
    ProbesInconclusive("web1", "tcp", "SOCKERR", "no socket; raise LimitNOFILE", 7),
    LoopStalled(2, 0.4, 1.5),
    UplinkSuspected(6, 10),
    BackendTransition("web1", BACKEND, State.UNKNOWN, State.UP, "L7OK", "HTTP status 200", 1),
    BackendTransition("web1", BACKEND, State.UP, State.DOWN, "L4TOUT", "no answer", 1),
    FrontendTransition("www", FrontendState.UNKNOWN, FrontendState.UP, 1),
    FrontendTransition("www", FrontendState.UP, FrontendState.DOWN, 1),
    BackendAdded("web1", BACKEND, State.UNKNOWN, 1),
    FrontendAdded("www", FrontendState.UNKNOWN, 1),
    FrontendRemoved("www", FrontendState.UP, 1),
    ActivePoolChanged("www", None, "main", 0),
    ActivePoolChanged("www", "main", None, None),
    Ordered("certificate alice", "ipv4", "root", "PauseBackend", "backend web1", "up", "paused", Outcome.OK, "ok"),
    Ordered("certificate bob", "ipv4", "", "PauseBackend", "web1", None, None, Outcome.DENIED, "DENIED", 7),
    WeightSaid("www", "main", "web1", 100, 5, flush=True),
    ConfigReloaded(("backend web2",), ("backend web3",), (), 1, frozenset({"web3"}), frozenset()),
    ReloadRefused(("frontends.www: no such key",)),
    VppConnected(VppInfo("26.10", "today", "/src", 42, 1, 2)),
    VppDisconnected("the peer closed", 5.0),
    VppUnavailable("no such file", 5.0),
    VppMessage("lb_conf", "send", "ok"),
    VppMessage("lb_conf_reply", "recv", "-6"),
    OpApplied(ADD),
    OpApplied(DelVip(VIP, "not configured")),
    Programmed((ADD,)),
    OpRefused(ADD, "retval -81"),
    HeldBack(3, 30.0),
    ConfChange(None, CONF, has_vips=False),
    ConfChange(None, CONF, has_vips=True),
    Audited(AuditReason.DRIFT, 0.01, 30.0, is_slower=False),
    Audited(AuditReason.DRIFT, 0.01, 60.0, is_slower=True),
    Drift((ADD,)),
    ListingUnreadable("an unknown line"),
    SampleFailed("no segment"),
)
