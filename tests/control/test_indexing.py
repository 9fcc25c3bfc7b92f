from maglev.control.indexing import Indexing
from maglev.core.counters import Indexes, Moved
from maglev.core.model import Encap
from maglev.core.observed import AddVip
from tests.control.fakes import VIP, VIP2

BOTH = Indexes({VIP: 1, VIP2: 2}, {VIP.prefix: 8, VIP2.prefix: 9}, {})
LEFT = Indexes({VIP2: 2}, {VIP2.prefix: 9}, {})
MADE = Moved([AddVip(VIP, Encap.GRE4, False, 1024)])
NOTHING = Moved()


def test_what_moved_while_an_audit_was_under_way_is_not_told() -> None:
    subject = Indexing()
    subject.audited(BOTH, 7, MADE)

    assert subject.indexes.value == LEFT
    assert not subject.indexes.value.is_whole
    assert subject.indexes.value.audited_at_ns == 7


def test_what_was_withdrawn_in_vain_is_told_again() -> None:
    subject = Indexing()
    subject.audited(BOTH, 7, NOTHING)
    told = subject.indexes.value
    subject.withdraw(NOTHING)
    assert subject.indexes.value is told
    subject.withdraw(MADE)
    assert subject.indexes.value == LEFT
    subject.settle(NOTHING)
    assert subject.indexes.value == BOTH
    assert subject.indexes.value.is_whole


def test_what_has_moved_is_not_told_until_the_next_audit() -> None:
    subject = Indexing()
    subject.audited(BOTH, 7, NOTHING)
    subject.withdraw(MADE)
    subject.settle(MADE)
    assert subject.indexes.value == LEFT
    subject.audited(BOTH, 8, NOTHING)
    assert subject.indexes.value == BOTH


def test_a_listing_that_cannot_be_read_takes_all_and_so_does_the_end_of_a_session() -> None:
    subject = Indexing()
    subject.audited(BOTH, 7, NOTHING)
    subject.audited(None, 8, NOTHING)
    assert subject.indexes.value is None
    subject.withdraw(MADE)
    subject.settle(NOTHING)
    assert subject.indexes.value is None
    subject.audited(BOTH, 9, NOTHING)
    subject.withdraw(MADE)
    subject.lost()
    subject.settle(NOTHING)
    assert subject.indexes.value is None
