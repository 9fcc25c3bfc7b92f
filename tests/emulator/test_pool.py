import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator.pool import Pool


def test_the_index_freed_last_is_used_next() -> None:
    pool: Pool[str] = Pool()
    for item in "abcd":
        pool.put(item)
    for index in (1, 3, 0):
        pool.free(index)

    assert [pool.put(item) for item in "wxyz"] == [0, 3, 1, 4]
    assert "".join(pool) == "wycxz"


def test_a_free_index_holds_nothing() -> None:
    pool: Pool[str] = Pool()
    pool.free(pool.put("a"))

    assert 0 not in pool
    for index in (0, 1, -1):
        with pytest.raises(IndexError):
            pool[index]
    with pytest.raises(IndexError):
        pool.free(0)


@given(st.lists(st.one_of(st.none(), st.integers(0, 20))))
def test_indexes_are_dense_and_items_stay_put(steps: list[int | None]) -> None:
    """None puts an item, a number frees that many-th item (if there are as many)."""
    pool: Pool[int] = Pool()
    model: dict[int, int] = {}
    highest = 0
    for item, step in enumerate(steps):
        if step is None:
            model[pool.put(item)] = item
            highest = max(highest, len(model))
        elif step < len(model):
            index = sorted(model)[step]
            del model[index]
            pool.free(index)

        assert dict(pool.items()) == model
        assert list(pool) == [model[index] for index in sorted(model)]
        assert len(pool) == len(model)
        assert all(index < highest for index in model)
