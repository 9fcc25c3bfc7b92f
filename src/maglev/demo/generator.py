"""Flows out of a real VPP's own packet generator, for a demo without a network card."""

from maglev.vpp.session import Session

INTERFACE = "pg77"
STREAMS = (
    ("maglev-www", "ip4-input", "TCP: 198.51.100.1 - 198.51.100.250 -> 192.0.2.1", 80),
    ("maglev-api", "ip4-input", "TCP: 198.51.100.1 - 198.51.100.250 -> 192.0.2.2", 443),
    ("maglev-www6", "ip6-input", "TCP: 2001:db8:1::1 - 2001:db8:1::fa -> 2001:db8::1", 80),
)


# Addresses times ports: so many flows that new ones still come at the end of the story. Flows that stick to where
# they are would never show that a revived backend gets its share.


async def start_flows(session: Session, packets_per_second: int) -> None:
    """Make an interface, which is where packets come in, and an endless stream for each VIP of the demo."""
    for command in (
        f"create packet-generator interface {INTERFACE}",
        f"set interface state {INTERFACE} up",
        f"set interface ip address {INTERFACE} 198.51.100.254/24",
        f"set interface ip address {INTERFACE} 2001:db8:1::fe/64",
    ):
        await session.cli(command)
    rate = max(1, packets_per_second // len(STREAMS))
    for name, node, addresses, port in STREAMS:
        await session.cli(
            f"packet-generator new {{ name {name} limit 0 rate {rate} interface {INTERFACE} node {node} size 100-100 "
            f"data {{ {addresses} TCP: 1024 - 17407 -> {port} incrementing 60 }} }}"
        )
        await session.cli(f"packet-generator enable-stream {name}")


async def stop_flows(session: Session) -> None:
    """Remove the streams and the interface again."""
    for name, *_ in STREAMS:
        await session.cli(f"packet-generator disable-stream {name}")
        await session.cli(f"packet-generator delete {name}")
    await session.cli(f"delete packet-generator interface {INTERFACE}")
