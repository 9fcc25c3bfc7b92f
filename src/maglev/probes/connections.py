"""Connects, sends and hears the first bytes, for all probes by one epoll; knows nothing of what is said.

A task of trio's that waits for a socket costs as much CPU as the socket itself, and a probe waits twice. Here it waits
once, for the whole exchange: what is due in between is done by the one task that looks after the epoll.
"""

import os
import select
import socket
from functools import partial

import outcome
import trio

from maglev.probes.verdict import Phase, Progress, TooLate, our_fault

BURST = 128  # connections looked after before everybody else has a turn
CHUNK = 16 * 1024  # bytes heard at once
_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET  # each change is told once


class _Exchange:
    """One connection, for `task`: `unsent` is left of the request, None if all that is wanted is that it stands."""

    __slots__ = ("is_connected", "progress", "sock", "task", "unsent")

    def __init__(self, sock: socket.socket, request: bytes | None, progress: Progress) -> None:
        self.sock = sock
        self.unsent = request
        self.progress = progress
        self.task = trio.lowlevel.current_task()
        self.is_connected = False

    def step(self, events: int) -> bytes | None:
        """Go on after `events`: the bytes heard, none if none were asked for; None: not yet.

        Raises CannotConnect, and OSError when the connection breaks.
        """
        if not self.is_connected:
            if number := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise CannotConnect(OSError(number, os.strerror(number)))
            if not events & select.EPOLLOUT:
                return None
            self.is_connected = True
            if self.unsent is None:
                return b""
            self.progress.phase = Phase.ANSWER
        if self.unsent:
            self.unsent = self._left_of(self.unsent)
        if events & ~select.EPOLLOUT:
            try:
                return self.sock.recv(CHUNK)
            except BlockingIOError:
                return None
        return None

    def _left_of(self, request: bytes) -> bytes:
        try:
            return request[self.sock.send(request) :]
        except BlockingIOError:
            return request
        except OSError:  # it may have answered and closed without reading; what it said counts, and is heard next
            return b""


class CannotConnect(Exception):
    """The connection did not come to stand, because of `error`."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class Connections:
    """Exchanges go on while it runs."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._exchanges: dict[int, _Exchange] = {}

    async def run(self) -> None:
        """Look after all connections until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for descriptor, events in self._epoll.poll(0, BURST):
                    self._step(descriptor, events)
        finally:
            self._epoll.close()

    async def exchange(
        self, sock: socket.socket, to: tuple[str, int], request: bytes | None, progress: Progress
    ) -> bytes:
        """Connect `sock`, send `request`, and return the first bytes heard, none if the other side closed at once.

        Without a request that is all once the connection stands. `sock` is the caller's to go on with, and to close.
        Raises CannotConnect, OSError when it breaks afterwards, TooLate, and Fault for a fault of ours.
        """
        try:
            sock.connect(to)
        except BlockingIOError:
            pass
        except OSError as error:
            raise CannotConnect(error) from error
        descriptor = sock.fileno()
        try:
            self._epoll.register(descriptor, _EVENTS)
        except OSError as error:
            raise our_fault("cannot watch a socket", error) from error
        exchange = self._exchanges[descriptor] = _Exchange(sock, request, progress)
        progress.give_up = partial(self._give_up, descriptor, exchange)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._forget(descriptor)
            return trio.lowlevel.Abort.SUCCEEDED

        heard: bytes = await trio.lowlevel.wait_task_rescheduled(abort)
        if progress.is_late:
            raise TooLate
        progress.give_up = partial(_close, sock)
        return heard

    def _give_up(self, descriptor: int, exchange: _Exchange) -> bool:
        if self._exchanges.get(descriptor) is exchange:
            own = select.poll()
            own.register(descriptor, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
            for _, events in own.poll(0):  # bits that mean the same to epoll
                self._step(descriptor, events)
        is_waiting = self._exchanges.get(descriptor) is exchange
        self._end(descriptor, exchange, outcome.Error(TooLate()))
        return is_waiting

    def _step(self, descriptor: int, events: int) -> None:
        exchange = self._exchanges[descriptor]
        try:
            heard = exchange.step(events)
        except (CannotConnect, OSError) as error:
            self._end(descriptor, exchange, outcome.Error(error))
        else:
            if heard is not None:
                self._end(descriptor, exchange, outcome.Value(heard))

    def _end(self, descriptor: int, exchange: _Exchange, result: outcome.Outcome[bytes]) -> None:
        if self._exchanges.get(descriptor) is exchange:
            self._forget(descriptor)
            trio.lowlevel.reschedule(exchange.task, result)

    def _forget(self, descriptor: int) -> None:
        del self._exchanges[descriptor]
        self._epoll.unregister(descriptor)


def _close(sock: socket.socket) -> bool:
    trio.lowlevel.notify_closing(sock)
    sock.close()
    return True
