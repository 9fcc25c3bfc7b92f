"""The sections `healthchecks` and `backends`; must not know what frontends make of them."""

import re
from collections.abc import Mapping

from maglev.config.document import Node
from maglev.config.fields import Fields
from maglev.config.names import check_name
from maglev.config.responses import DEFAULT_CODES, regexp, response_codes
from maglev.config.values import (
    Wrong,
    address,
    boolean,
    duration,
    integer,
    ipv4_address,
    ipv6_address,
    matching,
    one_of,
    string,
    taken_for_ipv4,
)
from maglev.core.model import (
    Backend,
    HealthCheck,
    HttpSpec,
    IcmpSpec,
    IPAddress,
    Policy,
    ProbeSpec,
    TcpSpec,
    Timing,
    Tls,
)

MAX_STREAK = 1000  # results in a row; more would take longer than anyone waits
MIN_INTERVAL_S = 0.01

_port = integer(1, 65535)
_interval = duration(MIN_INTERVAL_S)
_streak = integer(1, MAX_STREAK)
_path = matching(r"/[!-~]{0,999}", "a path from the / on, in ASCII, with %20 for a space")
_host = matching(r"[!-~]{1,255}", "a host name or address, perhaps with :port")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_SERVER_NAME = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_server_name = matching(_SERVER_NAME, "a host name such as www.example.org")

_CHECK_KEYS = (
    "type",
    "port",
    "interval",
    "timeout",
    "rise",
    "fall",
    "fast-interval",
    "down-interval",
    "probe-ipv4-src",
    "probe-ipv6-src",
    "params",
)
_TLS_KEYS = ("server-name", "insecure-skip-verify")
_TCP_KEYS = ("ssl", *_TLS_KEYS)
_HTTP_KEYS = ("path", "host", "response-code", "response-regexp", *_TLS_KEYS)
_BACKEND_KEYS = ("address", "healthcheck", "enabled")


def read_healthchecks(section: Fields) -> dict[str, HealthCheck | None]:
    """The health checks by name; None for one with a fault, so that nobody calls it missing."""
    checks = {}
    for key in section.named():
        check_name(section, key)
        checks[key] = _healthcheck(key, section.section(key, _CHECK_KEYS))
    return checks


def _healthcheck(key: str, fields: Fields) -> HealthCheck | None:
    spec = _spec(fields)
    interval_s = fields.get("interval", _interval, 2.0)
    timing = Timing(
        interval_s,
        fast_interval_s=fields.get("fast-interval", _interval, interval_s),
        down_interval_s=fields.get("down-interval", _interval, interval_s),
        timeout_s=fields.get("timeout", _interval, 3.0),
    )
    policy = Policy(rise=fields.get("rise", _streak, 2), fall=fields.get("fall", _streak, 3))
    ipv4_source = fields.find("probe-ipv4-src", ipv4_address)
    ipv6_source = fields.find("probe-ipv6-src", ipv6_address)
    return HealthCheck(key, spec, timing, policy, ipv4_source, ipv6_source) if spec else None


def _spec(fields: Fields) -> ProbeSpec | None:
    match fields.need("type", one_of("icmp", "tcp", "http", "https"), "http"):
        case "icmp":
            for key in ("port", "params"):
                if key in fields:
                    fields.fault(key, "a check of type icmp has none: remove it")
            return IcmpSpec()
        case "tcp":
            return _tcp(fields.need("port", _port, "80"), fields.section("params", _TCP_KEYS))
        case "http":
            return _http(fields.need("port", _port, "80"), fields.section("params", _HTTP_KEYS), has_tls=False)
        case "https":
            return _http(fields.need("port", _port, "443"), fields.section("params", _HTTP_KEYS), has_tls=True)
        case _:
            fields.find("port", _port)
            return None


def _tcp(number: int | None, params: Fields) -> TcpSpec | None:
    has_tls = params.get("ssl", boolean, default=False)
    tls = _tls(params, None) if has_tls else None
    if tls is None:
        _refuse_tls_keys(params, "set ssl: true")
    return TcpSpec(number, tls) if number else None


def _http(number: int | None, params: Fields, *, has_tls: bool) -> HttpSpec | None:
    path = params.get("path", _path, "/")
    host = params.find("host", _host)
    codes = params.get("response-code", response_codes, DEFAULT_CODES)
    body_regexp = params.find("response-regexp", regexp)
    tls = _tls(params, host) if has_tls else None
    if tls is None:
        _refuse_tls_keys(params, "use type: https")
    return HttpSpec(number, tls, path, host, codes, body_regexp) if number else None


def _tls(params: Fields, host: str | None) -> Tls:
    server_name = params.find("server-name", _server_name) or _name_of_host(host)
    return Tls(server_name, verify=not params.get("insecure-skip-verify", boolean, default=False))


def _name_of_host(host: str | None) -> str | None:
    """The name in a Host header, without its port; None for an address, which TLS cannot ask for by name."""
    if host is None:
        return None
    bare = re.sub(r":[0-9]{1,5}\Z", "", host)
    is_address = re.fullmatch(r"[0-9.]+|.*:.*", bare)
    return bare if not is_address and re.fullmatch(_SERVER_NAME, bare) else None


def _refuse_tls_keys(params: Fields, remedy: str) -> None:
    for key in _TLS_KEYS:
        if key in params:
            params.fault(key, f"means nothing without TLS: remove it, or {remedy}")


def read_backends(section: Fields, checks: Mapping[str, HealthCheck | None]) -> dict[str, Backend | None]:
    """The backends by name; None for one whose address is missing or wrong."""
    backends = {}
    for key in section.named():
        check_name(section, key)
        backends[key] = _backend(key, section.section(key, _BACKEND_KEYS), checks)
    return backends


def _backend(key: str, fields: Fields, checks: Mapping[str, HealthCheck | None]) -> Backend | None:
    value = fields.need("address", _backend_address, "192.0.2.10")
    enabled = fields.get("enabled", boolean, default=True)
    check = fields.find("healthcheck", string)
    if check is not None and check not in checks:
        fields.fault_unknown("healthcheck", "health check", check, checks, "healthchecks")
    return Backend(key, value, checks.get(check) if check else None, enabled) if value else None


def _backend_address(node: Node) -> IPAddress:
    value = address(node)
    if taken_for_ipv4(value):
        raise Wrong("an address outside ::/96", node, "VPP takes these for IPv4 and refuses them beside IPv6")
    return value
