"""What a reload changes: told by name, and by values that are the same object where nothing did."""

import pytest

from maglev.config.change import Change, change
from maglev.config.parse import parse
from tests.config.samples import VALID, changed

OLD = parse(VALID)


def to(text: str) -> Change:
    return change(OLD, parse(text))


def test_the_same_file_is_the_same_objects() -> None:
    result = to(VALID)

    assert (result.added, result.removed, result.changed) == ((), (), ())
    for section in ("healthchecks", "backends", "frontends"):
        old, new = getattr(OLD, section), getattr(result.config, section)
        assert list(new) == list(old)
        assert all(new[name] is old[name] for name in old)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("transition-history: 7", "transition-history: 8", "healthchecker.transition-history"),
        ("netns: probes", "netns: others", "healthchecker.netns"),
        ("stats-interval: 1s", "stats-interval: 2s", "vpp.lb.stats-interval"),
        ("sync-interval: 1m30s", "sync-interval: 2m", "vpp.lb.sync-interval"),
        ("startup-min-delay: 2s", "startup-min-delay: 1s", "vpp.lb.startup-min-delay"),
        ("startup-max-delay: 4s", "startup-max-delay: 5s", "vpp.lb.startup-max-delay"),
        ("192.0.2.254", "192.0.2.250", "vpp.lb.ipv4-src-address"),
        ("2001:db8::fe", "2001:db8::fd", "vpp.lb.ipv6-src-address"),
        ("flow-timeout: 2m", "flow-timeout: 1m", "vpp.lb.flow-timeout"),
        ("per-core: 1024", "per-core: 2048", "vpp.lb.sticky-buckets-per-core"),
        ("rise: 1", "rise: 2", "healthcheck web"),
        ("path: /healthz", "path: /", "healthcheck web"),
        ("address: 198.51.100.3", "address: 198.51.100.3\n      enabled: false", "backend three"),
        ("address: 198.51.100.3", "address: 198.51.100.4", "backend three"),
        ("healthcheck: ping", "healthcheck: web", "backend two"),
        ("{weight: 10}", "{weight: 11}", "frontend www"),
        ("description: the web", "description: other", "frontend www"),
    ],
)
def test_one_change_is_told_by_its_name_alone(old: str, new: str, told: str) -> None:
    result = to(changed(old, new))

    assert (result.added, result.removed, result.changed) == ((), (), (told,))


def test_a_changed_check_makes_its_backends_others_and_no_frontend() -> None:
    config = to(changed("rise: 1", "rise: 2")).config

    assert config.backends["one"] is not OLD.backends["one"]
    assert config.backends["one"].check is config.healthchecks["web"]
    assert config.backends["two"] is OLD.backends["two"]
    assert all(config.frontends[name] is frontend for name, frontend in OLD.frontends.items())


def test_what_came_and_what_went_is_told_in_the_order_of_the_file() -> None:
    text = VALID.replace("    six:", "    seven:").replace("{six: ", "{seven: ").replace("    mail:", "    post:")
    result = to(text)

    assert result.added == ("backend seven", "frontend post")
    assert result.removed == ("backend six", "frontend mail")
    assert result.removed_backends == {"six"}
    assert result.removed_frontends == {"mail"}
    assert result.changed == ("frontend wide",)
    assert [*result.config.frontends] == ["www", "post", "wide"]


def test_another_order_in_the_file_is_no_change() -> None:
    old = parse(VALID)
    first, *others = old.backends
    swapped = parse(
        VALID.replace("    three:\n      address: 198.51.100.3\n", "").replace(
            "  frontends:", "    three:\n      address: 198.51.100.3\n  frontends:"
        )
    )

    result = change(old, swapped)
    assert (result.added, result.removed, result.changed) == ((), (), ())
    assert [*result.config.backends] == [first, "two", "six", "three"]
    assert others
