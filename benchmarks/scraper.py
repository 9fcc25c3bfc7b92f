"""Scrapes a port of this machine and tells how long each took.

`python scraper.py PORT COUNT EVERY_S gzip|identity text|openmetrics`, a process of its own, so that it shares no GIL
with anybody; prints a JSON list of [seconds, bytes of the body].
"""

import json
import socket
import sys
import time

TYPES = {"text": "text/plain;version=0.0.4", "openmetrics": "application/openmetrics-text;version=1.0.0"}


def scraped(port: int, request: bytes, room: memoryview) -> tuple[float, int]:
    """Seconds from the connection to its end, and the length of the body."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as scrape:
        scrape.sendall(request)
        size = 0
        while got := scrape.recv_into(room[size:]):
            size += got
    took = time.perf_counter() - began
    head = bytes(room[:2000]).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 200 "), head
    return took, size - len(head) - 4


def main() -> None:
    port, count, every_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    encoding, kind = sys.argv[4:]
    request = (
        f"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {TYPES[kind]}\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
    )
    room = memoryview(bytearray(200_000_000))
    due = time.perf_counter()
    found = []
    for _ in range(count):
        time.sleep(max(due - time.perf_counter(), 0))
        found.append(scraped(port, request, room))
        due += every_s
    print(json.dumps(found))


if __name__ == "__main__":
    main()
