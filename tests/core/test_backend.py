"""One backend's life against an independent model: states by name, counters by hand."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core import backend as life
from maglev.core.health import Health, Order, State
from maglev.core.model import Backend, HealthCheck, Policy, ProbeResult, TcpSpec, Timing
from maglev.core.status import BackendStatus
from maglev.errors import Refused

PASS = ProbeResult(True, "L4OK", "connected", 0.01)
FAIL = ProbeResult(False, "L4CON", "refused", 0.01)
UNSURE = ProbeResult(None, "SOCKERR", "no socket", 0.0)
HISTORY = 3


def check(port: int, rise: int = 2, fall: int = 3) -> HealthCheck:
    return HealthCheck(f"c{port}", TcpSpec(port, None), Timing(2, 1, 5, 1), Policy(rise, fall), None, None)


addresses = st.integers(1, 3).map(lambda n: IPv4Address(f"10.0.0.{n}"))
checks = st.none() | st.builds(check, st.integers(1, 2), st.integers(1, 3), st.integers(1, 3))
backends = st.builds(Backend, st.just("b"), addresses, checks, st.booleans())
orders = st.sampled_from([Order.PAUSE, Order.RESUME, Order.ENABLE, Order.DISABLE])
reloads = st.tuples(backends, st.booleans())
happenings = st.lists(st.sampled_from([PASS, FAIL, UNSURE]) | orders | reloads, max_size=40)


@dataclass
class Model:
    """The rules as one would tell them: a word, a number, and the word that weights follow."""

    backend: Backend
    word: str = ""
    passes: int = 0  # of the last places, as in HAProxy
    counts_as: str = ""

    def __post_init__(self) -> None:
        self.begin() if self.backend.enabled else self.go("disabled")

    def begin(self) -> None:
        self.go("unknown" if self.backend.check else "up")
        self.passes = self.backend.check.policy.rise - 1 if self.backend.check else 0

    def go(self, word: str) -> None:
        self.word = self.counts_as = word
        self.passes = 0

    def result(self, result: ProbeResult) -> None:
        if self.word not in ("unknown", "up", "down") or self.backend.check is None or result is UNSURE:
            return
        rise, fall = self.backend.check.policy.rise, self.backend.check.policy.fall
        self.passes = max(0, min(self.passes + (1 if result is PASS else -1), rise + fall - 1))
        self.word = self.counts_as = "up" if self.passes >= rise else "down"

    def order(self, order: Order) -> bool:
        """False: refused."""
        if order in (Order.PAUSE, Order.RESUME) and self.word == "disabled":
            return False
        if order is Order.PAUSE:
            self.go("paused")
        elif order is Order.DISABLE:
            self.go("disabled")
        elif (order, self.word) in ((Order.RESUME, "paused"), (Order.ENABLE, "disabled")):
            self.begin()
        return True

    def reload(self, new: Backend, asks_anew: bool) -> None:
        old, self.backend = self.backend, new
        if new.enabled and not old.enabled and self.word == "disabled":
            self.begin()
        elif old.enabled and not new.enabled:
            self.go("disabled")
        elif self.word in ("paused", "disabled"):
            pass
        elif new.address != old.address:
            self.begin()
        elif not asks_anew and new.check and old.check and new.check.spec == old.check.spec:
            rise, room = new.check.policy.rise, new.check.policy.rise + new.check.policy.fall - 1
            missing = old.check.policy.rise + old.check.policy.fall - 1 - self.passes
            if self.word == "up":
                self.passes = max(room - missing, rise)
            elif self.word == "down":
                self.passes = min(self.passes, rise - 1)
            else:
                self.passes = rise - 1
        elif new.check != old.check or (asks_anew and new.check):
            stood = self.counts_as
            self.begin()
            if self.word == "unknown":
                self.counts_as = stood


@given(backends, happenings)
def test_a_backend_lives_as_the_rules_say(
    backend: Backend, happenings: list[ProbeResult | Order | tuple[Backend, bool]]
) -> None:
    model, status = Model(backend), life.begun(backend, 0)
    for at_ns, happening in enumerate(happenings, 1):
        before = status
        match happening:
            case ProbeResult():
                model.result(happening)
                status = life.judged(status, happening, at_ns, HISTORY)
            case Order():
                if model.order(happening):
                    status = life.ordered(status, happening, at_ns, HISTORY)
                else:
                    with pytest.raises(Refused, match="enable it first"):
                        life.ordered(status, happening, at_ns, HISTORY)
            case (new, asks_anew):
                model.reload(new, asks_anew)
                status = life.reloaded(status, new, at_ns, HISTORY, asks_anew=asks_anew)

        assert (status.health.state.word, status.health.counter) == (model.word, model.passes)
        assert status.counts_as.word == model.counts_as
        assert status.backend == model.backend
        check_history(before, status, at_ns)


def check_history(before: BackendStatus, after: BackendStatus, now_ns: int) -> None:
    """A change of state is told once, by the newest transition; nothing else is."""
    if after.health.state is before.health.state:
        assert (after.transitions, after.changed_at_ns) == (before.transitions, before.changed_at_ns)
        return
    newest, *older = after.transitions
    assert (newest.before, newest.after) == (before.health.state, after.health.state)
    assert newest.at_ns == after.changed_at_ns == now_ns
    assert tuple(older) == before.transitions[: HISTORY - 1]


def up(backend: Backend) -> BackendStatus:
    return life.judged(life.begun(backend, 0), PASS, 1, HISTORY)


WEB = Backend("b", IPv4Address("10.0.0.1"), check(1), enabled=True)


def test_a_transition_says_what_did_it() -> None:
    status = up(WEB)
    paused = life.ordered(status, Order.PAUSE, 2, HISTORY)
    moved = life.reloaded(status, replace(WEB, address=IPv4Address("10.0.0.2")), 2, HISTORY, asks_anew=False)
    gone = life.removed(status, 2, HISTORY)

    assert [(each.transitions[0].code, each.transitions[0].after) for each in (status, paused, moved, gone)] == [
        ("L4OK", State.UP),
        ("pause", State.PAUSED),
        ("reload", State.UNKNOWN),
        ("reload", State.REMOVED),
    ]


def test_an_order_that_changes_nothing_is_the_same_object() -> None:
    paused = life.ordered(up(WEB), Order.PAUSE, 2, HISTORY)

    assert life.ordered(paused, Order.PAUSE, 3, HISTORY) is paused
    assert life.ordered(up(WEB), Order.RESUME, 3, HISTORY).health.state is State.UP


def test_a_reload_that_changes_nothing_is_the_same_object() -> None:
    status = up(WEB)

    assert life.reloaded(status, WEB, 2, HISTORY, asks_anew=False) is status


def test_a_shorter_history_takes_effect_at_the_reload() -> None:
    status = life.ordered(up(WEB), Order.PAUSE, 2, HISTORY)

    assert len(life.reloaded(status, WEB, 3, 1, asks_anew=False).transitions) == 1


def test_nothing_brings_back_what_is_removed() -> None:
    gone = life.removed(up(WEB), 2, HISTORY)

    assert life.judged(gone, PASS, 3, HISTORY) is gone
    for order in Order:
        with pytest.raises(Refused, match="removed"):
            life.ordered(gone, order, 3, HISTORY)


def test_what_stood_before_a_changed_check_stands_until_it_answers_however_often_it_changes() -> None:
    status = up(WEB)
    for port in (2, 3):
        status = life.reloaded(status, replace(WEB, check=check(port)), port, HISTORY, asks_anew=False)
        assert (status.health, status.counts_as) == (Health(State.UNKNOWN, 1), State.UP)

    assert life.judged(status, UNSURE, 9, HISTORY).counts_as is State.UP
    assert life.judged(status, FAIL, 9, HISTORY).counts_as is State.DOWN


def test_another_interval_or_fall_keeps_what_was_found() -> None:
    status = up(WEB)
    for _ in range(3):
        status = life.judged(status, PASS, 2, HISTORY)
    assert status.health == Health(State.UP, 4)
    patient = replace(check(1, rise=3, fall=5), timing=Timing(9, 9, 9, 9))
    after = life.reloaded(status, replace(WEB, check=patient), 3, HISTORY, asks_anew=False)

    assert after.health == Health(State.UP, 7)
    assert after.transitions == status.transitions
    shaken = life.reloaded(
        life.judged(status, FAIL, 3, HISTORY), replace(WEB, check=patient), 4, HISTORY, asks_anew=False
    )
    assert shaken.health == Health(State.UP, 6)
