"""What is said of several faults at once, and where; the words of each are in `faults/`, one to a file."""

import pytest

from maglev.config.faults import MAX_FAULTS
from maglev.config.parse import ConfigFaults, parse
from tests.config.samples import VALID, changed, faults_of

HC, BE, FE, LB = "maglev.healthchecks", "maglev.backends", "maglev.frontends", "maglev.vpp.lb"


@pytest.mark.parametrize("empty", ["pools: []", "pools:", "pools: {}", "pools: text", "description: none"])
def test_a_frontend_needs_a_pool(empty: str) -> None:
    error = faults_of(f"maglev:\n  frontends:\n    x:\n      address: 192.0.2.1\n      {empty}\n", vpp_in_use=False)

    assert error is not None
    assert [(fault.path, "at least one" in fault.message) for fault in error.faults] == [
        ("maglev.frontends.x.pools", True)
    ]


def test_a_faulty_definition_is_not_called_missing_where_it_is_used() -> None:
    error = faults_of(changed("type: http\n", "type: htp\n").replace("address: 198.51.100.3", "address: nowhere"))

    assert error is not None
    assert [fault.path for fault in error.faults] == [f"{HC}.web.type", f"{BE}.three.address"]


def test_all_faults_are_listed_in_the_order_of_the_file() -> None:
    text = VALID
    for old, new in (
        ("192.0.2.254", "nowhere"),
        ("type: icmp", "type: ping"),
        ("enabled: false", "enabled: off"),
        ("one: {weight: 10}", "one: {weight: 101}"),
        ("protocol: udp", "protocol: sctp"),
    ):
        text = text.replace(old, new)
    error = faults_of(text)

    assert error is not None
    assert [fault.path for fault in error.faults] == [
        f"{LB}.ipv4-src-address",
        f"{HC}.ping.type",
        f"{BE}.two.enabled",
        f"{FE}.www.pools[0].backends.one.weight",
        f"{FE}.mail.protocol",
    ]
    assert [fault.line for fault in error.faults] == sorted(fault.line or 0 for fault in error.faults)
    assert len(str(error).splitlines()) == len(error.faults)


def test_a_clash_is_seen_although_the_frontends_have_other_faults() -> None:
    error = faults_of(changed("protocol: udp", "protocol: tcp").replace("one: {weight: 10}", "nobody: {}"))

    assert error is not None
    assert [fault.path for fault in error.faults] == [f"{FE}.www.pools[0].backends.nobody", f"{FE}.mail.address"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~", "frontends: {}", "[]", "text", "- maglev: {}"])
def test_everything_stands_under_one_key(text: str) -> None:
    error = faults_of(text)

    assert error is not None
    assert not error.is_syntax
    assert any(fault.path == "maglev" and "missing" in fault.message for fault in error.faults)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("maglev: {\n", 2, 1, "did not find expected node"),
        ("maglev:\n\tvpp: {}\n", 2, 1, "cannot start any token"),
        ("maglev:\n  a: b: c\n", 2, 7, "mapping values are not allowed"),
        ("maglev: 'x\n", 2, 1, "end of stream"),
        ("maglev: *x\n", 1, 9, "the alias *x has no finished anchor above"),
        ("maglev: &x [*x]\n", 1, 13, "the alias *x has no finished anchor above"),
        ("maglev: {}\n---\nmaglev: {}\n", 2, 1, "a second document begins"),
        ("maglev: \0", 1, 9, "U+0000 is not allowed"),
        ("maglev:\n  \ud800: x", 2, 3, "U+D800 is not allowed"),
    ],
)
def test_broken_yaml_is_a_fault_of_syntax(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ConfigFaults, match=message.replace("*", r"\*").replace("+", r"\+")) as caught:
        parse(text)

    assert caught.value.is_syntax
    assert [(fault.path, fault.line, fault.column) for fault in caught.value.faults] == [("", line, column)]
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


def test_no_more_faults_are_listed_than_anyone_would_read() -> None:
    unknown = "".join(f"    k{number}: 1\n" for number in range(MAX_FAULTS + 5))
    error = faults_of(changed("    netns: probes\n", unknown))

    assert error is not None
    assert len(error.faults) == MAX_FAULTS + 1
    assert error.faults[-1].message.startswith("5 more faults")
