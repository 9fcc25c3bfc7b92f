"""The role matrix, and which flags go together; nothing here listens."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.errors import ConfigError, Forbidden
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.access import FOR_OPERATORS, Access, bounded, require
from maglev.rpc.ports import Caller, Role

METHODS = frozenset(pb.DESCRIPTOR.services_by_name["Maglev"].methods_by_name)
LOOKS = {
    *("ListFrontends", "GetFrontend", "ListBackends", "GetBackend", "ListHealthChecks", "GetHealthCheck"),
    *("GetVPPInfo", "GetVPPLBState", "GetVPPLBCounters", "GetVPPLBPlan", "GetVersion", "WatchEvents"),
}
NOBODY, VIEWER, OPERATOR = Role.NOBODY, Role.VIEWER, Role.OPERATOR

PLAIN = Access()
INSECURE = Access(insecure=True)
TLS = Access("cert", "key")
TLS_INSECURE = Access("cert", "key", insecure=True)
ONLY_VIEWERS = Access("cert", "key", "ca")
NAMED = Access("cert", "key", "ca", frozenset({"alice", "spiffe://x/op"}), frozenset({"bob", "alice"}))
ALL = Access("cert", "key", "ca", frozenset({"*"}), frozenset())

UNIX, HERE, ELSEWHERE = "unix:", "ipv4:127.0.0.1:5", "ipv4:192.0.2.7:5"


@pytest.mark.parametrize(
    ("access", "peer", "names", "role", "who"),
    [
        *((access, UNIX, None, OPERATOR, "unix socket") for access in (PLAIN, INSECURE, TLS, ONLY_VIEWERS, NAMED)),
        (PLAIN, "unix:/tmp/mine", None, OPERATOR, "unix socket"),
        (PLAIN, "unix-abstract:mine", None, OPERATOR, "unix socket"),
        *((access, HERE, None, OPERATOR, "this machine") for access in (PLAIN, INSECURE, TLS, TLS_INSECURE)),
        (PLAIN, "ipv4:127.255.0.9:5", None, OPERATOR, "this machine"),
        (PLAIN, "ipv6:%5B::1%5D:5", None, OPERATOR, "this machine"),
        (PLAIN, "ipv6:[::1]:5", None, OPERATOR, "this machine"),
        (PLAIN, "ipv6:%5B::ffff:127.0.0.1%5D:5", None, OPERATOR, "this machine"),
        (PLAIN, ELSEWHERE, None, NOBODY, "anybody"),
        (PLAIN, "ipv6:%5B::ffff:192.0.2.7%5D:5", None, NOBODY, "anybody"),
        (PLAIN, "ipv6:%5Bfe80::1%25eth0%5D:5", None, NOBODY, "anybody"),
        (PLAIN, "ipv6:%5B2001:db8::127.0.0.1%5D:5", None, NOBODY, "anybody"),
        (INSECURE, ELSEWHERE, None, OPERATOR, "anybody"),
        (TLS_INSECURE, ELSEWHERE, None, OPERATOR, "anybody"),
        (TLS, ELSEWHERE, None, VIEWER, "anybody"),
        (TLS, ELSEWHERE, ["alice"], VIEWER, "anybody"),  # nobody vouches for a certificate that was not asked for
        (ONLY_VIEWERS, ELSEWHERE, ["alice"], VIEWER, "certificate alice"),
        (ONLY_VIEWERS, HERE, ["alice"], VIEWER, "certificate alice"),
        (ONLY_VIEWERS, HERE, [], VIEWER, "a certificate without a name"),
        (ONLY_VIEWERS, HERE, None, NOBODY, "anybody"),
        (NAMED, ELSEWHERE, ["alice"], OPERATOR, "certificate alice"),  # in both lists
        (NAMED, ELSEWHERE, ["host7", "spiffe://x/op"], OPERATOR, "certificate spiffe://x/op"),
        (NAMED, ELSEWHERE, ["bob"], VIEWER, "certificate bob"),
        (NAMED, ELSEWHERE, ["carol", "dave"], NOBODY, "certificate carol"),
        (NAMED, ELSEWHERE, ["ALICE"], NOBODY, "certificate ALICE"),
        (NAMED, ELSEWHERE, ["*"], NOBODY, "certificate *"),
        (NAMED, ELSEWHERE, ["this machine"], NOBODY, "certificate this machine"),
        (NAMED, ELSEWHERE, [""], NOBODY, "certificate "),
        (NAMED, ELSEWHERE, [], NOBODY, "a certificate without a name"),
        (NAMED, HERE, None, NOBODY, "anybody"),
        (ALL, ELSEWHERE, ["carol"], OPERATOR, "certificate carol"),
    ],
)
def test_the_role_matrix(access: Access, peer: str, names: Sequence[str] | None, role: Role, who: str) -> None:
    found = access.caller(peer, names)

    assert (found.role, found.who) == (role, who)


@pytest.mark.parametrize("peer", ["", "ipv4:", "ipv4:x", "ipv6:%5B%5D:5", "ipv4:127.0.0.1.example:5", "vsock:1:2"])
def test_a_peer_that_is_no_address_is_nobody(peer: str) -> None:
    assert PLAIN.caller(peer, None).role is NOBODY


@given(st.text(), st.lists(st.text(), max_size=3), st.text())
def test_whoever_comes_with_whatever_is_told_on_one_short_line(peer: str, names: list[str], says: str) -> None:
    found = NAMED.caller(peer, names, says)

    for text in (found.who, found.origin, found.says):
        assert text.isprintable()
        assert len(text) <= 300


@pytest.mark.parametrize(
    ("peer", "origin"),
    [
        (UNIX, "unix"),
        (ELSEWHERE, "192.0.2.7:5"),
        ("ipv6:%5B::1%5D:5", "[::1]:5"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5", "[fe80::1%eth0]:5"),
    ],
)
def test_where_a_caller_is_from_is_written_as_people_write_it(peer: str, origin: str) -> None:
    assert PLAIN.caller(peer, None).origin == origin


def test_every_rpc_of_the_api_is_for_viewers_or_for_operators() -> None:
    assert METHODS <= LOOKS | FOR_OPERATORS
    assert not LOOKS & FOR_OPERATORS


@pytest.mark.parametrize("rpc", sorted(LOOKS | FOR_OPERATORS))
@pytest.mark.parametrize("role", Role)
def test_who_may_call_what(rpc: str, role: Role) -> None:
    caller = Caller("alice", "192.0.2.7:5", role)
    if role is OPERATOR or (role is VIEWER and rpc in LOOKS):
        require(caller, rpc)
        return
    with pytest.raises(Forbidden, match="alice") as no:
        require(caller, rpc)

    assert "--grpc-operators" in no.value.hint


@pytest.mark.parametrize(
    ("access", "tcp", "said"),
    [
        (Access(tls_cert="c"), ["127.0.0.1:1"], "--grpc-tls-cert without --grpc-tls-key"),
        (Access(tls_key="k"), ["127.0.0.1:1"], "--grpc-tls-key without --grpc-tls-cert"),
        (Access(client_ca="ca"), ["127.0.0.1:1"], "--grpc-client-ca without --grpc-tls-cert"),
        (Access(operators=frozenset({"a"})), ["127.0.0.1:1"], "--grpc-client-ca names the file"),
        (Access("c", "k", viewers=frozenset()), ["127.0.0.1:1"], "--grpc-client-ca names the file"),
        (Access("c", "k", "ca", insecure=True), ["127.0.0.1:1"], "choose one of them"),
        (Access("c", "k"), [], "--grpc-tls-cert is for TCP, and --grpc-addr has none"),
        (Access(insecure=True), [], "--grpc-insecure is for TCP, and --grpc-addr has none"),
    ],
)
def test_flags_that_make_no_sense_together_are_refused(access: Access, tcp: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        access.check(tcp, [])

    assert said in str(refused.value)
    assert refused.value.hint


def test_beyond_loopback_needs_tls_or_a_word_and_the_three_ways_are_named() -> None:
    PLAIN.check(["127.0.0.1:1"], [])
    with pytest.raises(ConfigError) as refused:
        PLAIN.check(["127.0.0.1:1", ":9090"], [":9090"])

    said = str(refused.value)
    assert said.startswith(":9090 is reached from elsewhere")
    for way in ("--grpc-tls-cert", "--grpc-tls-key", "--grpc-client-ca", "loopback", "unix:PATH", "--grpc-insecure"):
        assert way in said


@pytest.mark.parametrize(
    ("access", "beyond", "said"),
    [
        (PLAIN, [], ""),
        (INSECURE, [], ""),
        (INSECURE, [":1"], "--grpc-insecure: whoever reaches :1 may change everything"),
        (TLS_INSECURE, [":1"], "--grpc-insecure: whoever reaches :1 may change everything"),
        (TLS, [":1"], ""),
        (NAMED, [":1"], ""),
        (ONLY_VIEWERS, [":1"], "no --grpc-operators: whoever comes over TCP may only look"),
    ],
)
def test_what_is_allowed_but_unwise_is_warned_of(access: Access, beyond: list[str], said: str) -> None:
    warnings = access.check(["127.0.0.1:1", *beyond], beyond)

    assert "\n".join(warnings).startswith(said)
    assert bool(warnings) == bool(said)


def test_what_a_stranger_says_is_cut_and_printable() -> None:
    assert bounded("root") == "root"
    assert bounded("a\nb\x1b[1m") == "a?b?[1m"
    assert len(bounded("x" * 1000)) == 67
