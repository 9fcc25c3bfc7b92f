"""Who watches a real maglevd sees what happens, its log and the audit records among it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile

import grpc

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Site
from tests.processes import running

DEADLINE_S = 30.0


@contextmanager
def watching(site: Site, request: pb.WatchRequest) -> Iterator[Iterator[pb.Event]]:
    with grpc.insecure_channel(site.grpc) as channel:
        rpc: grpc.UnaryStreamMultiCallable[pb.WatchRequest, pb.Event] = channel.unary_stream(
            "/maglev.Maglev/WatchEvents",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.Event.FromString,
        )
        events = rpc(request, timeout=DEADLINE_S)
        yield iter(events)
        events.cancel()


def until(events: Iterator[pb.Event], is_last: Callable[[pb.Event], bool]) -> list[pb.Event]:
    """All up to that one; the call's deadline ends the wait."""
    return list(takewhile(lambda event: not is_last(event), events))


def is_log(name: str) -> Callable[[pb.Event], bool]:
    return lambda event: event.log.name == name


def test_an_order_is_seen_as_transition_record_and_audit_in_their_order(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says("to=up")
        with watching(site, pb.WatchRequest(log_level="info")) as events:
            assert {next(events).WhichOneof("event") for _ in range(2)} == {"backend", "frontend"}
            site.call("PauseBackend", pb.BackendRequest(name="a"), pb.BackendInfo)
            seen = until(events, is_log("audit"))

        kinds = [event.log.name or event.WhichOneof("event") for event in seen]
        assert kinds == ["backend-transition", "backend", "frontend-transition", "frontend", "frontend-pool"]
        assert (getattr(seen[1].backend, "from"), seen[1].backend.to, seen[1].backend.code) == ("up", "paused", "pause")
        fields = dict(seen[0].log.fields)
        assert fields == {
            "backend": "a",
            "address": "127.0.0.1",
            "from": "up",
            "to": "paused",
            "code": "pause",
            "detail": fields["detail"],
        }


def test_the_audit_record_in_the_stream_is_that_of_the_log(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says("to=up")
        with watching(site, pb.WatchRequest(log_level="info", frontend=False)) as events:
            assert next(events).backend.to == "up"  # from here on it watches
            rest = (event for event in events if event.log.name == "audit")
            site.call("PauseBackend", pb.BackendRequest(name="a"), pb.BackendInfo)
            audit = next(rest).log
        maglevd.until_says(" audit ")

    assert dict(audit.fields) == {
        "who": "unix socket",
        "from": "unix",
        "says": "",
        "action": "PauseBackend",
        "what": "backend a",
        "before": "up",
        "after": "paused",
        "result": "ok",
        "times": "1",
    }
    (line,) = [line for line in maglevd.output.splitlines() if " audit " in line]
    assert 'what="backend a" before=up after=paused result=ok' in line


def test_a_watcher_of_everything_sees_each_probe_and_the_log_does_not(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says("to=up")
        with watching(site, pb.WatchRequest(backend=False, frontend=False)) as events:
            begun = next(event for event in events if event.log.name == "probe-start")
            done = next(event for event in events if event.log.name == "probe-done")
        assert (begun.log.level, begun.log.fields["backend"], begun.log.fields["type"]) == ("debug", "a", "http")
        assert (done.log.fields["passed"], done.log.fields["code"]) == ("true", "L7OK")
        assert "probe-" not in maglevd.output
