"""What maglevc does when something is watched, as a program of its own: events|frames|hourly|stuck ADDRESS [COUNT]."""

import json
import os
import signal
import sys
import threading
from itertools import count

from google.protobuf import json_format

from maglev.cli import live
from maglev.cli.client import Client
from maglev.cli.screen import Screen
from maglev.errors import MaglevError
from maglev.rpc._pb import maglev_pb2 as pb

EVERY_S = 0.02


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def line(event: pb.Event) -> str:
    return json.dumps(json_format.MessageToDict(event))


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as maglevc's own main does
    what, address, *number = sys.argv[1:]
    try:
        with Client(address, 10.0) as client:
            if what == "events":
                asked = pb.WatchRequest(log=False)
                live.events(client, asked, int(number[0]) if number else None, write, line)
            else:
                ask = stuck() if what == "stuck" else lambda width: frame(client, width)
                live.redraw(ask, lambda: 3600.0 if what == "hourly" else EVERY_S, Screen("show backends", sys.stdout))
    except MaglevError as error:
        write(f"{error}\n")
        return 3
    except BrokenPipeError:
        return 141
    write("ended\n")
    return 0


def frame(client: Client, width: int | None) -> list[str]:
    return [f"width {width}", *(f"\x1b[32m{each.name}\x1b[0m {each.state}" for each in client.backends())]


def stuck() -> live.Frame:
    """The second answer never comes."""
    looks = count()

    def frame(_: int | None) -> list[str]:
        if next(looks):
            os.write(1, b"asked again")
            threading.Event().wait()
        return ["asked"]

    return frame


if __name__ == "__main__":
    sys.exit(main())
