"""The table of all commands of maglevc: parsing, completion, help and the manual page all come from here; pure."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence

from maglev.cli.commands import (
    Command,
    ConfigCheck,
    ConfigReload,
    Help,
    Line,
    Quit,
    SetBackend,
    SetWeight,
    ShowBackends,
    ShowFrontends,
    ShowHealthChecks,
    ShowLbCounters,
    ShowLbPlan,
    ShowLbState,
    ShowVersion,
    ShowVppInfo,
    SyncLbState,
    WatchEvents,
    WatchFrontends,
    WatchLbCounters,
)
from maglev.cli.grammar import SHOWN, Argument, Language, Rule, Said
from maglev.errors import ConfigError

LEVELS = ("debug", "info", "warning", "error")
ORDERS = {
    "pause": "no probes, no new flows; it keeps those it has",
    "resume": "end a pause",
    "enable": "end a disablement",
    "disable": "no probes, no new flows, and its flows are cut",
}


def _whole(least: int, most: int) -> Callable[[str], None]:
    def check(word: str) -> None:
        if not re.fullmatch("[0-9]{1,9}", word) or not least <= int(word) <= most:
            raise ConfigError(f"{word[:SHOWN]!r} is no whole number from {least} to {most}")

    return check


def _pattern(word: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what later Pythons will read in another way
            return re.compile(word)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{word[:SHOWN]!r} is no regular expression: {error}", hint="as in Python's re") from error


ARGUMENTS = {
    "FRONTEND": Argument("name of a frontend"),
    "BACKEND": Argument("name of a backend"),
    "HEALTHCHECK": Argument("name of a health check"),
    "POOL": Argument("name of a pool of that frontend"),
    "WEIGHT": Argument("0 to 100", check=_whole(0, 100)),
    "NUMBER": Argument("how many events", check=_whole(1, 999_999_999)),
    "LEVEL": Argument("log records of this level and above", choices=LEVELS),
    "REGEX": Argument("a regular expression; in quotes if it has blanks", check=_pattern),
}

_SHOW = ("json", "match REGEX")
_REDRAWN = ("match REGEX",)


def _orders() -> Iterator[Rule[Command]]:
    def build(said: Said) -> Command:
        return SetBackend(said.arguments["BACKEND"], said.keywords[-1])

    for order, effect in ORDERS.items():
        yield Rule(f"set backend BACKEND {order}", effect, build)


def _set_weight(said: Said) -> Command:
    given = said.arguments
    place = given["FRONTEND"], given["POOL"], given["BACKEND"]
    return SetWeight(*place, int(given["WEIGHT"]), flush="flush" in said.keywords)


def _watch_events(said: Said) -> Command:
    """Without a filter everything is sent, of the log what a human is to see."""
    number, level = said.arguments.get("NUMBER"), said.arguments.get("LEVEL", "info")
    kinds = ("log", "backend", "frontend")
    wanted = said.keywords if any(each in said.keywords for each in kinds) else kinds
    log, backend, frontend = (each in wanted for each in kinds)
    return WatchEvents(None if number is None else int(number), log, level, backend, frontend)


RULES: tuple[Rule[Command], ...] = (
    Rule("help", "all commands", lambda _: Help()),
    Rule("show version", "versions of maglevc and maglevd", lambda _: ShowVersion(), _SHOW),
    Rule(
        "show frontends [FRONTEND]",
        "frontends with their state; one with its pools",
        lambda said: ShowFrontends(said.arguments.get("FRONTEND")),
        _SHOW,
    ),
    Rule(
        "show backends [BACKEND]",
        "backends with their health; one with its history",
        lambda said: ShowBackends(said.arguments.get("BACKEND")),
        _SHOW,
    ),
    Rule(
        "show healthchecks [HEALTHCHECK]",
        "health checks; one with all it does",
        lambda said: ShowHealthChecks(said.arguments.get("HEALTHCHECK")),
        _SHOW,
    ),
    Rule("show vpp info", "the VPP that maglevd is connected to", lambda _: ShowVppInfo(), _SHOW),
    Rule("show vpp lb state", "VPP's table: VIPs, backends, weights, buckets", lambda _: ShowLbState(), _SHOW),
    Rule(
        "show vpp lb counters [rate]",
        "packets and bytes of VIPs and backends",
        lambda said: ShowLbCounters("rate" in said.keywords),
        _SHOW,
        {"rate": "per second, between two samples"},
    ),
    Rule("show vpp lb plan", "what is left to do to VPP's table, with effects", lambda _: ShowLbPlan(), _SHOW),
    Rule(
        "sync vpp lb state [FRONTEND]",
        "read VPP's table anew and make it right",
        lambda said: SyncLbState(said.arguments.get("FRONTEND")),
    ),
    *_orders(),
    Rule(
        "set frontend FRONTEND pool POOL backend BACKEND weight WEIGHT [flush]",
        "the weight of a backend in a pool",
        _set_weight,
        helps={"pool": "in which pool", "backend": "of which backend", "weight": "0 to 100", "flush": "cut its flows"},
    ),
    Rule(
        "watch events [num NUMBER] [log [level LEVEL]] [backend] [frontend]",
        "events, one JSON object a line; any key ends",
        _watch_events,
        helps={
            "num": "end after so many",
            "log": "records of maglevd's log",
            "level": "least level of those records (default: info)",
            "backend": "changes of backends",
            "frontend": "changes of frontends",
        },
    ),
    Rule("watch frontends", "`show frontends`, over and over", lambda _: WatchFrontends(), _REDRAWN),
    Rule(
        "watch vpp lb counters [rate]",
        "`show vpp lb counters`, over and over",
        lambda said: WatchLbCounters("rate" in said.keywords),
        _REDRAWN,
        {"rate": "per second, between two samples"},
    ),
    Rule("config check", "what is wrong with the configuration file", lambda _: ConfigCheck()),
    Rule("config reload", "take over the configuration file", lambda _: ConfigReload()),
    Rule("quit", "leave the shell", lambda _: Quit()),
    Rule("exit", "leave the shell", lambda _: Quit()),
)

_HELPS = {
    "show": "what maglevd knows",
    "show vpp": "VPP and its load balancer",
    "show vpp lb": "VPP's load balancer",
    "sync": "make VPP's table right",
    "sync vpp": "VPP and its load balancer",
    "sync vpp lb": "VPP's load balancer",
    "set": "give an order",
    "set backend": "pause, resume, enable or disable a backend",
    "set frontend": "the weight of a backend in a pool",
    "watch": "until a key is pressed",
    "watch vpp": "VPP and its load balancer",
    "watch vpp lb": "VPP's load balancer",
    "config": "the configuration file of maglevd",
    "|": "json, or match REGEX",
    "json": "one JSON document",
    "match": "only rows in which REGEX is found",
}

LANGUAGE: Language[Command] = Language(RULES, ARGUMENTS, _HELPS)


def parse(words: Sequence[str]) -> Line:
    """The command that `words` mean. Raises ConfigError as `Language.parse` does."""
    rule, said = LANGUAGE.parse(words)
    pattern = said.arguments.get("REGEX")
    return Line(rule.build(said), "json" in said.keywords, None if pattern is None else _pattern(pattern))
