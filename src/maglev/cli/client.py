"""Calls maglevd over gRPC, each call under one deadline; must not know what is done with the answers."""

import contextlib
import getpass
import re
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from maglev.cli import failures
from maglev.cli.stream import Watch
from maglev.cli.tls import Tls
from maglev.errors import ConfigError, Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb

if TYPE_CHECKING:
    from maglev.cli.credentials import Material

TIMEOUT_S = 10.0
NAMES_TIMEOUT_S = 1.0  # for completion: whoever types does not wait longer
LONG_TIMEOUT_S = 65.0  # maglevd gives up a sync after 60 s, and says so

_SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"].full_name
_ADDRESS = re.compile(r"(?P<host>\[[^\[\]\s]+\]|[^:\[\]\s/]+):(?P<port>[0-9]{1,5})|unix:.+")
_KEEPALIVE_MS = 30_000  # maglevd hangs up on those who ask more often than every 10 s
_PONG_MS = 10_000
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a proxy meant for the web has no business before a router's control plane
    # A table of thousands of VIPs is longer than the usual 4 MB.
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    # A new channel begins at once: those of a process would share how long to wait after a failure.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 5000),  # in fact the deadline of an attempt, of 20 s: a SYN may have been lost
    ("grpc.http2.max_pings_without_data", 0),  # no bound: a watcher may hear nothing for days
)
_ORDERS = {"pause": "PauseBackend", "resume": "ResumeBackend", "enable": "EnableBackend", "disable": "DisableBackend"}

Response = TypeVar("Response", bound=Message)
_Metadata: TypeAlias = tuple[tuple[str, str], ...]


class Client:
    """A connection to maglevd, to be used in a `with`; several threads may call.

    Every call raises Refused when maglevd says no, and Unavailable when there is no maglevd to say anything; the next
    call tries anew. `timeout_s` is for one call, and counts where it gives none of its own; None: as suits the call.
    Raises ConfigError for an address that is none, and for what is wrong with the files of `tls`.
    """

    def __init__(self, address: str, timeout_s: float | None = None, tls: Tls | None = None) -> None:
        _text(address)
        if tls is not None and tls.server_name is not None:
            _text(tls.server_name)
        if address.startswith(":"):
            address = f"localhost{address}"  # as maglevd's own flag is written
        parts = _ADDRESS.fullmatch(address)
        if not parts:
            raise ConfigError(
                f"{address!r} is no address of a server", hint="write HOST:PORT, [IPV6]:PORT or unix:/PATH"
            )
        if tls is not None and parts["host"] is None:
            raise ConfigError(
                f"TLS is for TCP, and {address} is a Unix socket",
                hint="leave the --tls options away: the permissions of the socket say who may",
            )
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = _metadata()
        self._tls = tls
        self._material = _read(tls) if tls is not None else None
        host = (parts["host"] or "").strip("[]")
        self._peer = failures.Peer(address, host, int(parts["port"] or 0), tls, self._material)
        self._lock = threading.Lock()
        self._is_closed = False
        self._channel = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_closed = True
            self._channel.close()

    def frontends(self, timeout_s: float | None = None) -> list[pb.FrontendInfo]:
        """All frontends."""
        request = pb.ListFrontendsRequest()
        return list(self._call("ListFrontends", request, pb.ListFrontendsResponse, timeout_s).frontends)

    def frontend_names(self, timeout_s: float = NAMES_TIMEOUT_S) -> list[str]:
        """The names of all frontends, for completion."""
        request = pb.ListFrontendsRequest(names_only=True)
        answer = self._call("ListFrontends", request, pb.ListFrontendsResponse, timeout_s)
        return [each.name for each in answer.frontends]

    def frontend(self, name: str, timeout_s: float | None = None) -> pb.FrontendInfo:
        """One frontend."""
        return self._call("GetFrontend", pb.GetFrontendRequest(name=_text(name)), pb.FrontendInfo, timeout_s)

    def backends(self, timeout_s: float | None = None) -> list[pb.BackendInfo]:
        """All backends."""
        request = pb.ListBackendsRequest()
        return list(self._call("ListBackends", request, pb.ListBackendsResponse, timeout_s).backends)

    def backend_names(self, timeout_s: float = NAMES_TIMEOUT_S) -> list[str]:
        """The names of all backends, for completion."""
        request = pb.ListBackendsRequest(names_only=True)
        answer = self._call("ListBackends", request, pb.ListBackendsResponse, timeout_s)
        return [each.name for each in answer.backends]

    def backend(self, name: str, timeout_s: float | None = None) -> pb.BackendInfo:
        """One backend."""
        return self._call("GetBackend", pb.GetBackendRequest(name=_text(name)), pb.BackendInfo, timeout_s)

    def health_checks(self, timeout_s: float | None = None) -> list[pb.HealthCheckInfo]:
        """All health checks."""
        request = pb.ListHealthChecksRequest()
        return list(self._call("ListHealthChecks", request, pb.ListHealthChecksResponse, timeout_s).health_checks)

    def health_check(self, name: str, timeout_s: float | None = None) -> pb.HealthCheckInfo:
        """One health check."""
        return self._call("GetHealthCheck", pb.GetHealthCheckRequest(name=_text(name)), pb.HealthCheckInfo, timeout_s)

    def order(self, word: str, name: str, timeout_s: float | None = None) -> pb.BackendInfo:
        """Have a backend paused, resumed, enabled or disabled: `word` is the imperative of it."""
        return self._call(_ORDERS[word], pb.BackendRequest(name=_text(name)), pb.BackendInfo, timeout_s)

    def set_weight(
        self,
        frontend: str,
        pool: str,
        backend: str,
        weight: int,
        *,
        flush: bool = False,
        timeout_s: float | None = None,
    ) -> pb.FrontendInfo:
        """Set the weight of a backend in a pool of a frontend, and have its flows cut."""
        if not 0 <= weight <= 100:  # maglevd says so too, but not of what its field cannot hold
            raise ConfigError(f"{weight} is no weight", hint="weights are 0 to 100")
        request = pb.SetWeightRequest(
            frontend=_text(frontend), pool=_text(pool), backend=_text(backend), weight=weight, flush=flush
        )
        return self._call("SetFrontendPoolBackendWeight", request, pb.FrontendInfo, timeout_s)

    def sync(self, name: str = "", timeout_s: float | None = None) -> pb.SyncVPPLBStateResponse:
        """Have VPP's table read and written; `name` is of a frontend that has to be there."""
        request = pb.SyncVPPLBStateRequest(name=_text(name))
        return self._call("SyncVPPLBState", request, pb.SyncVPPLBStateResponse, timeout_s, LONG_TIMEOUT_S)

    def check_config(self, timeout_s: float | None = None) -> pb.CheckConfigResponse:
        """What is wrong with the configuration file."""
        return self._call("CheckConfig", pb.CheckConfigRequest(), pb.CheckConfigResponse, timeout_s, LONG_TIMEOUT_S)

    def reload_config(self, timeout_s: float | None = None) -> pb.ReloadConfigResponse:
        """Have the configuration file taken over, or hear what is wrong with it."""
        return self._call("ReloadConfig", pb.ReloadConfigRequest(), pb.ReloadConfigResponse, timeout_s, LONG_TIMEOUT_S)

    def vpp_info(self, timeout_s: float | None = None) -> pb.VPPInfo:
        """The VPP behind maglevd."""
        return self._call("GetVPPInfo", pb.GetVPPInfoRequest(), pb.VPPInfo, timeout_s)

    def lb_state(self, timeout_s: float | None = None) -> pb.VPPLBState:
        """VPP's load-balancer table."""
        return self._call("GetVPPLBState", pb.GetVPPLBStateRequest(), pb.VPPLBState, timeout_s)

    def lb_counters(self, timeout_s: float | None = None) -> pb.VPPLBCounters:
        """VPP's counters."""
        return self._call("GetVPPLBCounters", pb.GetVPPLBCountersRequest(), pb.VPPLBCounters, timeout_s)

    def lb_plan(self, timeout_s: float | None = None) -> pb.VPPLBPlan:
        """What maglevd would write to VPP now."""
        return self._call("GetVPPLBPlan", pb.GetVPPLBPlanRequest(), pb.VPPLBPlan, timeout_s)

    def version(self, timeout_s: float | None = None) -> pb.VersionInfo:
        """That of maglevd."""
        return self._call("GetVersion", pb.GetVersionRequest(), pb.VersionInfo, timeout_s)

    def watch(self, request: pb.WatchRequest, timeout_s: float | None = None) -> Watch:
        """What happens from now on. Only that maglevd is there has `timeout_s`: a watcher may hear nothing for days."""
        with contextlib.suppress(Refused):  # of an older maglevd, or one that tells the watcher the same
            self.version(timeout_s)
        asked = pb.WatchRequest()
        asked.CopyFrom(request)
        asked.batch = True  # a tenth of the cost, where there are many
        rpc = self._channel.unary_stream(
            f"/{_SERVICE}/WatchEvents", request_serializer=_serialized, response_deserializer=pb.Event.FromString
        )
        return Watch(rpc(asked, metadata=self._metadata), self._peer)

    def _call(
        self,
        method: str,
        request: Message,
        response: type[Response],
        timeout_s: float | None,
        usual_s: float = TIMEOUT_S,
    ) -> Response:
        patience_s = timeout_s or self._timeout_s or usual_s
        channel = self._channel
        rpc = channel.unary_unary(
            f"/{_SERVICE}/{method}", request_serializer=_serialized, response_deserializer=response.FromString
        )
        try:
            return rpc(request, timeout=patience_s, metadata=self._metadata)
        except grpc.RpcError as error:
            if failures.is_lost(error):
                self._renew(channel)
            raise failures.failure(self._peer, method, error, patience_s) from error
        except ValueError as error:  # gRPC's word for a channel that another thread has just found broken, and closed
            raise Unavailable(f"the connection to {self._address} is lost", hint="try again") from error

    def _connect(self) -> grpc.Channel:
        options: list[tuple[str, Any]] = [
            *_OPTIONS,
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.http2.ping_timeout_ms", _PONG_MS),
        ]
        if self._tls is None or self._material is None:
            return grpc.insecure_channel(self._address, options=options)
        if self._tls.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self._tls.server_name))
        shown = grpc.ssl_channel_credentials(self._material.roots, self._material.key, self._material.cert)
        return grpc.secure_channel(self._address, shown, options=options)

    def _renew(self, broken: grpc.Channel) -> None:
        """The next call has a channel of its own: a broken one fails calls for a while without trying."""
        with self._lock:
            if self._channel is not broken or self._is_closed:
                return
            self._channel = self._connect()
        broken.close()


def _read(tls: Tls) -> "Material":
    from maglev.cli import credentials  # most calls are on a Unix socket, and each of them is somebody's command

    return credentials.read(tls)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _text(name: str) -> str:
    """Raises ConfigError for bytes of a command line that are no text, which no name can be."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name!r} is no text", hint="is your terminal's encoding UTF-8?") from error
    return name


def _metadata() -> _Metadata:
    """Our login name, for maglevd's audit record; gRPC takes printable ASCII only."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        return ()
    plain = "".join(each for each in name if each.isascii() and each.isprintable()).strip()
    return (("maglev-user", plain[:64]),) if plain else ()
