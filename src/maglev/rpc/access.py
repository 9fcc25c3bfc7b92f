"""Who may come in over gRPC and what he may do, and the words for a no; pure: of sockets and certificates it is told.

The first line that fits counts. "From elsewhere" is every address but 127.0.0.0/8 and ::1, this machine's others too.

| how somebody comes | who he is | role |
|---|---|---|
| Unix socket | `unix socket` | operator: the permissions of the file decide |
| TCP with --grpc-client-ca, a name of the certificate in --grpc-operators | `certificate` and that name | operator |
| TCP with --grpc-client-ca, a name of the certificate in --grpc-viewers | `certificate` and that name | viewer |
| TCP with --grpc-client-ca, anything else | `certificate` and its first name | nobody |
| TCP from this machine | `this machine` | operator |
| TCP from elsewhere with --grpc-insecure | `anybody` | operator |
| TCP from elsewhere with --grpc-tls-cert | `anybody` | viewer |
| anything else, such as through a NAT rule to loopback | `anybody` | nobody |

An operator may do everything, a viewer everything but FOR_OPERATORS, nobody nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

from maglev.core.orders import ACTIONS
from maglev.errors import Broken, ConfigError, Forbidden, MaglevError, NotFound, Overloaded, Refused
from maglev.rpc.ports import Caller, Role

ANY = "*"  # in a list of names: any certificate of that CA
FOR_OPERATORS = frozenset({*ACTIONS, "CheckConfig"})
"""What a viewer may not call: what changes something, and CheckConfig, which costs maglevd as much as a reload."""

_SAID = 64  # characters that we repeat of what a stranger says
_NAME = 256  # of a certificate's name: those of SPIFFE are long
_NOBODY = "a certificate without a name"


@dataclass(frozen=True, slots=True)
class Access:
    """What the flags say of it: files by their paths, empty without them, and names of certificates."""

    tls_cert: str = ""
    tls_key: str = ""
    client_ca: str = ""
    operators: frozenset[str] = frozenset()
    viewers: frozenset[str] = frozenset({ANY})
    insecure: bool = False

    def caller(self, peer: str, names: Sequence[str] | None, says: str = "") -> Caller:
        """Who calls, by gRPC's word for the peer and the names of his certificate; None: he has none."""
        says = bounded(says)
        if peer.startswith(("unix:", "unix-abstract:")):
            return Caller("unix socket", "unix", Role.OPERATOR, says)
        host, origin = _address(peer)
        if self.client_ca:
            who, role = self._named(names)
            return Caller(who, origin, role, says)
        if host is not None and _is_loopback(host):
            return Caller("this machine", origin, Role.OPERATOR, says)
        if host is not None and self.insecure:
            return Caller("anybody", origin, Role.OPERATOR, says)
        return Caller("anybody", origin, Role.VIEWER if host is not None and self.tls_cert else Role.NOBODY, says)

    def _named(self, names: Sequence[str] | None) -> tuple[str, Role]:
        if names is None:
            return "anybody", Role.NOBODY
        first = _certificate(names[0]) if names else _NOBODY
        for role, allowed in ((Role.OPERATOR, self.operators), (Role.VIEWER, self.viewers)):
            if found := next((name for name in names if name in allowed), None):
                return _certificate(found), role
            if ANY in allowed:
                return first, role
        return first, Role.NOBODY

    def check(self, tcp: Sequence[str], beyond: Sequence[str]) -> list[str]:
        """What to warn of, with these TCP addresses, of which others reach those `beyond` loopback.

        Raises ConfigError where the flags do not go together, or leave a door open that nobody said to open.
        """
        if bool(self.tls_cert) != bool(self.tls_key):
            given, missing = ("cert", "key") if self.tls_cert else ("key", "cert")
            raise ConfigError(f"--grpc-tls-{given} without --grpc-tls-{missing}", hint="TLS needs both files")
        if self.client_ca and not self.tls_cert:
            raise ConfigError(
                "--grpc-client-ca without --grpc-tls-cert", hint="clients show a certificate in TLS only: give ours"
            )
        if not self.client_ca and (self.operators or self.viewers != {ANY}):
            raise ConfigError(
                "--grpc-operators and --grpc-viewers name client certificates, and none is asked for",
                hint="--grpc-client-ca names the file with their CA",
            )
        if self.insecure and self.client_ca:
            raise ConfigError("--grpc-insecure lets anybody in, --grpc-client-ca does not", hint="choose one of them")
        if (self.tls_cert or self.insecure) and not tcp:
            raise ConfigError(
                f"{'--grpc-tls-cert' if self.tls_cert else '--grpc-insecure'} is for TCP, and --grpc-addr has none",
                hint="add HOST:PORT to --grpc-addr, or leave the flag away",
            )
        if beyond and not self.tls_cert and not self.insecure:
            raise ConfigError(
                f"{', '.join(beyond)} is reached from elsewhere, and whoever reaches it could change everything",
                hint="give --grpc-tls-cert and --grpc-tls-key (others may only look then, with --grpc-client-ca those"
                " whom you name may do more), or keep to loopback (127.0.0.1, [::1]) and unix:PATH in --grpc-addr,"
                " or say --grpc-insecure if everybody who reaches it may",
            )
        warnings = []
        if beyond and self.insecure:
            warnings.append(f"--grpc-insecure: whoever reaches {', '.join(beyond)} may change everything, unasked")
        if self.client_ca and not self.operators:
            warnings.append("no --grpc-operators: whoever comes over TCP may only look")
        return warnings


def require(caller: Caller, rpc: str) -> None:
    """Raise Forbidden unless he may call this RPC."""
    if caller.role is Role.OPERATOR or (caller.role is Role.VIEWER and rpc not in FOR_OPERATORS):
        return
    if caller.role is Role.VIEWER:
        raise Forbidden(
            f"{rpc} is for operators, and {caller.who} is a viewer here",
            hint="operators are those on maglevd's Unix socket, and the certificates that --grpc-operators names",
        )
    raise Forbidden(
        f"{caller.who} may not call anything here",
        hint="maglevd lets in the certificates of its --grpc-client-ca that --grpc-operators or --grpc-viewers names",
    )


def canonical(error: MaglevError) -> str:
    """The name of gRPC's status for an error."""
    match error:
        case NotFound():
            return "NOT_FOUND"
        case Overloaded():
            return "RESOURCE_EXHAUSTED"
        case Forbidden():
            return "PERMISSION_DENIED"
        case Refused():
            return "FAILED_PRECONDITION"
        case ConfigError():
            return "INVALID_ARGUMENT"
        case Broken():
            return "INTERNAL"
        case _:
            return "UNAVAILABLE"


def bounded(text: str, length: int = _SAID) -> str:
    """A stranger's text on one line, cut when long; what cannot be printed is a question mark."""
    short = text if len(text) <= length else f"{text[:length]}..."
    return "".join(each if each.isprintable() else "?" for each in short)


def _certificate(name: str) -> str:
    """The holder of one: what a CA writes into it must not pass for `this machine`, or for a signal."""
    return f"certificate {bounded(name, _NAME)}"


def _address(peer: str) -> tuple[str | None, str]:
    """The host of `ipv4:127.0.0.1:5` or `ipv6:%5B::1%5D:5`, and the address as people write it."""
    family, _, rest = peer.partition(":")
    text = unquote(rest)
    if family not in ("ipv4", "ipv6"):
        return None, bounded(peer)
    return text.rpartition(":")[0].strip("[]"), bounded(text)


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
