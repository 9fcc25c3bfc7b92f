"""The agenda against a VPP that obeys VPP's rules and, beyond them, refuses what it likes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.core.agenda import Agenda
from maglev.core.audits import AuditReason
from maglev.core.desired import Desired, desired_vip, resolve
from maglev.core.health import Health, State
from maglev.core.model import Backend, Encap, Frontend, LbConf, Pool, VipKey
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Observed, Op, SetConf, SetWeight
from maglev.core.plan import Step
from maglev.core.scope import Scope
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.core.warmup import Warmup
from tests.core.cases import KEY
from tests.core.simulator import RefusedByVpp, Vpp

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
OTHER, SIBLING = replace(KEY, port=8080), replace(KEY, port=443)
NAMES = ["a", "b", "c"]
BACKENDS = {name: Backend(name, IPv4Address(f"10.0.0.{n}"), None, enabled=True) for n, name in enumerate(NAMES, 1)}
A, B = BACKENDS["a"].address, BACKENDS["b"].address
UP, DOWN = State.UP, State.DOWN
ALL_UP = dict.fromkeys(NAMES, UP)


def frontend(name: str, vip: VipKey, *pools: Sequence[str], sticky: bool = False) -> Frontend:
    named = tuple(Pool(f"p{n}", dict.fromkeys(names, 100)) for n, names in enumerate(pools))
    return Frontend(name, "", vip, named, Encap.GRE4, src_ip_sticky=sticky, flush_on_down=True)


WEB = frontend("web", KEY, ["a", "b"], ["c"])
TLS = frontend("tls", SIBLING, ["a"], ["b"])


def health(states: dict[str, State], *frontends: Frontend) -> HealthStatus:
    return HealthStatus(
        {name: BackendStatus(BACKENDS[name], Health(state, 0), 0, ()) for name, state in states.items()},
        {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends or (WEB, TLS)},
    )


def wish(status: HealthStatus) -> Desired:
    return Desired(
        CONF, {f.frontend.vip: desired_vip(f.frontend, f.resolved, BACKENDS) for f in status.frontends.values()}
    )


class Site:
    """An agenda, the VPP that it is for, and what a reconciler does between them."""

    def __init__(self, status: HealthStatus, denies: Callable[[Op], bool] = lambda _: False) -> None:
        self.vpp = Vpp(Observed(None, {}))
        self.agenda = Agenda(CONF, Warmup(0, 0), Scope())
        self.health = status
        self.denies = denies
        self.now_s = 100.0
        self.sent: list[Op] = []
        self.told: list[tuple[Op, str]] = []
        self.audits: list[AuditReason] = []

    def plan(self) -> None:
        self.agenda.look(self.health, self.now_s, self.now_s)
        for _ in self.agenda.plan():
            pass

    def audit(self) -> None:
        self.begin_audit()
        self.end_audit()

    def begin_audit(self) -> None:
        self.agenda.audit_begins()
        self.reading = self.vpp.audit()

    def end_audit(self) -> None:
        for _ in self.agenda.audited(self.reading):
            pass

    def settle(self, size: int = 512) -> None:
        """Until there is nothing to do now."""
        for _ in range(100):
            if reason := self.agenda.reason_to_audit:
                self.audits.append(reason)
                self.audit()
            self.plan()
            if self.agenda.queue:
                self.write(size)
            elif not self.agenda.reason_to_audit:
                return
        raise AssertionError(f"never settles: {self.agenda.queue}")

    def write(self, size: int) -> None:
        steps: list[Step] = []
        while self.agenda.queue and sum(len(step.ops) for step in steps) < size:
            steps.append(self.agenda.take())
        answers = [self._one(op) for step in steps for op in step.ops]
        refused = {op for op, reason in answers if reason}
        answers += [self._one(op) for step in steps if refused.isdisjoint(step.ops) for op in step.then]
        self.told += self.agenda.answered(answers, self.now_s)

    def _one(self, op: Op) -> tuple[Op, str | None]:
        self.sent.append(op)
        if self.denies(op):
            return op, "it does not want to"
        try:
            self.vpp.execute(op)
        except RefusedByVpp as error:
            return op, str(error.retval)
        return op, None

    @property
    def is_right(self) -> bool:
        return not self.vpp.differences(wish(self.health))


def test_an_empty_vpp_gets_everything_and_is_read_for_its_indexes() -> None:
    site = Site(health(ALL_UP))
    site.settle()

    assert site.is_right
    assert site.audits == [AuditReason.START, AuditReason.INDEXES]
    assert isinstance(site.sent[0], SetConf)


def test_a_transition_writes_its_frontends_and_reads_nothing() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.sent.clear()
    site.health = health({**ALL_UP, "b": DOWN})
    site.settle()

    assert site.sent == [SetWeight(KEY, B, 0, flush=True)]
    assert site.audits == [AuditReason.START, AuditReason.INDEXES]


def test_many_transitions_at_once_write_each_vip_once() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.sent.clear()
    for number in range(200):
        site.health = health({**ALL_UP, "a": DOWN if number % 2 else UP, "b": UP})
    site.settle()

    assert site.sent == [
        SetWeight(KEY, A, 0, flush=True),
        SetWeight(SIBLING, B, 100, flush=False),
        SetWeight(SIBLING, A, 0, flush=True),
    ]


def test_frontends_that_come_go_and_change_with_a_reload_are_planned() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.sent.clear()
    moved = replace(WEB, vip=OTHER)
    site.health = health(ALL_UP, moved)
    site.settle()

    assert site.is_right
    assert {op.vip for op in site.sent if isinstance(op, DelVip)} == {KEY, SIBLING}
    site.sent.clear()
    site.health = health(ALL_UP, replace(moved, src_ip_sticky=True), TLS)
    site.settle()
    assert site.is_right
    assert [op.vip for op in site.sent if isinstance(op, AddVip)] == [SIBLING, OTHER]


def test_an_answer_that_does_not_fit_puts_the_prefix_in_doubt_until_the_table_is_read() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.vpp.vips[KEY].servers.pop(A)  # by other hands
    site.sent.clear()
    site.health = health({**ALL_UP, "a": DOWN})
    site.settle()

    assert site.audits[2:] == [AuditReason.DOUBT, AuditReason.INDEXES]
    assert site.is_right
    assert site.agenda.refused() == ("", {})


def test_nothing_is_queued_for_a_vip_in_doubt() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "a": DOWN}, WEB)
    site.plan()
    site.write(1)
    site.health = health({**ALL_UP, "a": DOWN, "b": DOWN}, WEB)
    site.plan()

    assert not site.agenda.queue
    assert site.agenda.reason_to_audit is AuditReason.DOUBT


def test_what_vpp_keeps_refusing_is_told_once_costs_one_audit_and_comes_back_with_time() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    stuck = SetWeight(KEY, B, 0, flush=True)
    site.denies = lambda op: op == stuck
    site.sent.clear()
    site.health = health({**ALL_UP, "b": DOWN})
    for _ in range(1000):
        site.settle()
        site.now_s += 1

    assert site.told == [(stuck, "it does not want to")]
    assert site.audits[2:] == [AuditReason.DOUBT]
    assert 8 <= site.sent.count(stuck) == len(site.sent) <= 12
    assert site.agenda.refused() == ("", {KEY: "it does not want to"})
    site.denies = lambda _: False
    site.now_s += 300
    site.settle()
    assert site.is_right
    assert site.agenda.refused() == ("", {})


def test_what_was_done_beside_a_known_refusal_of_the_same_vip_is_in_doubt_again() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    stuck = SetWeight(KEY, B, 0, flush=True)
    site.denies = lambda op: op == stuck
    site.health = health({**ALL_UP, "b": DOWN}, WEB)
    site.settle()
    site.audits.clear()
    site.now_s += 100  # it comes free together with a transition of the same VIP
    site.health = health({**ALL_UP, "a": DOWN, "b": DOWN}, WEB)
    site.settle()

    assert site.audits[:1] == [AuditReason.DOUBT]


def test_many_refusals_cost_one_audit_together() -> None:
    crowd = [frontend(f"f{port}", replace(KEY, port=port), ["a", "b"]) for port in range(1, 401)]
    site = Site(health(ALL_UP, *crowd))
    site.settle()
    site.audits.clear()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "a": DOWN}, *crowd)
    site.settle(size=50)

    assert site.audits == [AuditReason.DOUBT]
    assert len(site.agenda.refused()[1]) == 400


def test_a_doubt_waits_for_the_queue_but_not_for_long() -> None:
    crowd = [frontend(f"f{port}", replace(KEY, port=port), ["a", "b"]) for port in range(1, 401)]
    site = Site(health(ALL_UP, *crowd))
    site.settle()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "a": DOWN}, *crowd)
    site.plan()
    site.write(1)
    site.plan()
    assert site.agenda.reason_to_audit is None
    site.now_s += 1
    site.plan()
    assert site.agenda.reason_to_audit is AuditReason.DOUBT


def test_a_refusal_that_was_put_right_by_hand_is_not_shown_after_the_next_audit() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "b": DOWN})
    site.settle()
    site.vpp.vips[KEY].servers[B].weight = 0
    site.vpp.vips[KEY].servers[B].has_flows = False
    site.health = health(ALL_UP, replace(WEB, flush_on_down=False), TLS)
    site.health = health({**ALL_UP, "b": DOWN}, replace(WEB, flush_on_down=False), TLS)
    site.audit()
    site.settle()

    assert site.agenda.refused() == ("", {})


def test_what_is_written_while_the_table_is_read_is_known_after_it() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.begin_audit()
    site.health = health({**ALL_UP, "b": DOWN})
    site.plan()
    site.write(100)
    site.end_audit()
    site.sent.clear()
    site.settle()

    assert site.is_right
    assert site.sent == []
    assert site.agenda.drift == []


def test_a_doubt_that_came_up_while_the_table_was_read_stays_until_the_next_reading() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.begin_audit()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "b": DOWN}, WEB)
    site.plan()
    site.write(100)
    site.end_audit()
    site.plan()

    assert not site.agenda.queue
    assert site.agenda.reason_to_audit is AuditReason.DOUBT


def test_indexes_of_a_table_that_gained_a_vip_while_it_was_read_are_not_to_be_used() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.begin_audit()
    site.health = health(ALL_UP, WEB, TLS)
    site.plan()
    site.write(100)
    site.end_audit()
    site.plan()

    assert site.agenda.shadow is not None
    assert site.agenda.shadow.moved
    assert site.agenda.reason_to_audit is AuditReason.INDEXES


def test_a_refusal_that_nobody_wants_to_repeat_is_forgotten_after_a_while_and_not_shown_meanwhile() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.denies = lambda op: isinstance(op, SetWeight)
    for wait_s in (1, 100, 1):
        site.health = health({**ALL_UP, "b": DOWN}, WEB)
        site.plan()
        site.write(1)
        site.health = health(ALL_UP, WEB)
        site.settle()
        assert site.agenda.refused() == ("", {})
        site.now_s += wait_s

    assert len(site.told) == 2


def test_what_only_the_plan_beside_a_hold_wants_is_not_news_again_and_again() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.audits.clear()
    site.denies = lambda op: isinstance(op, SetWeight | DelVip | DelBackend)
    sticky = replace(WEB, src_ip_sticky=True)
    site.health = health({**ALL_UP, "b": DOWN}, sticky)
    for _ in range(600):
        site.settle()
        site.now_s += 1

    assert len(site.told) <= 3
    assert len(site.audits) <= 20  # each try that is due may do something beside what is refused


def test_no_drift_is_told_of_what_was_acknowledged_of_a_vip_in_doubt() -> None:
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.denies = lambda op: op == SetWeight(KEY, B, 0, flush=True)
    site.health = health({**ALL_UP, "a": DOWN, "b": DOWN}, WEB)
    site.plan()
    site.write(100)
    site.denies = lambda _: False
    site.health = health(ALL_UP, WEB)
    site.audit()
    site.plan()

    assert site.agenda.drift == []


def test_drift_is_what_the_table_needs_beyond_what_we_knew() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.vpp.vips[KEY].servers[B].weight = 7
    site.health = health({**ALL_UP, "a": DOWN})
    site.audit()
    site.plan()

    assert site.agenda.drift == [SetWeight(KEY, B, 100, flush=False)]
    site.plan()
    assert site.agenda.drift == []


def test_a_forgiven_refusal_is_tried_at_once() -> None:
    site = Site(health(ALL_UP))
    site.settle()
    site.denies = lambda op: isinstance(op, SetWeight)
    site.health = health({**ALL_UP, "b": DOWN})
    site.settle()
    site.denies = lambda _: False
    site.settle()
    assert not site.is_right
    site.agenda.forgive()
    site.audit()
    site.settle()
    assert site.is_right


def test_a_failover_goes_before_what_is_queued_already() -> None:
    crowd = [frontend(f"f{port}", replace(KEY, port=port), ["a", "b"]) for port in range(1, 100)]
    site = Site(health(ALL_UP, WEB))
    site.settle()
    site.health = health(ALL_UP, WEB, *crowd)
    site.plan()
    site.write(30)
    site.health = health({**ALL_UP, "a": DOWN}, WEB, *crowd)
    site.plan()

    assert site.agenda.take().ops == (SetWeight(replace(KEY, port=1), A, 0, flush=True),)
    site.settle()
    assert site.is_right


states = st.fixed_dictionaries({name: st.sampled_from(list(State)) for name in NAMES})
lineups = st.lists(
    st.builds(
        lambda vip, pools, sticky: frontend(str(vip), vip, *pools, sticky=sticky),
        st.sampled_from([KEY, SIBLING, OTHER]),
        st.sampled_from([[["a", "b"], ["c"]], [["a"], ["b"]], [["c"]], [["a", "b", "c"]]]),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda f: f.vip,
)
moves = st.lists(st.tuples(states, lineups, st.integers(1, 9), st.integers(0, 3), st.integers(0, 40)), max_size=8)


def in_a_mood(mood: int, op: Op) -> bool:
    """Refuses some operations, the same ones each time; more of them the larger `mood` is."""
    return sum(map(ord, str(op))) % 41 < mood // 2


@settings(max_examples=200)
@given(moves, states, lineups)
def test_whatever_happens_it_ends_as_wished_when_vpp_refuses_no_more(
    story: list[tuple[dict[str, State], list[Frontend], int, int, int]],
    last: dict[str, State],
    final: list[Frontend],
) -> None:
    site = Site(health(ALL_UP))
    for now, frontends, size, writes, mood in story:
        site.health = health(now, *frontends) if frontends else HealthStatus(health(now).backends, {})
        site.denies = partial(in_a_mood, mood)
        is_reading = False
        for turn in range(writes):
            if site.agenda.reason_to_audit and not is_reading:
                site.begin_audit()
                is_reading = True
            if is_reading and (turn + mood) % 2:
                site.end_audit()
                is_reading = False
            site.plan()
            if site.agenda.queue:
                site.write(size)
        if is_reading:
            site.end_audit()
        site.now_s += 7
    site.denies = lambda _: False
    site.health = health(last, *final) if final else HealthStatus(health(last).backends, {})
    site.now_s += 1000
    site.settle()

    assert site.is_right
    sent = len(site.sent)
    site.settle()
    assert len(site.sent) == sent
    assert AddBackend in {type(op) for op in site.sent} or not final
