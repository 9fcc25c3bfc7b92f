"""What WatchEvents sends, one event at a time, until somebody has seen enough; makes no call itself."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Self

import grpc

from maglev.cli import failures
from maglev.errors import MaglevError, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb


class Watch:
    """An iterator of events; `cancel` ends it, also from another thread, and what it then has is not told any more.

    Raises Unavailable when maglevd goes, and Refused when it lets nobody watch.
    """

    def __init__(self, call: Any, peer: failures.Peer) -> None:
        self._call = call
        self._peer = peer
        self._batch: deque[pb.Event] = deque()
        self._is_cancelled = threading.Event()

    def __iter__(self) -> Iterator[pb.Event]:
        return self

    def __next__(self) -> pb.Event:
        while not self._is_cancelled.is_set():
            if self._batch:
                return self._batch.popleft()
            try:
                event = next(self._call)
            except grpc.RpcError as error:
                if self._is_cancelled.is_set():
                    break
                raise self._failure(error) from error
            if event.HasField("batch"):
                self._batch.extend(event.batch.events)
            else:
                self._batch.append(event)
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ask for no more; the iterator ends."""
        self._is_cancelled.set()
        self._call.cancel()

    def _failure(self, error: grpc.RpcError) -> MaglevError:
        """`error` comes out of a stream that maglevd would go on with for ever."""
        details = error.details() or ""
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            what = details if failures.is_maglevds(error) else "the connection is lost"
            return Unavailable(f"no more events from {self._peer.address}: {what}", hint="watch again")
        return failures.failure(self._peer, "WatchEvents", error, 0.0)
