"""gRPC's word for a failed call -> one sentence, and what to do; makes no calls of the API."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from maglev.cli.tls import Tls
from maglev.errors import MaglevError, Refused, Unavailable

if TYPE_CHECKING:
    from maglev.cli.credentials import Material
    from maglev.cli.diagnosis import Reason

_CHANGES = {
    "PauseBackend",
    "ResumeBackend",
    "EnableBackend",
    "DisableBackend",
    "SetFrontendPoolBackendWeight",
    "SyncVPPLBState",
    "ReloadConfig",
}
_NEVER_SENT = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
_WHERE = "is it running? --server or MAGLEV_SERVER says where"
_PERHAPS_DONE = "it may have been carried out all the same: look before you repeat it"


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we call and how; `host` is empty for a Unix socket."""

    address: str
    host: str
    port: int
    tls: Tls | None
    material: "Material | None"

    def why(self) -> "Reason | None":
        """What is wrong with TLS, on either side."""
        if not self.host:
            return None
        from maglev.cli import diagnosis  # its libraries would lengthen the start of every command

        if self.tls is None or self.material is None:
            return diagnosis.plain(self.host, self.port)
        return diagnosis.tls(self.host, self.port, self.tls, self.material)


def is_maglevds(error: grpc.RpcError) -> bool:
    """Whether maglevd itself has answered so, rather than gRPC or somebody between."""
    return any(each.key == "maglev-refused" for each in error.trailing_metadata() or ())


def is_lost(error: grpc.RpcError) -> bool:
    """Whether the connection is gone, or never was."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and not is_maglevds(error)


def failure(peer: Peer, method: str, error: grpc.RpcError, patience_s: float) -> MaglevError:
    """What to raise for a call that was given `patience_s` seconds."""
    details = error.details() or ""
    if is_maglevds(error):
        return Refused(details)
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return unanswered(peer, method, details)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(
                f"no answer to {method} from {peer.address} within {patience_s:g} s",
                hint=_PERHAPS_DONE if method in _CHANGES else f"--timeout gives it more time; {_WHERE}",
            )
        case grpc.StatusCode.CANCELLED:
            return Unavailable(f"{method} was ended before {peer.address} had answered", hint=_perhaps(method))
        case grpc.StatusCode.UNIMPLEMENTED:
            return Refused(
                f"this maglevd is older than maglevc: {peer.address} does not know {method}",
                hint="upgrade it; or is that no maglevd?",
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return Refused(
                f"{peer.address} has no room for {method}: {details}", hint="others ask too much of it; try again later"
            )
        case code:
            name = code.name if code is not None else "nothing"
            return Refused(
                f"{peer.address} answered {method} with {name}: {details}",
                hint=_PERHAPS_DONE if method in _CHANGES else "is that a maglevd, of a version that fits?",
            )


def unanswered(peer: Peer, method: str, details: str) -> Unavailable:
    """There is no connection, or no longer."""
    if not details.startswith(_NEVER_SENT):
        return Unavailable(f"{peer.address} has gone before it answered {method}", hint=_perhaps(method))
    if reason := peer.why():
        return Unavailable(f"no maglevd answers at {peer.address}: {reason.what}", hint=reason.hint)
    if "http" in details.lower():
        return Unavailable(f"no maglevd answers at {peer.address}: who answers there speaks no gRPC", hint=_WHERE)
    said = details.rpartition(": ")[2].rstrip("]")  # the rest is gRPC's own talk
    return Unavailable(f"no maglevd answers at {peer.address}: {said}", hint=_WHERE)


def _perhaps(method: str) -> str:
    return _PERHAPS_DONE if method in _CHANGES else "try again"
