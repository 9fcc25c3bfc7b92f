"""What the families of maglev.metrics.counting say of themselves, and what to do with the number."""

PROBES = (
    "Probes answered; result is success or failure, code is HAProxy's word for it. Many failures with one code: "
    "docs/healthchecks.md says what it means"
)
INCONCLUSIVE = (
    "Probes that this machine could not make, or was late with, which say nothing of the backend. Growing: "
    "probe-inconclusive in the log names what is missing here"
)
BLIND = (
    "Backends whose latest probe said nothing, so that their health stays what it was, also if they die. Above 0 for "
    "long: probe-inconclusive in the log names what is missing here"
)
DURATION = (
    "How long probes took, failed ones included, inconclusive ones not. Near the check's timeout: the backend is about "
    "to go down"
)
LATENESS = (
    "How long after they were due probes began. Growing: this machine is short of CPU, and failures are seen late"
)
UPLINK = (
    "Times that a large part of all backends failed at once. Growing: look at this machine's own uplink and routes "
    "before the backends"
)
LAG = (
    "How late the loop that probes and writes was, measured 20 times a second. Growing: this machine is short of CPU, "
    "and failures are seen late"
)
RELOAD = "0 while the file last read was refused: config-refused in the log says why, and the one from before counts"
LOADED_AT = "When the configuration in use was read, unix time. Older than your last change: reload"
WARMUP = "When the warmup after the start ends, unix time. Until then VPP may still have a table from before"
BACKEND_TRANSITIONS = (
    "Changes of a backend's state. Often up to down and back: it flaps; raise fall and rise, or mend it"
)
FRONTEND_TRANSITIONS = "Changes of a frontend's state. Each to down is an outage of its VIP"
ORDERS = (
    "Orders to change something; result is ok, refused or denied. Denied: somebody tries what he may not; the log's "
    "audit lines say who, from where and what"
)
MESSAGES = (
    "Messages of VPP's binary API; result is ok or VPP's retval. Another result than ok: VPP refused, and vpp-refused "
    "in the log says what"
)
DISCONNECTS = "Connections to VPP that ended. Growing: vpp-disconnect in the log says why; did VPP restart?"
WRITES = (
    "Changes to VPP's load-balancer table that VPP acknowledged; scope is all, as there is one kind of sync here. "
    "Growing without changes of health or file: compare maglev_vpp_drift_total"
)
WRITTEN_AT = "When VPP last acknowledged a change, unix time; absent until there is one"
REFUSALS = (
    "Changes that VPP refused; each is tried again after the next audit. Growing: `maglevc show vpp lb state` has "
    "VPP's reasons"
)
DRIFT = (
    "Audits that found VPP's table other than maglevd had left it, and put it right. Growing: somebody else writes to "
    "this VPP, a second maglevd or a hand"
)
SAMPLE_FAILURES = "Times that VPP's counters could not be read. Growing: vpp-sample in the log says why"
AUDITS = (
    "How long VPP was kept busy by readings of its whole table, which stop its workers, by reason. Long ones are paid "
    "for with rarer ones: see maglev_vpp_audit_interval_seconds"
)
