"""The lives of one kind of counter, from one set of figures to the next; the rules are those of core.lives.

Must not know what is counted.
"""

import operator
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

SLICE = 256  # rows between two turns of everybody else, about 1 ms
REMEMBERED = 65_536  # names of one kind that have no index now; once there are more, newcomers are of unknown age

K = TypeVar("K")
V = TypeVar("V")
Row = tuple[int, ...]
Columns = tuple["array[int]", ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a sample was taken and its VPP started, and what its indexes are worth."""

    taken_at_ns: int
    start_ns: int | None
    audited_at_ns: int
    audit: int  # audits are numbered, as the clock may be set
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Life:
    """What was last seen of one name, when, and by the indexes of which audit."""

    index: int
    row: Row
    since_ns: int | None
    seen_at_ns: int
    audited_at_ns: int
    audit: int
    held_since: int


class Kind(Generic[K, V]):
    """The lives of one kind of counter. `is_vip`: rule 2 holds for it.

    All is in the order of `places`. `told` is what was made of each row of `columns`, None where that is to be done;
    `held_since`, the first audit of those that found this life at its index without a gap.
    """

    def __init__(self, width: int, *, is_vip: bool = False) -> None:
        self._is_vip = is_vip
        self.places: Mapping[K, int] = {}
        self._indexes: list[int] = []
        self.columns: Columns = (array("Q"),) * width
        self.since: list[int | None] = []
        self.told: list[V | None] = []
        self.held_since: list[int] = []
        self.audit = 0
        self._seen_at_ns = 0
        self._audited_at_ns = 0
        self._whole_at_ns: int | None = None  # when the latest audit began whose indexes named all there was
        self._away: dict[K, _Life] = {}  # without an index now
        self._has_forgotten = False

    def step(
        self, places: Mapping[K, int], columns: Columns, now: Moment, kept: Mapping[K, int] | None = None
    ) -> Iterator[None]:
        """Take in the next figures, all of them at the end or none.

        `kept`: since which audit each name is known to have been there, if that has to be looked at.
        """
        since: list[int | None] = []
        told: list[V | None] = []
        held: list[int] = []
        start_ns = None if self._has_forgotten else now.start_ns
        away = self._away
        if (yield from self._all_stay(places, now, kept)):
            for here in _slices(len(places)):
                self._go_on(here, columns, now, since, told, held)
                yield
        else:
            away = dict(self._away)
            for _ in self._leave(away):
                yield
            items = iter(places.items())
            for here in _slices(len(places)):
                for row, (name, index) in zip(_rows(columns, here), items, strict=False):
                    old = away.pop(name, None)
                    may_have_gone = old is not None and self._may_have_gone(name, old, now, kept)
                    begun, held_since = self._since(old, index, row, start_ns, now, may_have_gone=may_have_gone)
                    since.append(begun)
                    held.append(held_since)
                    told.append(None)
                yield
            if self._is_vip and now.is_whole:
                away.clear()  # these do not exist any more
            self._indexes = list(places.values())
        if now.taken_at_ns < self._seen_at_ns:  # the clock was set back
            since = [None if life is None else min(life, now.taken_at_ns) for life in since]
            told = [None] * len(since)
        if start_ns is not None and None in since:
            since = [start_ns if life is None else life for life in since]
            told = [None] * len(since)
        while len(away) > REMEMBERED:
            del away[next(iter(away))]
            self._has_forgotten = True
        self.places, self.columns, self.since, self.told, self._away = places, columns, since, told, away
        self.held_since, self.audit = held, now.audit
        self._seen_at_ns, self._audited_at_ns = now.taken_at_ns, now.audited_at_ns
        if now.is_whole:
            self._whole_at_ns = now.audited_at_ns

    def _all_stay(
        self, places: Mapping[K, int], now: Moment, kept: Mapping[K, int] | None
    ) -> Generator[None, None, bool]:
        if places is not self.places:
            return False
        names = iter(places)
        while kept is not None and (part := [*islice(names, SLICE)]):
            if any(kept.get(name, now.audit) > self.audit for name in part):
                return False
            yield
        return True

    def _go_on(
        self,
        here: slice,
        columns: Columns,
        now: Moment,
        since: list[int | None],
        told: list[V | None],
        held: list[int],
    ) -> None:
        """The names are the same: add what has become of some of them to `since`, `told` and `held`."""
        if all(new[here] == old[here] for new, old in zip(columns, self.columns, strict=True)):
            since += self.since[here]
            told += self.told[here]
            held += self.held_since[here]
            return
        rows, olds = _rows(columns, here), _rows(self.columns, here)
        told += [value if new == old else None for new, old, value in zip(rows, olds, self.told[here], strict=True)]
        if any(_fell(old[here], new[here]) for new, old in zip(columns, self.columns, strict=True)):
            fell = [*map(_fell, olds, rows)]
            since += [self._seen_at_ns if new else life for new, life in zip(fell, self.since[here], strict=True)]
            held += [now.audit + 1 if new else audit for new, audit in zip(fell, self.held_since[here], strict=True)]
        else:
            since += self.since[here]
            held += self.held_since[here]

    def _leave(self, away: dict[K, _Life]) -> Iterator[None]:
        names = iter(self.places.items())
        for here in _slices(len(self.places)):
            lives = zip(_rows(self.columns, here), self.since[here], self.held_since[here], names, strict=False)
            for row, since_ns, held_since, (name, index) in lives:
                away[name] = _Life(index, row, since_ns, self._seen_at_ns, self._audited_at_ns, self.audit, held_since)
            yield

    def _may_have_gone(self, name: K, old: _Life, now: Moment, kept: Mapping[K, int] | None) -> bool:
        """Rule 5."""
        if self._is_vip:
            return name not in self.places and old.audit != now.audit
        return kept is not None and kept.get(name, now.audit) > old.audit

    def _since(
        self, old: _Life | None, index: int, row: Row, start_ns: int | None, now: Moment, *, may_have_gone: bool
    ) -> tuple[int | None, int]:
        """When the life stood at zero, and since which audit it is seen."""
        if old is None:
            is_made = self._is_vip and self._whole_at_ns is not None
            return (self._whole_at_ns if is_made else start_ns), now.audit
        if old.index != index or may_have_gone:
            return max(old.audited_at_ns, old.since_ns or 0), now.audit  # it goes on, or began later than that
        if _fell(old.row, row):
            return old.seen_at_ns, now.audit + 1  # it may have been made anew after this audit, too
        return old.since_ns, old.held_since

    def tell(self, make: Callable[[int, int, Row, int | None], V]) -> Iterator[None]:
        """Fill what is missing in `told`; `make` takes position, index, row and since."""
        for here in _slices(len(self.told)):
            values = self.told[here]
            if None in values:
                numbers, indexes = range(here.start, here.stop), self._indexes[here]
                whole = zip(values, numbers, indexes, _rows(self.columns, here), self.since[here], strict=True)
                self.told[here] = [
                    make(number, index, row, since_ns) if value is None else value
                    for value, number, index, row, since_ns in whole
                ]
            yield

    def by_name(self, found: dict[K, V]) -> Iterator[None]:
        """Put all that is told into `found`."""
        told = zip(self.places, self.told, strict=True)
        while part := {name: value for name, value in islice(told, SLICE) if value is not None}:
            found.update(part)
            yield


def _fell(old: Iterable[int], new: Iterable[int]) -> bool:
    return any(map(operator.lt, new, old))


def _rows(columns: Columns, here: slice) -> list[Row]:
    return list(zip(*(column[here] for column in columns), strict=True))


def _slices(length: int) -> Iterator[slice]:
    for start in range(0, length, SLICE):
        yield slice(start, min(start + SLICE, length))
