"""A small valid configuration that the tests change, one piece at a time."""

from maglev.config.parse import ConfigFaults, parse

VALID = """\
maglev:
  healthchecker:
    transition-history: 7
    netns: probes
  vpp:
    lb:
      ipv4-src-address: 192.0.2.254
      ipv6-src-address: 2001:db8::fe
      sync-interval: 1m30s
      stats-interval: 1s
      startup-min-delay: 2s
      startup-max-delay: 4s
      sticky-buckets-per-core: 1024
      flow-timeout: 2m
  healthchecks:
    web:
      type: http
      port: 80
      interval: 4s
      timeout: 200ms
      rise: 1
      fall: 2
      fast-interval: 500ms
      down-interval: 10s
      probe-ipv4-src: 192.0.2.253
      params:
        path: /healthz
        host: www.example.org
        response-code: 200,301-302
        response-regexp: ok (yes|no)
    secure:
      type: https
      port: 443
      params:
        server-name: www.example.org
        insecure-skip-verify: true
    imaps:
      type: tcp
      port: 993
      params:
        ssl: true
    ping:
      type: icmp
  backends:
    one:
      address: 198.51.100.1
      healthcheck: web
    two:
      address: 198.51.100.2
      healthcheck: ping
      enabled: false
    three:
      address: 198.51.100.3
    six:
      address: 2001:db8:1::6
  frontends:
    www:
      description: the web
      address: 192.0.2.1
      protocol: tcp
      port: 80
      src-ip-sticky: true
      flush-on-down: false
      pools:
        - name: primary
          backends:
            one: {weight: 10}
            two: {}
        - name: fallback
          backends:
            three: {weight: 0}
    mail:
      address: 192.0.2.1/32
      protocol: udp
      port: 80
      pools:
        - name: only
          backends: {three: }
    wide:
      address: 2001:db8::/64
      pools:
        - name: only
          backends: {six: {weight: 1}}
"""


def changed(old: str, new: str) -> str:
    """The valid configuration with one piece replaced, which must be there exactly once."""
    assert VALID.count(old) == 1, f"{VALID.count(old)} times: {old}"
    return VALID.replace(old, new)


def faults_of(text: str, *, vpp_in_use: bool = True) -> ConfigFaults | None:
    """What parse has to say against `text`."""
    try:
        parse(text, vpp_in_use=vpp_in_use)
    except ConfigFaults as faults:
        return faults
    return None
