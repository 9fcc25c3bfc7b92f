"""The sockets of probes: in the right namespace, from the right source; all that fails here is this machine's fault.

They are the standard library's, without blocking: trio's own cost as much again as the system calls behind them.
"""

import socket
from errno import EADDRNOTAVAIL

from maglev.probes.netns import opened_inside
from maglev.probes.verdict import Target, our_fault

IP_BIND_ADDRESS_NO_PORT = 24  # ip(7); not in Python's socket module before 3.12


def new_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """As the kernel gives it; here alone, so that tests can stand in for the kernel."""
    return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)


def open_socket(target: Target, kind: int, protocol: int) -> socket.socket:
    """A socket of the target's family that does not block, with its source address. Raises Fault, which is ours."""
    family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
    try:
        if target.netns is None:
            sock = new_socket(family, kind, protocol)
        else:
            sock = opened_inside(target.netns, lambda: new_socket(family, kind, protocol))
    except OSError as error:
        raise our_fault("cannot open a socket", error) from error
    if target.source is not None:
        try:
            _bind(sock, target, kind)
        except BaseException:
            sock.close()
            raise
    return sock


def _bind(sock: socket.socket, target: Target, kind: int) -> None:
    try:
        if kind == socket.SOCK_STREAM:
            # A source port is chosen at connect, by the whole connection: else one address would do for 28,000 probes
            # at a time, and those in TIME_WAIT count.
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((str(target.source), 0))
    except OSError as error:
        what = f"cannot use source address {target.source}"
        remedy = "put it on an interface" if error.errno == EADDRNOTAVAIL else None
        raise our_fault(what, error, remedy) from error
