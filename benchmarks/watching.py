"""A thousand watchers in a process of their own, and a bare gRPC server to measure maglevd's against.

`python -m benchmarks.watching watch ADDRESS WATCHERS PRESENT WANTED`: opens so many streams over some connections, says
`ready` when each has its PRESENT messages, and `done` when each has WANTED more; then ends.

`python -m benchmarks.watching bare ADDRESS SIZE`: sends each stream one message, and, for each line on stdin, one more
of SIZE bytes, in the simplest way that grpcio has.
"""

import asyncio
import sys
from typing import Any

import grpc

STREAMS_EACH = 50  # of a connection

_METHOD = "/maglev.Maglev/WatchEvents"
_BACKENDS = b"\x08\x00\x20\x00"  # WatchRequest(log=False, frontend=False)


async def watch(address: str, watchers: int, present: int, wanted: int) -> None:
    ready, done = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def follow(channel: grpc.aio.Channel) -> None:
        rpc = channel.unary_stream(_METHOD, request_serializer=bytes, response_deserializer=bytes)
        count = 0
        async for _ in rpc(_BACKENDS):
            count += 1
            if count == present:
                ready.release()
            if count == present + wanted:
                done.release()

    async def all_of(semaphore: asyncio.Semaphore, word: str) -> None:
        for _ in range(watchers):
            await semaphore.acquire()
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()

    channels = [
        grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))
        for _ in range(0, watchers, STREAMS_EACH)
    ]
    tasks = [asyncio.create_task(follow(channels[number // STREAMS_EACH])) for number in range(watchers)]
    await all_of(ready, "ready")
    await all_of(done, "done")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()


async def bare(address: str, size: int) -> None:
    news = [asyncio.Event()]
    message = bytes(size)

    async def stream(_: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        await context.write(message)
        sent = 0
        while True:
            while sent == len(news) - 1:
                await news[-1].wait()
            sent += 1
            await context.write(message)

    server = grpc.aio.server()
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"WatchEvents": grpc.unary_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("maglev.Maglev", table),))
    server.add_insecure_port(address)
    await server.start()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        news.append(asyncio.Event())
        news[-2].set()
    await server.stop(0)


if __name__ == "__main__":
    kind, where, *numbers = sys.argv[1:]
    if kind == "watch":
        asyncio.run(watch(where, *map(int, numbers)))
    else:
        asyncio.run(bare(where, *map(int, numbers)))
