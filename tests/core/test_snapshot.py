import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.snapshot import CHUNK, Snapshot, changed

sizes = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])


class Value:
    """Told from others by identity alone, as frozen statuses are compared."""


def values(size: int) -> dict[str, Value]:
    return {f"key {n}": Value() for n in range(size)}


@given(size=sizes)
def test_a_snapshot_is_the_mapping_it_was_made_of(size: int) -> None:
    original = values(size)
    subject = Snapshot(original)

    assert dict(subject) == original
    assert list(subject) == list(original)
    assert list(subject.values()) == list(original.values())
    assert list(subject.items()) == list(original.items())
    assert (len(subject), len(subject.values()), len(subject.items())) == (size, size, size)
    assert subject == original
    assert all(key in subject and subject[key] is value for key, value in original.items())
    assert "another key" not in subject
    with pytest.raises(KeyError):
        subject["another key"]


@given(size=sizes, data=st.data())
def test_replacing_is_told_by_changed_and_leaves_the_older_ones_alone(size: int, data: st.DataObject) -> None:
    expected = [values(size)]
    snapshots: list[Snapshot[str, Value]] = [Snapshot(expected[0])]
    for _ in range(data.draw(st.integers(0, 4))):
        keys = data.draw(st.lists(st.sampled_from(list(expected[0])), max_size=4)) if size else []
        changes = {key: Value() for key in keys}
        snapshots.append(snapshots[-1].replaced(changes))
        expected.append(expected[-1] | changes)

    assert [dict(snapshot) for snapshot in snapshots] == expected
    for older in range(len(expected)):
        moved = {key: value for key, value in expected[-1].items() if expected[older][key] is not value}
        assert list(changed(snapshots[-1], snapshots[older]).items()) == list(moved.items())
        assert changed(expected[-1], expected[older]) == moved
        assert changed(Snapshot(expected[-1]), snapshots[older]) == moved


def test_a_key_that_is_not_there_cannot_be_replaced() -> None:
    with pytest.raises(KeyError):
        Snapshot(values(3)).replaced({"key 3": Value()})


def test_new_keys_have_changed_and_gone_ones_are_not_told() -> None:
    old, new = values(3), values(2) | {"key 9": Value()}
    new["key 1"] = old["key 1"]

    assert changed(Snapshot(new), Snapshot(old)) == {"key 0": new["key 0"], "key 9": new["key 9"]}


def test_a_copy_shares_the_chunks_that_did_not_change() -> None:
    before = Snapshot(values(10 * CHUNK))

    after = before.replaced({f"key {5 * CHUNK}": Value(), f"key {6 * CHUNK - 1}": Value()})

    assert [new is old for new, old in zip(after.chunks, before.chunks, strict=True)] == [n != 5 for n in range(10)]
