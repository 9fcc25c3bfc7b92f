"""What a watch shows, over and over; how it is drawn, and what ends it, is for maglev.cli.live."""

import sys
from collections.abc import Callable
from typing import assert_never

from maglev.cli import answers, live
from maglev.cli.client import Client
from maglev.cli.commands import ShowFrontends, Watch, WatchEvents, WatchFrontends, WatchLbCounters
from maglev.cli.output import unwritable, write
from maglev.cli.render import as_json
from maglev.cli.render.layout import Page, Text
from maglev.cli.screen import Screen
from maglev.cli.times import Times
from maglev.rpc._pb import maglev_pb2 as pb

_FRONTENDS_S = 2.0
_COUNTERS_S = 5.0

Lines = Callable[[Page, int | None], list[str]]
"""A page as it is shown in so many columns."""


def watch(command: Watch, client: Client, times: Times, lines: Lines) -> None:
    """Until a key is pressed, or it is over. Raises Refused, and Unavailable when the server goes."""
    match command:
        case WatchEvents(count, log, level, backend, frontend):
            request = pb.WatchRequest(log=log, log_level=level, backend=backend, frontend=frontend)
            live.events(client, request, count, lambda text: write([text.removesuffix("\n")]), as_json.line)
        case WatchFrontends():
            question = ShowFrontends(None)
            screen = Screen("watch frontends", sys.stdout)
            _redraw(
                lambda width: lines(answers.answer(question, client, times).page(), width), lambda: _FRONTENDS_S, screen
            )
        case WatchLbCounters(is_rate):
            counters = _Counters(client, times, is_rate)
            screen = Screen(f"watch vpp lb counters{' rate' if is_rate else ''}", sys.stdout)
            _redraw(lambda width: lines(counters.page(), width), lambda: counters.interval_s, screen)
        case _:
            assert_never(command)


class _Counters:
    """The newest sample, or how fast counters grew between it and the one before."""

    def __init__(self, client: Client, times: Times, is_rate: bool) -> None:
        self._client = client
        self._times = times
        self._is_rate = is_rate
        self._older: pb.VPPLBCounters | None = None
        self._newer: pb.VPPLBCounters | None = None
        self.interval_s = _COUNTERS_S

    def page(self) -> Page:
        """As of this moment. Raises as the client does."""
        found = self._client.lb_counters()
        self.interval_s = found.interval_s or _COUNTERS_S
        if not self._is_rate:
            return answers.of_counters(found, self._times).page()
        if self._newer is None or found.taken_at_ns < self._newer.taken_at_ns:  # the router's clock was set back
            self._older, self._newer = None, found
        elif found.taken_at_ns > self._newer.taken_at_ns:
            self._older, self._newer = self._newer, found
        if self._older is None:
            return (Text(("waiting for a second sample of VPP's counters",)),)
        return answers.of_rates(self._older, self._newer, self._times).page()


def _redraw(frame: live.Frame, every_s: Callable[[], float], screen: Screen) -> None:
    try:
        live.redraw(frame, every_s, screen)
    except OSError as error:
        raise unwritable(error) from error
