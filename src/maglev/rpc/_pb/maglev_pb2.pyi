from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetVersionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VersionInfo(_message.Message):
    __slots__ = ("version", "commit", "date")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    version: str
    commit: str
    date: str
    def __init__(self, version: _Optional[str] = ..., commit: _Optional[str] = ..., date: _Optional[str] = ...) -> None: ...

class ListFrontendsRequest(_message.Message):
    __slots__ = ("names_only",)
    NAMES_ONLY_FIELD_NUMBER: _ClassVar[int]
    names_only: bool
    def __init__(self, names_only: _Optional[bool] = ...) -> None: ...

class ListFrontendsResponse(_message.Message):
    __slots__ = ("frontends",)
    FRONTENDS_FIELD_NUMBER: _ClassVar[int]
    frontends: _containers.RepeatedCompositeFieldContainer[FrontendInfo]
    def __init__(self, frontends: _Optional[_Iterable[_Union[FrontendInfo, _Mapping]]] = ...) -> None: ...

class GetFrontendRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class FrontendInfo(_message.Message):
    __slots__ = ("name", "address", "protocol", "port", "pools", "description", "src_ip_sticky", "flush_on_down", "state", "active_pool", "refused", "changed_at_ns", "audited_at_ns")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SRC_IP_STICKY_FIELD_NUMBER: _ClassVar[int]
    FLUSH_ON_DOWN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_POOL_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    AUDITED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    protocol: str
    port: int
    pools: _containers.RepeatedCompositeFieldContainer[PoolInfo]
    description: str
    src_ip_sticky: bool
    flush_on_down: bool
    state: str
    active_pool: str
    refused: str
    changed_at_ns: int
    audited_at_ns: int
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., pools: _Optional[_Iterable[_Union[PoolInfo, _Mapping]]] = ..., description: _Optional[str] = ..., src_ip_sticky: _Optional[bool] = ..., flush_on_down: _Optional[bool] = ..., state: _Optional[str] = ..., active_pool: _Optional[str] = ..., refused: _Optional[str] = ..., changed_at_ns: _Optional[int] = ..., audited_at_ns: _Optional[int] = ...) -> None: ...

class PoolInfo(_message.Message):
    __slots__ = ("name", "backends")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    backends: _containers.RepeatedCompositeFieldContainer[PoolBackendInfo]
    def __init__(self, name: _Optional[str] = ..., backends: _Optional[_Iterable[_Union[PoolBackendInfo, _Mapping]]] = ...) -> None: ...

class PoolBackendInfo(_message.Message):
    __slots__ = ("name", "weight", "effective_weight", "file_weight", "address", "state", "changed_at_ns", "buckets", "flows")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FILE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: int
    effective_weight: int
    file_weight: int
    address: str
    state: str
    changed_at_ns: int
    buckets: int
    flows: int
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[int] = ..., effective_weight: _Optional[int] = ..., file_weight: _Optional[int] = ..., address: _Optional[str] = ..., state: _Optional[str] = ..., changed_at_ns: _Optional[int] = ..., buckets: _Optional[int] = ..., flows: _Optional[int] = ...) -> None: ...

class ListBackendsRequest(_message.Message):
    __slots__ = ("names_only",)
    NAMES_ONLY_FIELD_NUMBER: _ClassVar[int]
    names_only: bool
    def __init__(self, names_only: _Optional[bool] = ...) -> None: ...

class ListBackendsResponse(_message.Message):
    __slots__ = ("backends",)
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[BackendInfo]
    def __init__(self, backends: _Optional[_Iterable[_Union[BackendInfo, _Mapping]]] = ...) -> None: ...

class GetBackendRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class BackendRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SetWeightRequest(_message.Message):
    __slots__ = ("frontend", "pool", "backend", "weight", "flush")
    FRONTEND_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    frontend: str
    pool: str
    backend: str
    weight: int
    flush: bool
    def __init__(self, frontend: _Optional[str] = ..., pool: _Optional[str] = ..., backend: _Optional[str] = ..., weight: _Optional[int] = ..., flush: _Optional[bool] = ...) -> None: ...

class ListHealthChecksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListHealthChecksResponse(_message.Message):
    __slots__ = ("health_checks",)
    HEALTH_CHECKS_FIELD_NUMBER: _ClassVar[int]
    health_checks: _containers.RepeatedCompositeFieldContainer[HealthCheckInfo]
    def __init__(self, health_checks: _Optional[_Iterable[_Union[HealthCheckInfo, _Mapping]]] = ...) -> None: ...

class GetHealthCheckRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class HealthCheckInfo(_message.Message):
    __slots__ = ("name", "type", "port", "interval_s", "timeout_s", "rise", "fall", "fast_interval_s", "down_interval_s", "probe_ipv4_src", "probe_ipv6_src", "tls", "path", "host", "response_codes", "response_regexp", "backends")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    RISE_FIELD_NUMBER: _ClassVar[int]
    FALL_FIELD_NUMBER: _ClassVar[int]
    FAST_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    DOWN_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    PROBE_IPV4_SRC_FIELD_NUMBER: _ClassVar[int]
    PROBE_IPV6_SRC_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_CODES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_REGEXP_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    port: int
    interval_s: float
    timeout_s: float
    rise: int
    fall: int
    fast_interval_s: float
    down_interval_s: float
    probe_ipv4_src: str
    probe_ipv6_src: str
    tls: TLSInfo
    path: str
    host: str
    response_codes: _containers.RepeatedScalarFieldContainer[str]
    response_regexp: str
    backends: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., port: _Optional[int] = ..., interval_s: _Optional[float] = ..., timeout_s: _Optional[float] = ..., rise: _Optional[int] = ..., fall: _Optional[int] = ..., fast_interval_s: _Optional[float] = ..., down_interval_s: _Optional[float] = ..., probe_ipv4_src: _Optional[str] = ..., probe_ipv6_src: _Optional[str] = ..., tls: _Optional[_Union[TLSInfo, _Mapping]] = ..., path: _Optional[str] = ..., host: _Optional[str] = ..., response_codes: _Optional[_Iterable[str]] = ..., response_regexp: _Optional[str] = ..., backends: _Optional[_Iterable[str]] = ...) -> None: ...

class TLSInfo(_message.Message):
    __slots__ = ("server_name", "insecure_skip_verify")
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    INSECURE_SKIP_VERIFY_FIELD_NUMBER: _ClassVar[int]
    server_name: str
    insecure_skip_verify: bool
    def __init__(self, server_name: _Optional[str] = ..., insecure_skip_verify: _Optional[bool] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("log", "log_level", "backend", "frontend", "batch")
    LOG_FIELD_NUMBER: _ClassVar[int]
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    log: bool
    log_level: str
    backend: bool
    frontend: bool
    batch: bool
    def __init__(self, log: _Optional[bool] = ..., log_level: _Optional[str] = ..., backend: _Optional[bool] = ..., frontend: _Optional[bool] = ..., batch: _Optional[bool] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("log", "backend", "frontend", "resync", "batch")
    LOG_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    log: LogEvent
    backend: BackendEvent
    frontend: FrontendEvent
    resync: ResyncEvent
    batch: EventBatch
    def __init__(self, log: _Optional[_Union[LogEvent, _Mapping]] = ..., backend: _Optional[_Union[BackendEvent, _Mapping]] = ..., frontend: _Optional[_Union[FrontendEvent, _Mapping]] = ..., resync: _Optional[_Union[ResyncEvent, _Mapping]] = ..., batch: _Optional[_Union[EventBatch, _Mapping]] = ...) -> None: ...

class LogEvent(_message.Message):
    __slots__ = ("at_ns", "level", "name", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    level: str
    name: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, at_ns: _Optional[int] = ..., level: _Optional[str] = ..., name: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BackendEvent(_message.Message):
    __slots__ = ("at_ns", "backend", "address", "to", "code", "detail")
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    backend: str
    address: str
    to: str
    code: str
    detail: str
    def __init__(self, at_ns: _Optional[int] = ..., backend: _Optional[str] = ..., address: _Optional[str] = ..., to: _Optional[str] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ..., **kwargs) -> None: ...

class FrontendEvent(_message.Message):
    __slots__ = ("at_ns", "frontend", "to")
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    frontend: str
    to: str
    def __init__(self, at_ns: _Optional[int] = ..., frontend: _Optional[str] = ..., to: _Optional[str] = ..., **kwargs) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class ResyncEvent(_message.Message):
    __slots__ = ("lost", "log_only")
    LOST_FIELD_NUMBER: _ClassVar[int]
    LOG_ONLY_FIELD_NUMBER: _ClassVar[int]
    lost: int
    log_only: bool
    def __init__(self, lost: _Optional[int] = ..., log_only: _Optional[bool] = ...) -> None: ...

class CheckConfigRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckConfigResponse(_message.Message):
    __slots__ = ("ok", "parse_error", "semantic_error")
    OK_FIELD_NUMBER: _ClassVar[int]
    PARSE_ERROR_FIELD_NUMBER: _ClassVar[int]
    SEMANTIC_ERROR_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    parse_error: str
    semantic_error: str
    def __init__(self, ok: _Optional[bool] = ..., parse_error: _Optional[str] = ..., semantic_error: _Optional[str] = ...) -> None: ...

class ReloadConfigRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadConfigResponse(_message.Message):
    __slots__ = ("ok", "parse_error", "semantic_error")
    OK_FIELD_NUMBER: _ClassVar[int]
    PARSE_ERROR_FIELD_NUMBER: _ClassVar[int]
    SEMANTIC_ERROR_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    parse_error: str
    semantic_error: str
    def __init__(self, ok: _Optional[bool] = ..., parse_error: _Optional[str] = ..., semantic_error: _Optional[str] = ...) -> None: ...

class BackendInfo(_message.Message):
    __slots__ = ("name", "address", "state", "healthcheck", "enabled", "counter", "counter_max", "rise", "changed_at_ns", "transitions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HEALTHCHECK_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    COUNTER_MAX_FIELD_NUMBER: _ClassVar[int]
    RISE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    state: str
    healthcheck: str
    enabled: bool
    counter: int
    counter_max: int
    rise: int
    changed_at_ns: int
    transitions: _containers.RepeatedCompositeFieldContainer[TransitionInfo]
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., state: _Optional[str] = ..., healthcheck: _Optional[str] = ..., enabled: _Optional[bool] = ..., counter: _Optional[int] = ..., counter_max: _Optional[int] = ..., rise: _Optional[int] = ..., changed_at_ns: _Optional[int] = ..., transitions: _Optional[_Iterable[_Union[TransitionInfo, _Mapping]]] = ...) -> None: ...

class TransitionInfo(_message.Message):
    __slots__ = ("at_ns", "to", "code", "detail")
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    to: str
    code: str
    detail: str
    def __init__(self, at_ns: _Optional[int] = ..., to: _Optional[str] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ..., **kwargs) -> None: ...

class GetVPPInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VPPInfo(_message.Message):
    __slots__ = ("version", "build_date", "build_directory", "pid", "boottime_ns", "connecttime_ns")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BUILD_DATE_FIELD_NUMBER: _ClassVar[int]
    BUILD_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    BOOTTIME_NS_FIELD_NUMBER: _ClassVar[int]
    CONNECTTIME_NS_FIELD_NUMBER: _ClassVar[int]
    version: str
    build_date: str
    build_directory: str
    pid: int
    boottime_ns: int
    connecttime_ns: int
    def __init__(self, version: _Optional[str] = ..., build_date: _Optional[str] = ..., build_directory: _Optional[str] = ..., pid: _Optional[int] = ..., boottime_ns: _Optional[int] = ..., connecttime_ns: _Optional[int] = ...) -> None: ...

class GetVPPLBStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VPPLBState(_message.Message):
    __slots__ = ("conf", "vips", "audited_at_ns", "conf_refused", "doubtful", "audit_cost_s", "audit_interval_s", "held_back_s")
    CONF_FIELD_NUMBER: _ClassVar[int]
    VIPS_FIELD_NUMBER: _ClassVar[int]
    AUDITED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    CONF_REFUSED_FIELD_NUMBER: _ClassVar[int]
    DOUBTFUL_FIELD_NUMBER: _ClassVar[int]
    AUDIT_COST_S_FIELD_NUMBER: _ClassVar[int]
    AUDIT_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_S_FIELD_NUMBER: _ClassVar[int]
    conf: VPPLBConf
    vips: _containers.RepeatedCompositeFieldContainer[VPPLBVIP]
    audited_at_ns: int
    conf_refused: str
    doubtful: int
    audit_cost_s: float
    audit_interval_s: float
    held_back_s: float
    def __init__(self, conf: _Optional[_Union[VPPLBConf, _Mapping]] = ..., vips: _Optional[_Iterable[_Union[VPPLBVIP, _Mapping]]] = ..., audited_at_ns: _Optional[int] = ..., conf_refused: _Optional[str] = ..., doubtful: _Optional[int] = ..., audit_cost_s: _Optional[float] = ..., audit_interval_s: _Optional[float] = ..., held_back_s: _Optional[float] = ...) -> None: ...

class VPPLBConf(_message.Message):
    __slots__ = ("ipv4_src_address", "ipv6_src_address", "sticky_buckets_per_core", "flow_timeout_s")
    IPV4_SRC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IPV6_SRC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STICKY_BUCKETS_PER_CORE_FIELD_NUMBER: _ClassVar[int]
    FLOW_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    ipv4_src_address: str
    ipv6_src_address: str
    sticky_buckets_per_core: int
    flow_timeout_s: int
    def __init__(self, ipv4_src_address: _Optional[str] = ..., ipv6_src_address: _Optional[str] = ..., sticky_buckets_per_core: _Optional[int] = ..., flow_timeout_s: _Optional[int] = ...) -> None: ...

class VPPLBVIP(_message.Message):
    __slots__ = ("prefix", "protocol", "port", "encap", "src_ip_sticky", "flow_table_length", "application_servers", "refused")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    ENCAP_FIELD_NUMBER: _ClassVar[int]
    SRC_IP_STICKY_FIELD_NUMBER: _ClassVar[int]
    FLOW_TABLE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_SERVERS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    protocol: str
    port: int
    encap: str
    src_ip_sticky: bool
    flow_table_length: int
    application_servers: _containers.RepeatedCompositeFieldContainer[VPPLBAS]
    refused: str
    def __init__(self, prefix: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., encap: _Optional[str] = ..., src_ip_sticky: _Optional[bool] = ..., flow_table_length: _Optional[int] = ..., application_servers: _Optional[_Iterable[_Union[VPPLBAS, _Mapping]]] = ..., refused: _Optional[str] = ...) -> None: ...

class VPPLBAS(_message.Message):
    __slots__ = ("address", "weight", "buckets", "flows")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    address: str
    weight: int
    buckets: int
    flows: int
    def __init__(self, address: _Optional[str] = ..., weight: _Optional[int] = ..., buckets: _Optional[int] = ..., flows: _Optional[int] = ...) -> None: ...

class SyncVPPLBStateRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SyncVPPLBStateResponse(_message.Message):
    __slots__ = ("audited_at_ns", "operations", "refused_vips")
    AUDITED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_VIPS_FIELD_NUMBER: _ClassVar[int]
    audited_at_ns: int
    operations: int
    refused_vips: int
    def __init__(self, audited_at_ns: _Optional[int] = ..., operations: _Optional[int] = ..., refused_vips: _Optional[int] = ...) -> None: ...

class GetVPPLBCountersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VPPLBCounters(_message.Message):
    __slots__ = ("taken_at_ns", "vips", "backends", "unmatched_packets", "unmatched_since_ns", "audited_at_ns", "interval_s")
    TAKEN_AT_NS_FIELD_NUMBER: _ClassVar[int]
    VIPS_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    AUDITED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    taken_at_ns: int
    vips: _containers.RepeatedCompositeFieldContainer[VPPLBVIPCounters]
    backends: _containers.RepeatedCompositeFieldContainer[VPPLBBackendCounters]
    unmatched_packets: int
    unmatched_since_ns: int
    audited_at_ns: int
    interval_s: float
    def __init__(self, taken_at_ns: _Optional[int] = ..., vips: _Optional[_Iterable[_Union[VPPLBVIPCounters, _Mapping]]] = ..., backends: _Optional[_Iterable[_Union[VPPLBBackendCounters, _Mapping]]] = ..., unmatched_packets: _Optional[int] = ..., unmatched_since_ns: _Optional[int] = ..., audited_at_ns: _Optional[int] = ..., interval_s: _Optional[float] = ...) -> None: ...

class GetVPPLBPlanRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VPPLBPlan(_message.Message):
    __slots__ = ("audited_at_ns", "operations", "held_back_s", "unknown_vips")
    AUDITED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_S_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_VIPS_FIELD_NUMBER: _ClassVar[int]
    audited_at_ns: int
    operations: _containers.RepeatedCompositeFieldContainer[VPPLBOperation]
    held_back_s: float
    unknown_vips: int
    def __init__(self, audited_at_ns: _Optional[int] = ..., operations: _Optional[_Iterable[_Union[VPPLBOperation, _Mapping]]] = ..., held_back_s: _Optional[float] = ..., unknown_vips: _Optional[int] = ...) -> None: ...

class VPPLBOperation(_message.Message):
    __slots__ = ("kind", "prefix", "protocol", "port", "address", "backends", "weight", "flush", "moves", "drops", "breaks_flows", "flows", "waits")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    BREAKS_FLOWS_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    prefix: str
    protocol: str
    port: int
    address: str
    backends: _containers.RepeatedScalarFieldContainer[str]
    weight: int
    flush: bool
    moves: float
    drops: float
    breaks_flows: bool
    flows: int
    waits: str
    def __init__(self, kind: _Optional[str] = ..., prefix: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., address: _Optional[str] = ..., backends: _Optional[_Iterable[str]] = ..., weight: _Optional[int] = ..., flush: _Optional[bool] = ..., moves: _Optional[float] = ..., drops: _Optional[float] = ..., breaks_flows: _Optional[bool] = ..., flows: _Optional[int] = ..., waits: _Optional[str] = ...) -> None: ...

class VPPLBVIPCounters(_message.Message):
    __slots__ = ("prefix", "protocol", "port", "next", "first", "untracked", "no_server", "fib_packets", "fib_bytes", "since_ns", "fib_since_ns", "application_servers")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    UNTRACKED_FIELD_NUMBER: _ClassVar[int]
    NO_SERVER_FIELD_NUMBER: _ClassVar[int]
    FIB_PACKETS_FIELD_NUMBER: _ClassVar[int]
    FIB_BYTES_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    FIB_SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_SERVERS_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    protocol: str
    port: int
    next: int
    first: int
    untracked: int
    no_server: int
    fib_packets: int
    fib_bytes: int
    since_ns: int
    fib_since_ns: int
    application_servers: _containers.RepeatedCompositeFieldContainer[VPPLBAS]
    def __init__(self, prefix: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., next: _Optional[int] = ..., first: _Optional[int] = ..., untracked: _Optional[int] = ..., no_server: _Optional[int] = ..., fib_packets: _Optional[int] = ..., fib_bytes: _Optional[int] = ..., since_ns: _Optional[int] = ..., fib_since_ns: _Optional[int] = ..., application_servers: _Optional[_Iterable[_Union[VPPLBAS, _Mapping]]] = ...) -> None: ...

class VPPLBBackendCounters(_message.Message):
    __slots__ = ("backends", "address", "forwarded_packets", "forwarded_bytes", "direct_packets", "direct_bytes", "since_ns")
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIRECT_PACKETS_FIELD_NUMBER: _ClassVar[int]
    DIRECT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedScalarFieldContainer[str]
    address: str
    forwarded_packets: int
    forwarded_bytes: int
    direct_packets: int
    direct_bytes: int
    since_ns: int
    def __init__(self, backends: _Optional[_Iterable[str]] = ..., address: _Optional[str] = ..., forwarded_packets: _Optional[int] = ..., forwarded_bytes: _Optional[int] = ..., direct_packets: _Optional[int] = ..., direct_bytes: _Optional[int] = ..., since_ns: _Optional[int] = ...) -> None: ...
