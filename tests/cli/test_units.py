import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli.render import units

SECOND = 1_000_000_000


def test_durations_show_their_two_greatest_units() -> None:
    spans = (0, 5, 59, 60, 61, 630, 3600, 3605, 5400, 86400, 86400 + 59, 40 * 3600, 400 * 86400 + 5 * 3600, -5)

    assert [units.duration(span * SECOND) for span in spans] == [
        "0s", "5s", "59s", "1m", "1m1s", "10m30s", "1h", "1h", "1h30m", "1d", "1d", "1d16h", "400d5h", "0s",
    ]  # fmt: skip


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_span_and_moment_of_the_api_can_be_shown(at_ns: int) -> None:
    assert units.duration(at_ns)
    assert units.moment(at_ns).endswith("Z")
    assert units.when(at_ns, 0)


def test_a_moment_that_there_was_none_of_is_absent() -> None:
    assert (units.age(0, SECOND), units.when(0, SECOND)) == ("-", "-")
    assert (units.age(SECOND, 6 * SECOND), units.when(SECOND, 6 * SECOND)) == ("5s", "1970-01-01T00:00:01Z (5s ago)")


def test_intervals_are_as_the_configuration_has_them() -> None:
    spans = (0, 0.0005, 0.2, 0.0125, 1, 2.5, 30, 59.95, 60, 90, 3600)

    assert [units.interval(span) for span in spans] == [
        "0s", "0.5ms", "200ms", "12.5ms", "1s", "2.5s", "30s", "1m", "1m", "1m30s", "1h",
    ]  # fmt: skip


def test_a_single_address_is_shown_without_its_length_and_a_prefix_with_it() -> None:
    prefixes = ("192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/32", "2001:db8::/64", "10.0.0.0/8")

    assert [units.vip(prefix) for prefix in prefixes] == [
        "192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32", "2001:db8::/64", "10.0.0.0/8",
    ]  # fmt: skip


def test_rates_have_three_digits_and_one_behind_the_point_where_they_are_small() -> None:
    rates = (None, 0, 0.001, 0.05, 0.4, 1, 9.96, 12.5, 99.94, 99.96, 998.4, 999.4, 999.6, 1000, 12_345, 4_560_000, 1e30)

    assert [units.rate(rate) for rate in rates] == [
        "-", "0", "<0.1", "0.1", "0.4", "1", "10.0", "12.5", "99.9", "100", "998", "999",
        "1.00k", "1.00k", "12.3k", "4.56M", "1000000000000E",
    ]  # fmt: skip


@given(st.floats(0.05, 1e17))
def test_a_rate_is_told_to_within_one_part_in_a_hundred_but_the_smallest(per_s: float) -> None:
    shown = units.rate(per_s)
    figure = float(shown.rstrip("kMGTP")) * 1000.0 ** " kMGTP".index(shown[-1] if shown[-1].isalpha() else " ")

    assert figure == pytest.approx(per_s, rel=0.01, abs=0.051)
    assert len(shown) <= 5


def test_shares_are_told_as_a_dry_run_tells_them() -> None:
    assert [units.share(part) for part in (1, 0.334, 0.01, 0.00391)] == ["100 %", "33 %", "1 %", "0.4 %"]
