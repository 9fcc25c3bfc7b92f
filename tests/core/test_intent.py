from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Effective, resolve
from maglev.core.health import State
from maglev.core.intent import Intent, Said, applied, configured, surviving
from maglev.core.model import Frontend, Pool
from tests.core.fleets import NAMES, frontend_of

STATES = dict.fromkeys(NAMES, State.UP)
WWW = frontend_of([Pool("main", {"b0": 100, "b1": 50}), Pool("spare", {"b0": 10})])


def test_a_weight_is_that_of_one_backend_in_one_pool() -> None:
    running = applied(WWW, {("f1", "main", "b0"): Said(7, flush=False)})

    assert [pool.weights for pool in running.pools] == [{"b0": 7, "b1": 50}, {"b0": 10}]


def test_what_the_file_says_stays_beside_another_weight_and_beside_no_other() -> None:
    main, spare = ("f1", "main"), ("f1", "spare")
    running = applied(WWW, {(*main, "b0"): Said(7, flush=False), (*spare, "b0"): Said(10, flush=False)})

    assert [pool.file_weights for pool in running.pools] == [{"b0": 100}, {}]


def test_nothing_said_is_the_same_object() -> None:
    assert applied(WWW, {("f2", "main", "b0"): Said(7, flush=False)}) is WWW


def test_zero_with_a_flush_cuts_the_flows_of_that_backend_alone() -> None:
    running = applied(WWW, {("f1", "main", "b0"): Said(0, flush=True), ("f1", "main", "b1"): Said(0, flush=False)})

    assert resolve(running, STATES).pools[0] == {"b0": Effective(0, flush=True), "b1": Effective(0, flush=False)}


def test_a_weight_above_zero_cuts_nothing() -> None:
    running = applied(WWW, {("f1", "main", "b0"): Said(9, flush=True)})

    assert resolve(running, STATES).pools[0]["b0"] == Effective(9, flush=False)


weights = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3))
sites = st.dictionaries(
    st.sampled_from(["f1", "f2"]), st.dictionaries(st.sampled_from(["main", "spare"]), weights), max_size=2
)
places = st.tuples(st.sampled_from(["f1", "f2"]), st.sampled_from(["main", "spare"]), st.sampled_from(NAMES))


def site(text: dict[str, dict[str, dict[str, int]]]) -> dict[str, Frontend]:
    return {
        name: frontend_of([Pool(pool, weights) for pool, weights in pools.items()], number=int(name[1:]))
        for name, pools in text.items()
    }


@given(sites, sites, st.dictionaries(places, st.builds(Said, st.integers(0, 100), st.booleans())))
def test_the_file_wins_where_it_changed_a_weight_and_only_there(
    before: dict[str, dict[str, dict[str, int]]], after: dict[str, dict[str, dict[str, int]]], said: Intent
) -> None:
    left = surviving(said, site(before), site(after))

    for (frontend, pool, backend), word in said.items():
        old = before.get(frontend, {}).get(pool, {}).get(backend)
        new = after.get(frontend, {}).get(pool, {}).get(backend)
        assert (left.get((frontend, pool, backend)) is word) == (new is not None and new == old)
    assert left.items() <= said.items()


def test_what_the_file_says_is_found_by_names() -> None:
    assert configured({"f1": WWW}, ("f1", "spare", "b0")) == 10
    assert configured({"f1": WWW}, ("f1", "spare", "b1")) is None
    assert configured({}, ("f1", "spare", "b1")) is None
