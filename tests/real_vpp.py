"""A real VPP for the tests marked `vpp`: whether there is one, and how it is started; must not know what is tested."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import DEADLINE_S, Program, until

BINARY, PLUGINS = "MAGLEV_VPP", "MAGLEV_VPP_PLUGINS"
API, STATS = "MAGLEV_TEST_VPP_API", "MAGLEV_TEST_VPP_STATS"


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where a VPP is spoken to."""

    api: str
    stats: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A VPP to start. `plugins` is the directory of its plugins, if they are not where it looks by itself."""

    path: str
    plugins: str | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why there is no real VPP."""

    reason: str


def find(environ: Mapping[str, str]) -> Sockets | Binary | Nothing:
    """The one place that knows: a VPP that runs goes before one to be started. ValueError if what is named is not."""
    api, stats = environ.get(API, ""), environ.get(STATS, "")
    if bool(api) != bool(stats):
        raise ValueError(f"{API} and {STATS} name the sockets of one running VPP: give both or none")
    if api:
        if missing := [name for name in (API, STATS) if not Path(environ[name]).is_socket()]:
            raise ValueError(f"{missing[0]}={environ[missing[0]]}: there is no such socket")
        return Sockets(api, stats)
    named = environ.get(BINARY, "")
    path = shutil.which(named or "vpp", path=environ.get("PATH", ""))
    if path is None:
        if named:
            raise ValueError(f"{BINARY}={named}: there is no such program")
        return Nothing(f"no real VPP: {BINARY} names none and there is no vpp on PATH")
    plugins = environ.get(PLUGINS) or None
    if plugins and not Path(plugins, "lb_plugin.so").exists():
        raise ValueError(f"{PLUGINS}={plugins}: there is no lb_plugin.so")
    return Binary(str(Path(path).resolve()), plugins)


@contextmanager
def started(binary: Binary, folder: Path) -> Iterator[Sockets]:
    """One of our own, everything of it in `folder`, whose sockets answer; it ends with the tests, however these end."""
    sockets = Sockets(str(folder / "api.sock"), str(folder / "stats.sock"))
    conf, prefix = folder / "startup.conf", f"maglev-test-{os.getpid()}-{folder.name}"
    conf.write_text(_startup(sockets, folder, prefix, binary.plugins))
    vpp = Program([binary.path, "-c", str(conf)], folder / "log")
    try:
        until(lambda: _hands_out_its_segment(sockets.stats), lambda: f"VPP's sockets; it said:\n{vpp.output}", vpp)
        yield sockets
    finally:
        vpp.stop()
        for left in Path("/dev/shm").glob(f"{prefix}-*"):  # by a VPP that had no time to tidy up
            left.unlink()


def _hands_out_its_segment(path: str) -> bool:
    """VPP answers this socket out of its main loop, and so only once everything else is up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(DEADLINE_S)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        _, descriptors, _, _ = socket.recv_fds(client, 1, 1)
    for descriptor in descriptors:
        os.close(descriptor)
    return bool(descriptors)


def _startup(sockets: Sockets, folder: Path, prefix: str, plugins: str | None) -> str:
    """One worker, so that barriers are real and counters have a vector per thread; 4k pages, as every machine has."""
    return f"""
unix {{
  nodaemon
  nosyslog
  runtime-dir {folder}
  cli-listen {folder}/cli.sock
}}
api-segment {{ prefix {prefix} }}
socksvr {{ socket-name {sockets.api} }}
statseg {{ socket-name {sockets.stats} size 64M page-size 4k }}
memory {{ main-heap-size 512M main-heap-page-size 4k }}
buffers {{ buffers-per-numa 8192 page-size 4k }}
cpu {{ workers 1 }}
plugins {{
  {f"path {plugins}" if plugins else ""}
  plugin default {{ disable }}
  plugin lb_plugin.so {{ enable }}
  plugin ping_plugin.so {{ enable }}
  plugin af_packet_plugin.so {{ enable }}
}}
"""
