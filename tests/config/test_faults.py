"""Each rule once: where the fault is put, and what it says. `#!` marks the line that must be named."""

import pytest

from maglev.config.faults import MAX_FAULTS
from maglev.config.parse import ConfigFaults, parse
from tests.config.samples import VALID, changed, faults_of

Case = tuple[str, str, str, str]
HC, BE, FE, LB = "maglev.healthchecks", "maglev.backends", "maglev.frontends", "maglev.vpp.lb"

KEYS: list[Case] = [
    ("  healthchecker:", "  healthcheckers: #!", "maglev.healthcheckers", "did you mean healthchecker?"),
    ("    netns:", "    netnss: x #!\n    netns:", "maglev.healthchecker.netnss", "unknown key"),
    ("      sync-interval:", "      sync: 3 #!\n      sync-interval:", f"{LB}.sync", "unknown key; known are ipv4"),
    ("      rise: 1", "      raise: 1 #!", f"{HC}.web.raise", "did you mean rise?"),
    ("        path:", "        paths: #!", f"{HC}.web.params.paths", "did you mean path?"),
    ("      enabled: false", "      enable: false #!", f"{BE}.two.enable", "did you mean enabled?"),
    ("      description: the web", "      text: x #!", f"{FE}.www.text", "unknown key"),
    (
        "        - name: fallback",
        "        - name: x\n          weight: 1 #!",
        f"{FE}.www.pools[1].weight",
        "unknown key",
    ),
    ("one: {weight: 10}", "one: {wieght: 1} #!", f"{FE}.www.pools[0].backends.one.wieght", "did you mean weight?"),
]
HEALTHCHECKER: list[Case] = [
    ("transition-history: 7", "transition-history: 0 #!", "maglev.healthchecker.transition-history", "from 1 to 1000"),
    ("netns: probes", "netns: /run/netns/a #!", "maglev.healthchecker.netns", "not a path"),
    ("netns: probes", "netns: .. #!", "maglev.healthchecker.netns", "not a path"),
    ("netns: probes", "netns: #!", "maglev.healthchecker.netns", "seen nothing"),
]
VPP: list[Case] = [
    ("192.0.2.254", "2001:db8::1 #!", f"{LB}.ipv4-src-address", "expected an IPv4 address, seen 2001:db8::1"),
    ("2001:db8::fe", "192.0.2.1 #!", f"{LB}.ipv6-src-address", "expected an IPv6 address"),
    ("192.0.2.254", "192.0.2.254/24 #!", f"{LB}.ipv4-src-address", "leave out the prefix length"),
    ("192.0.2.254", "0.0.0.0 #!", f"{LB}.ipv4-src-address", "the address of a host"),
    ("2001:db8::fe", "fe80::1%eth0 #!", f"{LB}.ipv6-src-address", "leave out the zone"),
    ("192.0.2.254", "192.0.2.010 #!", f"{LB}.ipv4-src-address", "leading zeros"),
    ("sync-interval: 1m30s", "sync-interval: 30 #!", f"{LB}.sync-interval", "say the unit: 30s or 30ms?"),
    ("sync-interval: 1m30s", "sync-interval: 0s #!", f"{LB}.sync-interval", "from 100ms to 24h"),
    ("sync-interval: 1m30s", "sync-interval: 25h #!", f"{LB}.sync-interval", "from 100ms to 24h"),
    ("sync-interval: 1m30s", "sync-interval: 1d #!", f"{LB}.sync-interval", "write it like 200ms, 2s, 1m30s or 1h"),
    ("sync-interval: 1m30s", "sync-interval: -1s #!", f"{LB}.sync-interval", "write it like"),
    ("stats-interval: 1s", "stats-interval: [1s] #!", f"{LB}.stats-interval", "seen a list"),
    ("startup-max-delay: 4s", "startup-max-delay: 1s #!", f"{LB}.startup-max-delay", "is 1s, less than startup-min"),
    (
        "startup-min-delay: 2s\n      startup-max-delay: 4s",
        "startup-min-delay: 1m #!",
        f"{LB}.startup-min-delay",
        "startup-max-delay is 30s, less than startup-min-delay, 1m",
    ),
    ("startup-min-delay: 2s", "startup-min-delay: 2 #!", f"{LB}.startup-min-delay", "say the unit"),
    ("per-core: 1024", "per-core: 1000 #!", f"{LB}.sticky-buckets-per-core", "a power of two, seen 1000: write 512 or"),
    ("per-core: 1024", "per-core: 67108864 #!", f"{LB}.sticky-buckets-per-core", "from 1 to 16777216"),
    ("flow-timeout: 2m", "flow-timeout: 1500ms #!", f"{LB}.flow-timeout", "whole seconds, seen 1500ms"),
    ("flow-timeout: 2m", "flow-timeout: 500ms #!", f"{LB}.flow-timeout", "from 1s to 24h"),
]
CHECKS: list[Case] = [
    ("type: icmp", "rise: 1", f"{HC}.ping.type", "missing: add `type:"),
    ("type: icmp", "type: ping #!", f"{HC}.ping.type", "expected icmp, tcp, http or https, seen ping"),
    ("type: icmp", "type: ICMP #!", f"{HC}.ping.type", "write icmp"),
    ("type: icmp", "type: icmp\n      port: 7 #!", f"{HC}.ping.port", "remove it"),
    ("type: icmp", "type: icmp\n      params: {} #!", f"{HC}.ping.params", "remove it"),
    ("      port: 993\n      params", "      params", f"{HC}.imaps.port", "missing: add `port:"),
    ("port: 993", "port: 0 #!", f"{HC}.imaps.port", "from 1 to 65535, seen 0"),
    ("port: 993", "port: 65536 #!", f"{HC}.imaps.port", "from 1 to 65535"),
    ("port: 993", "port: 0993 #!", f"{HC}.imaps.port", "leading zeros mean octal in YAML, write 993"),
    ("port: 993", 'port: "993" #!', f"{HC}.imaps.port", "write it without quotes"),
    ("port: 993", "port: 0x3e1 #!", f"{HC}.imaps.port", "decimal digits"),
    ("port: 993", "port: 16:33 #!", f"{HC}.imaps.port", "decimal digits"),
    ("port: 993", "port: 9_93 #!", f"{HC}.imaps.port", "decimal digits"),
    ("port: 993", "port: 993.0 #!", f"{HC}.imaps.port", "decimal digits"),
    ("port: 993", "port: true #!", f"{HC}.imaps.port", "seen true"),
    ("port: 993", "port: {} #!", f"{HC}.imaps.port", "seen a mapping"),
    ("rise: 1", "rise: 0 #!", f"{HC}.web.rise", "from 1 to 1000"),
    ("fall: 2", "fall: 1001 #!", f"{HC}.web.fall", "from 1 to 1000"),
    ("interval: 4s", "interval: 1ms #!", f"{HC}.web.interval", "from 10ms to 24h"),
    ("timeout: 200ms", "timeout: 2 #!", f"{HC}.web.timeout", "say the unit: 2s or 2ms?"),
    ("fast-interval: 500ms", "fast-interval: 1:30 #!", f"{HC}.web.fast-interval", "write it like"),
    ("down-interval: 10s", "down-interval: ten #!", f"{HC}.web.down-interval", "write it like"),
    ("192.0.2.253", "2001:db8::3 #!", f"{HC}.web.probe-ipv4-src", "an IPv4 address"),
    ("fall: 2", "fall: 2\n      probe-ipv6-src: 1.2.3.4 #!", f"{HC}.web.probe-ipv6-src", "an IPv6 address"),
]
PARAMS: list[Case] = [
    ("path: /healthz", "path: healthz #!", f"{HC}.web.params.path", "from the / on"),
    ("path: /healthz", "path: /a b #!", f"{HC}.web.params.path", "without spaces"),
    ("path: /healthz", "path: 12 #!", f"{HC}.web.params.path", 'write "12"'),
    ("host: www.example.org", "host: a b #!", f"{HC}.web.params.host", "a host name"),
    ("server-name: www.example.org", "server-name: a..b #!", f"{HC}.secure.params.server-name", "a host name such as"),
    ("200,301-302", "99 #!", f"{HC}.web.params.response-code", "from 100 to 599"),
    ("200,301-302", "299-200 #!", f"{HC}.web.params.response-code", "from 100 to 599"),
    ("200,301-302", "2xx #!", f"{HC}.web.params.response-code", "seen 2xx"),
    ("200,301-302", "[] #!", f"{HC}.web.params.response-code", "from 1 to 50 ranges"),
    ("200,301-302", "[200, [201]] #!", f"{HC}.web.params.response-code", "seen a list"),
    ("ok (yes|no)", "'(' #!", f"{HC}.web.params.response-regexp", 'in RE2\'s syntax, seen "(": missing )'),
    ("ok (yes|no)", "'ok(?!ay)' #!", f"{HC}.web.params.response-regexp", "(?!; RE2 has no lookahead"),
    ("ok (yes|no)", "'(.*){1000}' #!", f"{HC}.web.params.response-regexp", "it is too large when compiled"),
    ("ok (yes|no)", "'' #!", f"{HC}.web.params.response-regexp", "of 1 to 255 characters"),
    ("ssl: true", "ssl: yes #!", f"{HC}.imaps.params.ssl", "expected true or false, seen yes: write true"),
    ("ssl: true", "ssl: 'true' #!", f"{HC}.imaps.params.ssl", "without quotes"),
    ("ssl: true", "ssl: 1 #!", f"{HC}.imaps.params.ssl", "true or false"),
    ("ssl: true", "server-name: a.b #!", f"{HC}.imaps.params.server-name", "or set ssl: true"),
    ("path: /healthz", "insecure-skip-verify: true #!", f"{HC}.web.params.insecure-skip-verify", "use type: https"),
    ("ssl: true", "path: / #!", f"{HC}.imaps.params.path", "unknown key"),
]
BACKENDS: list[Case] = [
    ("      address: 198.51.100.3\n", "      enabled: true\n", f"{BE}.three.address", "missing: add `address:"),
    ("address: 198.51.100.3", "address: 198.51.100.300 #!", f"{BE}.three.address", "an IPv4 or IPv6 address"),
    ("address: 198.51.100.3", "address: 198.51.100.0/24 #!", f"{BE}.three.address", "leave out the prefix length"),
    ("address: 198.51.100.3", "address: 224.0.0.1 #!", f"{BE}.three.address", "the address of a host"),
    ("address: 2001:db8:1::6", "address: ::1 #!", f"{BE}.six.address", "outside ::/96, seen ::1: VPP takes these for"),
    ("address: 198.51.100.3", "address: #!", f"{BE}.three.address", "seen nothing"),
    ("healthcheck: web", "healthcheck: wbe #!", f"{BE}.one.healthcheck", 'no health check "wbe"; did you mean web?'),
    ("healthcheck: web", "healthcheck: off #!", f"{BE}.one.healthcheck", 'write "off"'),
    ("enabled: false", "enabled: off #!", f"{BE}.two.enabled", "write false"),
    (
        "    three:\n",
        "    'th ree': #!\n      address: 1.2.3.4\n    three:\n",
        f'{BE}."th ree"',
        "without spaces as key",
    ),
    ("    three:\n", "    on: #!\n      address: 1.2.3.4\n    three:\n", f"{BE}.on", 'write it as "on"'),
    ("    three:\n", "    12: #!\n      address: 1.2.3.4\n    three:\n", f"{BE}.12", 'write it as "12"'),
]
FRONTENDS: list[Case] = [
    ("      address: 192.0.2.1\n", "", f"{FE}.www.address", "missing: add `address:"),
    (
        "address: 2001:db8::/64",
        "address: 2001:db8::1/64 #!",
        f"{FE}.wide.address",
        "write 2001:db8::/64 for the prefix",
    ),
    ("192.0.2.1/32", "192.0.2.130/25 #!", f"{FE}.mail.address", "write 192.0.2.128/25 for the prefix, or 192.0.2.130"),
    ("192.0.2.1/32", "192.0.2.1/33 #!", f"{FE}.mail.address", "a number from 0 to 32"),
    ("192.0.2.1/32", "192.0.2.0/255.255.255.0 #!", f"{FE}.mail.address", "a number from 0 to 32"),
    ("192.0.2.1/32", "0.0.0.0/0 #!", f"{FE}.mail.address", "the address of a host"),
    ("192.0.2.1/32", "::1 #!", f"{FE}.mail.address", "VPP takes these for IPv4"),
    ("protocol: udp", "protocol: sctp #!", f"{FE}.mail.protocol", "expected tcp or udp, seen sctp"),
    ("      protocol: udp\n      port: 80", "      port: 81 #!", f"{FE}.mail.port", "needs a protocol"),
    (
        "address: 2001:db8::/64",
        "address: 2001:db8::/64\n      protocol: tcp #!",
        f"{FE}.wide.protocol",
        "add a port, or",
    ),
    ("protocol: udp\n      port: 80", "port: 65536 #!", f"{FE}.mail.port", "from 0 to 65535"),
    ("src-ip-sticky: true", "src-ip-sticky: maybe #!", f"{FE}.www.src-ip-sticky", "true or false"),
    ("flush-on-down: false", "flush-on-down: no #!", f"{FE}.www.flush-on-down", "write false"),
    ("description: the web", "description: 2024 #!", f"{FE}.www.description", 'write "2024"'),
    ("description: the web", r'description: "\e[31m" #!', f"{FE}.www.description", "without control characters"),
    ("description: the web", f"description: {'x' * 1001} #!", f"{FE}.www.description", "at most 1000 characters"),
    ("protocol: udp", "protocol: tcp", f"{FE}.mail.address", "192.0.2.1/32 tcp/80 is the VIP of www (line 59) already"),
    ("      protocol: udp\n      port: 80\n", "", f"{FE}.www.address", "all ports of 192.0.2.1/32 belong to mail"),
    (
        "backends: {three: }",
        "backends: {six: }",
        f"{FE}.mail.address",
        "its backends are IPv6, those of www (line 59) on 192.0.2.1/32 are IPv4: VPP has one encapsulation",
    ),
    ("address: 198.51.100.3", "address: 192.0.2.1", f"{FE}.www.address", "which is the VIP of www (line 59)"),
]
POOLS: list[Case] = [
    ("backends: {six: {weight: 1}}", "backends: [six] #!", f"{FE}.wide.pools[0].backends", "expected a mapping"),
    ("          backends: {six: {weight: 1}}\n", "", f"{FE}.wide.pools[0].backends", "missing: add `backends: {}`"),
    ("- name: fallback", "- name: primary #!", f"{FE}.www.pools[1].name", 'is called "primary" too'),
    ("- name: fallback\n          back", "- back", f"{FE}.www.pools[1].name", "missing: add `name:"),
    ("- name: fallback", "- name: '' #!", f"{FE}.www.pools[1].name", "a name of 1 to 128"),
    ("- name: fallback", "- name: 7 #!", f"{FE}.www.pools[1].name", 'write "7"'),
    ("one: {weight: 10}", "one: {weight: 101} #!", f"{FE}.www.pools[0].backends.one.weight", "from 0 to 100, seen 101"),
    ("one: {weight: 10}", "one: {weight: -1} #!", f"{FE}.www.pools[0].backends.one.weight", "from 0 to 100"),
    (
        "one: {weight: 10}",
        "one: 10 #!",
        f"{FE}.www.pools[0].backends.one",
        "expected a mapping of keys to values, seen 10",
    ),
    ("one: {weight: 10}", "onee: {} #!", f"{FE}.www.pools[0].backends.onee", 'no backend "onee"; did you mean one?'),
    ("            two: {}", "            six: {} #!", f"{FE}.www.pools[0].backends.six", "is IPv6 and one is IPv4"),
    ("three: {weight: 0}", "six: {} #!", f"{FE}.www.pools[1].backends.six", "of one address family"),
    (
        "address: 198.51.100.2",
        "address: 198.51.100.1",
        f"{FE}.www.pools[0].backends.two",
        "the address 198.51.100.1 of one",
    ),
]
DOCUMENT: list[Case] = [
    ("      port: 993\n", "      port: 993\n      port: 993 #!\n", f"{HC}.imaps.port", "twice, first on line 39"),
    ("            two: {}", "            one: {} #!", f"{FE}.www.pools[0].backends.one", "given twice"),
    ("type: icmp", "type: !!str icmp #!", f"{HC}.ping.type", "tags are not supported: remove !!str"),
    ("type: icmp", "type: icmp\n      <<: {} #!", f"{HC}.ping", "merge keys (<<) are not supported"),
    ("type: icmp", "type: icmp\n      ? [a] #!\n      : b", f"{HC}.ping", "not a list or a mapping"),
    ("type: icmp", "type: icmp\n      ? #!\n      : b", f"{HC}.ping", "a key is empty"),
    ("maglev:", "more: 1 #!\nmaglev:", "more", "unknown key; known are maglev"),
]


def check(case: Case) -> None:
    old, new, path, message = case
    text = changed(old, new)
    error = faults_of(text)
    assert error is not None
    assert not error.is_syntax
    said = "\n".join(map(str, error.faults))
    matching = [fault for fault in error.faults if fault.path == path and message in fault.message]
    assert len(matching) == 1, said
    if "#!" in text:
        assert [matching[0].line] == [n for n, line in enumerate(text.splitlines(), 1) if "#!" in line]
    assert f"line {matching[0].line}: {path}: " in str(error)


@pytest.mark.parametrize(
    "case",
    [*KEYS, *HEALTHCHECKER, *VPP, *CHECKS, *PARAMS, *BACKENDS, *FRONTENDS, *POOLS, *DOCUMENT],
    ids=lambda case: f"{case[2]}: {case[1].strip()[:30]}",
)
def test_each_fault_is_told_with_its_path_line_and_remedy(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", [*VPP, *PARAMS, *POOLS], ids=lambda case: f"{case[2]}: {case[1].strip()[:30]}")
def test_one_mistake_is_one_fault(case: Case) -> None:
    error = faults_of(changed(case[0], case[1]))

    assert error is not None
    assert len(error.faults) == 1, str(error)


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
    cases = [*VPP[:1], *CHECKS[1:2], *BACKENDS[6:7], *POOLS[6:7], *FRONTENDS[7:8]]
    text = VALID
    for old, new, _, _ in cases:
        text = text.replace(old, new)
    error = faults_of(text)

    assert error is not None
    assert [fault.path for fault in error.faults] == [path for _, _, path, _ in cases]
    assert [fault.line for fault in error.faults] == sorted(fault.line or 0 for fault in error.faults)
    assert len(str(error).splitlines()) == len(cases)


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
