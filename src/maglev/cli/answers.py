"""A question and a server -> what it answered; must not know where that goes.

What makes the pages of VPP is imported when it is needed: a start is short.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from google.protobuf.message import Message

from maglev.cli.client import Client
from maglev.cli.commands import (
    Question,
    ShowBackends,
    ShowFrontends,
    ShowHealthChecks,
    ShowLbCounters,
    ShowLbPlan,
    ShowLbState,
    ShowVersion,
    ShowVppInfo,
)
from maglev.cli.render import health
from maglev.cli.render.layout import Fields, Page, Text
from maglev.cli.times import Times
from maglev.errors import Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.version import build, told

_NS = 1_000_000_000
_SAMPLES_WAITED_FOR = 3  # before a maglevd that takes no new one is given up
_LEAST_PAUSE_S = 0.1
_INTERVAL_S = 5.0  # of a maglevd that does not tell its own


@dataclass(frozen=True, slots=True)
class Answer:
    """For machines the answer as the API has it, for people a page, which is made when asked for."""

    document: Message | Mapping[str, object]
    page: Callable[[], Page]


def answer(question: Question, client: Client, times: Times) -> Answer:
    """Ask. Raises Refused and Unavailable as the client does."""
    match question:
        case ShowVersion():
            return _of_versions(client)
        case ShowFrontends(name):
            return _of_frontends(name, client, times)
        case ShowBackends(name):
            return _of_backends(name, client, times)
        case ShowHealthChecks(name):
            return _of_health_checks(name, client)
        case ShowVppInfo():
            return _of_vpp(client, times)
        case ShowLbState():
            return _of_state(client, times)
        case ShowLbCounters(is_rate):
            figures = client.lb_counters()
            return _rate(figures, client, times) if is_rate else of_counters(figures, times)
        case ShowLbPlan():
            return _of_plan(client, times)
        case _:
            assert_never(question)


def _of_versions(client: Client) -> Answer:
    own, theirs = build(), client.version()
    fields = Fields((("maglevc", str(own)), ("maglevd", told(theirs.version, theirs.commit, theirs.date))))
    return Answer({"maglevc": own.version, "maglevd": theirs.version}, lambda: (fields,))


def _of_backends(name: str | None, client: Client, times: Times) -> Answer:
    if name is None:
        backends = pb.ListBackendsResponse(backends=client.backends())
        return Answer(backends, lambda: health.backends(backends.backends, times.now_ns()))
    backend = client.backend(name)
    return Answer(backend, lambda: health.backend(backend, times.now_ns()))


def _of_health_checks(name: str | None, client: Client) -> Answer:
    if name is None:
        checks = pb.ListHealthChecksResponse(health_checks=client.health_checks())
        return Answer(checks, lambda: health.health_checks(checks.health_checks))
    check = client.health_check(name)
    return Answer(check, lambda: health.health_check(check))


def _of_frontends(name: str | None, client: Client, times: Times) -> Answer:
    if name is None:
        frontends = pb.ListFrontendsResponse(frontends=client.frontends())
        return Answer(frontends, lambda: (*health.frontends(frontends.frontends, times.now_ns()), *_vpp_missed(client)))
    frontend = client.frontend(name)
    return Answer(
        frontend,
        lambda: (*health.frontend(frontend, times.now_ns()), *(_vpp_missed(client) or _vip_missed(frontend))),
    )


def _of_vpp(client: Client, times: Times) -> Answer:
    from maglev.cli.render import vpp

    info = client.vpp_info()
    return Answer(info, lambda: vpp.info(info, times.now_ns()))


def _of_state(client: Client, times: Times) -> Answer:
    from maglev.cli.render import vpp

    state = client.lb_state()
    return Answer(state, lambda: vpp.state(state, times.now_ns()))


def _of_plan(client: Client, times: Times) -> Answer:
    from maglev.cli.render import vpp

    plan = client.lb_plan()
    return Answer(plan, lambda: vpp.plan(plan, times.now_ns()))


def of_counters(figures: pb.VPPLBCounters, times: Times) -> Answer:
    """One sample."""
    from maglev.cli.render import counters

    return Answer(figures, lambda: counters.counters(figures, times.now_ns()))


def of_rates(before: pb.VPPLBCounters, after: pb.VPPLBCounters, times: Times) -> Answer:
    """What grew between two samples, by the second."""
    from maglev.cli.render import counters

    rates = counters.rates(before, after)
    return Answer(rates.mapping(), lambda: counters.rates_page(rates, times.now_ns()))


def _rate(before: pb.VPPLBCounters, client: Client, times: Times) -> Answer:
    """Waits for the next sample. Raises Unavailable when there is none after the time of three."""
    interval_s = before.interval_s or _INTERVAL_S
    age_s = (times.now_ns() - before.taken_at_ns) / _NS
    first_s = min(max(interval_s - age_s, _LEAST_PAUSE_S), interval_s)  # clocks may differ
    pauses = [first_s, *[max(interval_s / 4, _LEAST_PAUSE_S)] * 4 * _SAMPLES_WAITED_FOR]
    for pause_s in pauses:
        times.pause(pause_s)
        after = client.lb_counters()
        if after.taken_at_ns > before.taken_at_ns:
            return of_rates(before, after, times)
        before = after  # if it is earlier, the router's clock was set back
    raise Unavailable(
        f"no new sample of VPP's counters within {sum(pauses):.3g} s", hint="maglevd's log says what is wrong"
    )


def _vpp_missed(client: Client) -> Page:
    """What is to be said below the state of a frontend, which follows from health alone."""
    try:
        client.vpp_info()
    except Refused as error:
        return (Text((f"not being written to VPP: {error}",)),)
    except Unavailable:  # a moment ago it answered what was asked for
        pass
    return ()


def _vip_missed(frontend: pb.FrontendInfo) -> Page:
    if frontend.HasField("audited_at_ns") or frontend.HasField("refused"):
        return ()
    return (Text(("not in VPP's table as far as maglevd knows; `show vpp lb plan` tells what it waits for",)),)
