"""What is offered for a name that there is not, and that the work for it is bounded, whatever was typed."""

from collections.abc import Iterator

import pytest

from maglev.core.naming import LONGEST, LONGEST_COMPARED, MAX_COMPARED, named, nearest
from maglev.errors import NotFound


class Counted(dict[str, int]):
    """Counts the names that somebody looks at, one by one or by `in`."""

    looked_at = 0

    def __iter__(self) -> Iterator[str]:
        for name in super().__iter__():
            self.looked_at += 1
            yield name

    def __contains__(self, name: object) -> bool:
        self.looked_at += 1
        return super().__contains__(name)


def names(count: int) -> Counted:
    return Counted((f"backend-{number:05d}-rack{number % 40:02d}", number) for number in range(count))


def offer(name: str, entries: dict[str, int]) -> str:
    with pytest.raises(NotFound) as no:
        named("backend", name, entries)
    return no.value.hint


def test_what_there_is_is_found() -> None:
    assert named("backend", "backend-00003-rack03", names(5)) == 3


@pytest.mark.parametrize("count", [MAX_COMPARED, MAX_COMPARED + 1, 40_000])
@pytest.mark.parametrize(
    "slip",
    [
        "backend-00017-rakc17",
        "backend-00017-rac17",
        "backend-00017-rackk17",
        "backend-00017-rark17",
        "backend-00017-rack17 ",
        "ackend-00017-rack17",
    ],
)
def test_one_slip_is_seen_through_among_few_and_many(count: int, slip: str) -> None:
    assert offer(slip, names(count)) == "the nearest is 'backend-00017-rack17'"


def test_among_few_what_is_farther_off_is_offered_too() -> None:
    assert offer("backend-17", {"frontend": 1, "backend-00017": 2}) == "the nearest is 'backend-00017'"


@pytest.mark.parametrize("typed", ["x", "backend-99999-rackzz", "é" * LONGEST_COMPARED, "é" * 1000])
def test_the_work_is_bounded_however_many_names_there_are(typed: str) -> None:
    few, some, many = names(MAX_COMPARED), names(MAX_COMPARED + 1), names(40_000)
    for entries in (few, some, many):
        offer(typed, entries)

    assert many.looked_at == some.looked_at
    assert many.looked_at < 150 * (LONGEST_COMPARED + 1)
    assert few.looked_at < 2 * MAX_COMPARED


def test_a_name_that_none_can_have_is_cut_and_compared_with_nothing() -> None:
    entries = names(7)
    with pytest.raises(NotFound) as no:
        named("backend", "b" * 1000, entries)

    assert no.value.what == f"there is no backend called '{'b' * LONGEST}...'"
    assert no.value.hint.endswith(" and 2 more")
    assert nearest("b" * (LONGEST_COMPARED + 1), {"b" * LONGEST_COMPARED}) is None


def test_where_nothing_is_near_some_are_listed() -> None:
    assert offer("zzz", {"a": 1, "b": 2}) == "there is 'a', 'b'"
    assert offer("zzz", {}) == "no backends are configured"
