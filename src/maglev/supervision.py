"""Tells systemd how we are, as sd_notify(3) has it, and feeds its watchdog; decides nothing of what maglevd does.

Without NOTIFY_SOCKET in the environment nobody is told anything. The protocol is a datagram of a few words, so there is
no library for it here: those of others want libsystemd, or are no longer kept.
"""

import errno
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import trio

from maglev import logs
from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.status import Status

TICK_S = 5.0  # between two looks at the status
_FEEDS = 3  # of the watchdog in its time, so that one that comes late is no death
_KEPT = 16  # messages that systemd has no room for as yet
_FOOD = "WATCHDOG=1"
_PASSING = (errno.EAGAIN, errno.ENOBUFS, errno.EMFILE, errno.ENFILE)
"""Its queue is full, perhaps while it starts itself anew, or there is no descriptor left just now."""


class Supervision:
    """`has_progress` is asked a few times in the watchdog's time, and when it says no the watchdog is not fed.

    `status` is told in a sentence, when that is another one than before.
    """

    def __init__(
        self, status: Callable[[], Status], has_progress: Callable[[], bool], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._status = status
        self._has_progress = has_progress
        self._address = _address_of(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(environ)
        self._unsent: deque[str] = deque(maxlen=_KEPT)
        self._told = ""
        self._fault = ""  # of the configuration file, while it is not the one that we work by
        self._is_stopping = False

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say that we are ready, and from then on how we are, until cancelled."""
        task_status.started()
        self._say(f"READY=1\n{self._status_line()}")
        fed_at_s = trio.current_time()
        while self._address is not None:
            await trio.sleep(min(TICK_S, self._watchdog_s / _FEEDS))
            self.look()
            if self._has_progress():
                fed_at_s = trio.current_time()
                self._say(_FOOD)
            elif self._watchdog_s < float("inf"):
                logs.note(
                    logging.WARNING,
                    "watchdog",
                    stuck=f"{trio.current_time() - fed_at_s:.0f}s",
                    after=f"{self._watchdog_s:.0f}s",
                    hint="no probe comes to an end, though some ought to have: without any, systemd aborts maglevd "
                    "and starts it anew; VPP's table stays as it is, and the log then has where each thread stood",
                )

    def look(self) -> None:
        """Tell the status if it is another one by now."""
        if self._address is None:
            return
        told, line = self._told, self._status_line()
        self._say(*([line] if line != told else []))

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The body takes over another configuration, or finds that it cannot."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            self._say(f"READY=1\n{self._status_line()}")

    def judged(self, fault: str) -> None:
        """The configuration file was read anew; `fault` is the first that it has, empty if we work by it now."""
        self._fault = fault

    def stopping(self) -> None:
        """From here on there is nothing to tell but the end."""
        self._say("STOPPING=1\nSTATUS=stopping; VPP's table stays as it is")
        self._is_stopping = True

    def _status_line(self) -> str:
        """As it is to be told now, and taken for told."""
        faults = f"; the configuration file is refused, the one before is used: {self._fault}" if self._fault else ""
        self._told = f"STATUS={sentence(self._status())}{faults}".replace("\n", " ")
        return self._told

    def _say(self, *messages: str) -> None:
        """Send what could not be sent before, and these; waits for nobody."""
        if self._address is None or self._is_stopping:
            return
        self._unsent.extend(messages)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                while self._unsent:
                    sender.sendto(self._unsent[0].encode(errors="replace"), self._address)
                    self._unsent.popleft()
        except OSError as error:
            if error.errno not in _PASSING:
                hint = "systemd does not hear from us: it may end maglevd, as Type=notify and WatchdogSec wait for it"
                logs.note(logging.WARNING, "supervision", fault=error.strerror, socket=self._address, hint=hint)
                self._unsent.clear()
            with suppress(ValueError):
                self._unsent.remove(_FOOD)  # stale by the time that it can be sent


def sentence(status: Status) -> str:
    """How it is, such as `VPP 26.10 is connected; up: 12 of 13 frontends, 40 of 41 backends`."""
    frontends, backends = status.health.frontends.values(), status.health.backends.values()
    up = sum(each.resolved.state is FrontendState.UP for each in frontends)
    alive = sum(each.health.state is State.UP for each in backends)
    vpp = f"VPP {status.vpp.version} is connected" if status.vpp else "no VPP"
    if status.vpp and status.lb is None:
        vpp += ", its table is not read yet"
    warmup = ", warming up" if status.lb is not None and status.lb.is_warming_up else ""
    return f"{vpp}{warmup}; up: {up} of {len(frontends)} frontends, {alive} of {len(backends)} backends"


def _address_of(text: str) -> str | None:
    """Where to send to: a path, or behind an @ a name in the abstract namespace; None: nowhere."""
    return (f"\0{text[1:]}" if text.startswith("@") else text) or None


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """After so many seconds without a word systemd aborts us; infinite if it does not."""
    is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if is_ours and text.isdecimal() and int(text) else float("inf")
