"""What each page looks like at 80 columns, at 160 and without any limit; one file a page, beside this one.

`python -m tests.cli.golden` writes them anew; read the difference before you commit it.
"""

from pathlib import Path

from maglev.cli.render import counters, health, layout, vpp
from maglev.rpc._pb import maglev_pb2 as pb
from tests.cli import messages as m

HERE = Path(__file__).parent
WIDTHS = {"80 columns": 80, "160 columns": 160, "no limit": None}
_EARLIER = m.counters(at_ns=m.NOW - 7 * m.SECOND)
_RESTARTED = m.counters(grown=1234, at_ns=m.NOW - 2 * m.SECOND)
_RESTARTED.vips[0].since_ns += 1

PAGES: dict[str, layout.Page] = {
    "show-frontends": health.frontends(m.FRONTENDS, m.NOW),
    "show-frontends-long": health.frontends((*m.FRONTENDS, m.SIX), m.NOW),
    "show-frontends-web": health.frontend(m.WEB, m.NOW),
    "show-frontends-shop": health.frontend(m.SHOP, m.NOW),
    "show-frontends-six": health.frontend(m.SIX, m.NOW),
    "show-backends": health.backends(m.BACKENDS, m.NOW),
    "show-backends-web2": health.backend(m.BACKENDS[1], m.NOW),
    "show-backends-web3": health.backend(m.BACKENDS[2], m.NOW),
    "show-healthchecks": health.health_checks(m.HEALTH_CHECKS),
    **{f"show-healthchecks-{each.name}": health.health_check(each) for each in m.HEALTH_CHECKS},
    "show-vpp-info": vpp.info(m.VPP, m.NOW),
    "show-vpp-lb-state": vpp.state(m.LB_STATE, m.NOW),
    "show-vpp-lb-state-troubled": vpp.state(
        pb.VPPLBState(doubtful=2, held_back_s=30, conf_refused="VPP says no", audited_at_ns=m.NOW), m.NOW
    ),
    "show-vpp-lb-plan": vpp.plan(m.PLAN, m.NOW),
    "show-vpp-lb-plan-nothing": vpp.plan(pb.VPPLBPlan(audited_at_ns=m.NOW - 12 * m.SECOND), m.NOW),
    "show-vpp-lb-plan-unknown": vpp.plan(pb.VPPLBPlan(audited_at_ns=m.NOW - 12 * m.SECOND, unknown_vips=12), m.NOW),
    "show-vpp-lb-plan-warmup": vpp.plan(
        pb.VPPLBPlan(audited_at_ns=m.NOW, unknown_vips=1, operations=[m.operation("del-vip", waits="warmup")]), m.NOW
    ),
    "show-vpp-lb-plan-held-back": vpp.plan(
        pb.VPPLBPlan(audited_at_ns=m.NOW, held_back_s=60, operations=[m.operation("add-vip", waits="held-back")]), m.NOW
    ),
    "sync-vpp-lb-state": vpp.synced(
        pb.SyncVPPLBStateResponse(audited_at_ns=m.NOW - m.SECOND, operations=3, refused_vips=1), m.NOW
    ),
    "sync-vpp-lb-state-nothing": vpp.synced(pb.SyncVPPLBStateResponse(audited_at_ns=m.NOW), m.NOW),
    "show-vpp-lb-counters": counters.counters(m.counters(), m.NOW),
    "show-vpp-lb-counters-big": counters.counters(m.counters(big=987654321), m.NOW),
    "show-vpp-lb-rates": counters.rates_page(counters.rates(_EARLIER, _RESTARTED), m.NOW),
    "empty": (*health.backends([], m.NOW), *health.frontends([], m.NOW)),
}


def drawn(page: layout.Page) -> str:
    """The text of a golden file."""
    return "".join(
        f"=== {name}\n" + "".join(f"{line}\n" for line in layout.lines(page, width, layout.plain))
        for name, width in WIDTHS.items()
    )


def path(name: str) -> Path:
    return HERE / f"{name}.txt"
