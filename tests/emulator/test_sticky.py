from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator.sticky import SLOTS, StickyTable

TIMEOUT = 40
flows = st.integers(0, 7)
vips = st.integers(0, 2)
values = st.integers(0, 3)


def test_a_flow_is_found_until_it_expires() -> None:
    table = StickyTable(4)
    _, slot = table.find(9, 1, 100, TIMEOUT)
    assert slot is not None
    table.put(slot, 9, 1, 5, 100, TIMEOUT)

    assert table.find(9, 1, 139, TIMEOUT)[0] == 5  # and lives on to 179
    assert table.find(9, 2, 139, TIMEOUT)[0] == 0
    assert table.find(9, 1, 178, TIMEOUT)[0] == 5
    assert table.find(9, 1, 218, TIMEOUT) == (0, slot)


def test_a_slot_without_server_is_found_as_nothing_but_lives_on() -> None:
    table = StickyTable(1)
    table.put(0, 9, 0, 0, 100, TIMEOUT)

    assert table.find(9, 0, 130, TIMEOUT) == (0, 1)
    assert table.find(9, 0, 169, TIMEOUT) == (0, 1)


def test_a_free_slot_before_the_one_found_comes_first() -> None:
    table = StickyTable(1)
    table.put(0, 8, 0, 0, 100, TIMEOUT)
    table.put(1, 9, 0, 0, 130, TIMEOUT)

    assert table.find(9, 0, 145, TIMEOUT) == (0, 0)


def test_a_timeout_of_decades_expires_at_once_as_in_vpp() -> None:
    table = StickyTable(1)
    table.put(0, 9, 1, 5, 10_000, 0xFFFFFFFF - 20_000)

    assert table.find(9, 1, 10_000, TIMEOUT) == (0, 0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("packet"), flows, vips, values),
            st.tuples(st.just("flush"), vips, st.one_of(st.none(), values)),
            st.tuples(st.just("wait"), st.integers(1, 30)),
        )
    )
)
def test_references_count_the_slots_that_hold_a_value(steps: list[tuple[str, int, int]]) -> None:
    """Against a table of dictionaries: slot -> (flow, vip, value, expires)."""
    buckets, now = 2, 10_000
    table = StickyTable(buckets)
    model: dict[int, tuple[int, int, int, int]] = {}
    for step in steps:
        match step:
            case ("packet", flow, vip, value):
                slots = range(flow % buckets * SLOTS, flow % buckets * SLOTS + SLOTS)
                live = [s for s in slots if s in model and model[s][3] > now]
                known = next((s for s in live if model[s][:2] == (flow, vip)), None)
                free = next((s for s in slots if s not in live), None)
                found = model[known][2] if known is not None else 0
                assert table.find(flow, vip, now, TIMEOUT) == (found, free)
                if known is not None:
                    model[known] = (flow, vip, found, now + TIMEOUT)
                if not found and free is not None:
                    table.put(free, flow, vip, value, now, TIMEOUT)
                    model[free] = (flow, vip, value, now + TIMEOUT)
            case ("flush", vip, value):
                table.flush(vip, value)
                for slot, (flow, owner, held, expires) in model.items():
                    if owner == vip and value in (None, held):
                        model[slot] = (flow, -1, 0, expires)
            case ("wait", seconds):
                now += seconds
        held_by = Counter(value for _, _, value, _ in model.values())
        assert [table.references(value) for value in (1, 2, 3)] == [held_by[value] for value in (1, 2, 3)]
        assert table.live(now) == sum(1 for *_, expires in model.values() if expires >= now)
