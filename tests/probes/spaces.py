"""Network namespaces that a test makes for itself, with an `lo` of their own."""

import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from maglev.probes import netns

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, which needs root")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@contextmanager
def namespace(name: str = "") -> Iterator[str]:
    """A namespace whose `lo` is up; its name."""
    name = name or f"maglev-test-{secrets.token_hex(4)}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name)


def run_inside(name: str, work: Callable[[], None]) -> None:
    """`work` on a thread of its own that lives in the namespace, so that nobody else is moved."""
    failures: list[BaseException] = []

    def main() -> None:
        try:
            netns._enter(os.open(netns.FOLDER / name, os.O_RDONLY))
            work()
        except BaseException as error:  # noqa: BLE001 - to be raised where the test sees it
            failures.append(error)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join(30)
    if failures:
        raise failures[0]
