"""Run by the tests: the embedded VPP on a clock that only they move; packets and time come in on stdin as JSON."""

import ipaddress
import json
import sys
from typing import Any

import trio
from trio.testing import MockClock

from maglev.emulator.flowhash import Packet
from maglev.emulator.service import Emulator, EmulatorConfig, serve

WORKER = 1


def send(emulator: Emulator, burst: dict[str, Any]) -> None:
    src, dst = (ipaddress.ip_address(burst[end]).packed for end in ("src", "dst"))
    ports = max(burst["last_sport"] - burst["sport"], 0) + 1
    for n in range(burst["count"]):
        sport = burst["sport"] + n % ports
        packet = Packet(src, dst, burst["protocol"], sport, burst["dport"], burst["length"])
        emulator.vpp.forwarding.send(WORKER, packet)


async def main(api: str, stats: str, clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        emulator = await nursery.start(serve, EmulatorConfig(api, stats, workers=1))
        print("done", flush=True)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            match json.loads(line):
                case {"send": burst}:
                    send(emulator, burst)
                case {"pass_time": seconds}:
                    clock.jump(seconds)
                    await trio.testing.wait_all_tasks_blocked(0.01)
            print("done", flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    moving = MockClock()
    trio.run(main, sys.argv[1], sys.argv[2], moving, clock=moving)
