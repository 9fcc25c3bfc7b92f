"""The ICMP probe: one socket for each family, source and namespace, which all probes share; replies find their probe.

The kernel's ping socket is used where `net.ipv4.ping_group_range` lets us have one, else a raw socket, which takes
CAP_NET_RAW. Neither is connected: a reply counts if sender, identifier, sequence number and token are right.
"""

import os
import secrets
import socket
import struct
import sys
from errno import EACCES, EBADF, ENOBUFS, EPERM, EPROTONOSUPPORT
from functools import partial

import trio

from maglev.core.model import IPAddress
from maglev.probes.icmp import TOKEN_LENGTH, Echo, sequence_of, without_ipv4_header
from maglev.probes.netns import identity
from maglev.probes.opening import open_socket
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, TooLate, Verdict, network_fault, our_fault

MAX_PACKET = 1024
BURST = 64  # packets taken before everybody else has a turn
BUFFER = 16 * 1024 * 1024  # bytes asked for; one reply takes some 800 of them

NO_RIGHT = "no ICMP socket may be opened: CAP_NET_RAW or net.ipv4.ping_group_range is needed"

_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55  # socket(7), <asm-generic/socket.h>
_MEMINFO = struct.Struct("9I")  # its last word counts the packets that found the buffer full
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1  # raw(7), <linux/icmpv6.h>
_RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}  # ip(7), ipv6(7)
# A bit for each type that is not to be heard.
_ALL_BUT_REPLIES_4 = struct.pack("I", 0xFFFFFFFF & ~(1 << 0))
_ALL_BUT_REPLIES_6 = struct.pack("8I", *[0xFFFFFFFF] * 4, 0xFFFFFFFF & ~(1 << 129 % 32), *[0xFFFFFFFF] * 3)
_PASSED = Verdict(Code.L4OK, "echo reply")

_Key = tuple[int, IPAddress | None, str | None]


class Echoes:
    """Opens sockets as they are needed, each with a task in `nursery` that hears its replies."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._lines: dict[_Key, _Line] = {}

    async def check(self, target: Target, progress: Progress) -> Verdict:
        """Send one echo request and wait for its reply. Raises Fault."""
        progress.phase = Phase.ECHO
        family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
        return await self._line(target).ask(socket.inet_ntop(family, target.address.packed), progress)

    def let_go(self, *, idle_only: bool) -> None:
        """Close the sockets, or those that nobody waits for: what is needed again is opened again."""
        for key, line in list(self._lines.items()):
            if not (idle_only and line.is_busy):
                del self._lines[key]
                line.close()

    def _line(self, target: Target) -> "_Line":
        key = (target.address.version, target.source, target.netns)
        line = self._lines.get(key)
        space = None if target.netns is None else identity(target.netns)
        if line is not None and (line.is_closed or line.space != space):
            line.close()
            line = None
        if line is None:
            sock = _opened(target)
            line = self._lines[key] = _Line(sock, target.address.version, space)
            self._nursery.start_soon(line.run, name=f"icmp{target.address.version}")
        return line


class _Waiting:
    """A probe whose reply has not come yet; `fault` says why none will."""

    __slots__ = ("address", "echo", "ended", "fault", "is_answered")

    def __init__(self, echo: Echo, address: str) -> None:
        self.echo = echo
        self.address = address
        self.ended = trio.Event()
        self.fault: Fault | None = None
        self.is_answered = False


class _Line:
    """One socket; `space` tells the namespace that it is in."""

    def __init__(self, sock: socket.socket, version: int, space: tuple[int, int] | None) -> None:
        self.space = space
        self._sock = sock
        self._version = version
        self._is_raw = sock.type == socket.SOCK_RAW
        self._identifier = secrets.randbits(16)
        self._sequence = secrets.randbits(16)
        self._waiting: dict[int, _Waiting] = {}
        self._scope = trio.CancelScope()

    @property
    def is_closed(self) -> bool:
        """Whether another one has to be opened."""
        return self._sock.fileno() == -1

    @property
    def is_busy(self) -> bool:
        """Whether a probe waits for its reply."""
        return bool(self._waiting)

    def close(self) -> None:
        """Hear no more: who still waits is told that this machine is at fault."""
        self._scope.cancel()

    async def ask(self, address: str, progress: Progress) -> Verdict:
        """One echo. Raises Fault."""
        while self._sequence in self._waiting:  # there are far more numbers than probes at once
            self._sequence = (self._sequence + 1) % 0x10000
        echo = Echo(self._version, self._identifier, self._sequence, secrets.token_bytes(TOKEN_LENGTH))
        waiting = self._waiting[echo.sequence] = _Waiting(echo, address)
        self._sequence = (self._sequence + 1) % 0x10000
        progress.give_up = partial(self._give_up, waiting)
        lost = self._lost()
        try:
            self._send(echo.request, address)
            await waiting.ended.wait()
        except OSError as error:
            raise network_fault("cannot send an echo", error) from error
        finally:
            del self._waiting[echo.sequence]
        if waiting.fault is not None:
            raise waiting.fault
        if not waiting.is_answered:
            if self._lost() != lost:
                progress.phase = Phase.ECHO_LOST
            raise TooLate
        return _PASSED

    async def run(self) -> None:
        """Hear replies until closed, or until the socket breaks."""
        fault = our_fault("cannot hear echoes", OSError(EBADF, "closed"))
        try:
            with self._scope:
                while True:
                    await trio.lowlevel.wait_readable(self._sock)
                    self._hear()
        except OSError as error:
            fault = our_fault("cannot hear echoes", error)
        finally:
            self._sock.close()
            for waiting in self._waiting.values():
                waiting.fault = fault
                waiting.ended.set()

    def _give_up(self, waiting: _Waiting) -> bool:
        if not self.is_closed:
            try:
                self._hear()
            except OSError as error:  # `run` will find it too
                waiting.fault = our_fault("cannot hear echoes", error)
        is_waiting = not waiting.ended.is_set() and waiting.fault is None
        waiting.ended.set()
        return is_waiting

    def _send(self, request: bytes, address: str) -> None:
        try:
            self._sock.sendto(request, (address, 0))
        except BlockingIOError as error:
            raise OSError(ENOBUFS, "the send buffer is full") from error
        except OSError:
            # It may be the error of another probe, which the kernel tells to whoever comes next.
            self._hear_errors()
            self._sock.sendto(request, (address, 0))

    def _hear(self) -> None:
        for _ in range(BURST):
            try:
                packet, sender = self._sock.recvfrom(MAX_PACKET)
            except BlockingIOError:
                self._hear_errors()
                return
            except OSError:
                if not self._hear_errors():
                    raise
                continue
            message = without_ipv4_header(packet) if self._is_raw and self._version == 4 else packet
            waiting = self._waiting.get(sequence_of(message))
            if waiting is None or waiting.address != sender[0]:
                continue
            if waiting.echo.is_answered_by(message, has_our_identifier=self._is_raw):
                waiting.is_answered = True
                waiting.ended.set()

    def _hear_errors(self) -> int:
        """What the network or this machine answered instead of the host; returns how many such answers there were."""
        for count in range(BURST):
            try:
                message, ancillary, _, destination = self._sock.recvmsg(MAX_PACKET, MAX_PACKET, socket.MSG_ERRQUEUE)
            except OSError:  # there is no more
                return count
            waiting = self._waiting.get(sequence_of(message))
            if waiting is None or waiting.address != destination[0]:
                continue
            for level, kind, text in ancillary:
                if (level, kind) == _RECVERR[self._version]:
                    number = int.from_bytes(text[:4], sys.byteorder)
                    waiting.fault = network_fault("no echo", OSError(number, os.strerror(number)))
                    waiting.ended.set()
        return BURST

    def _lost(self) -> int:
        """How many packets found the buffer full so far."""
        if self.is_closed:
            return 0
        try:
            found = self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:  # a kernel before 4.12 does not tell
            return 0
        return int(_MEMINFO.unpack(found)[-1]) if len(found) == _MEMINFO.size else 0


def _opened(target: Target) -> socket.socket:
    protocol = socket.IPPROTO_ICMP if target.address.version == 4 else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = open_socket(target, kind, protocol)
        except Fault as fault:
            if not _is_refusal(fault):
                raise
        else:
            return _prepared(sock, target.address.version)
    raise Fault(Code.SOCKERR, NO_RIGHT)


def may_open(target: Target) -> bool:
    """Whether the kernel lets us have a socket of either kind; any other fault is no matter of rights."""
    try:
        _opened(target).close()
    except Fault as fault:
        return str(fault) != NO_RIGHT
    return True


def _is_refusal(fault: Fault) -> bool:
    """Whether the kernel would not give this kind of socket; another kind may do."""
    return isinstance(fault.__cause__, OSError) and fault.__cause__.errno in (EACCES, EPERM, EPROTONOSUPPORT)


def _prepared(sock: socket.socket, version: int) -> socket.socket:
    """Let it tell errors, hold a crowd of replies and hear nothing else."""
    try:
        sock.setsockopt(*_RECVERR[version], 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
        except PermissionError:  # as much as net.core.rmem_max allows
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if sock.type == socket.SOCK_RAW:
            if version == 4:
                sock.setsockopt(_SOL_RAW, _ICMP_FILTER, _ALL_BUT_REPLIES_4)
            else:
                sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _ALL_BUT_REPLIES_6)
    except OSError as error:
        sock.close()
        raise our_fault("cannot prepare an ICMP socket", error) from error
    return sock
