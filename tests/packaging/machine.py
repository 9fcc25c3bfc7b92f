"""A Debian machine of its own, with real systemd: made by debootstrap, booted in a container, seen from outside.

It has no network but its own loopback: what apt installs there was fetched before. Needs root and a few of Debian's
packages, on a kernel that lets us make namespaces.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.processes import TIED, Program, until

SUITE = "bookworm"
INTERPRETER = "python3.11"  # of that suite
TOOLS = ("apt-get", "debootstrap", "systemd-nspawn", "nsenter", "dpkg-buildpackage", "dh")
PACKAGES = "debootstrap systemd-container build-essential debhelper"

_INCLUDED = "systemd,systemd-sysv,dbus,iproute2"  # what is left out, apt has to find: Python too
_STEP_S = 300.0
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
_OF_NETWORK = re.compile(
    r"Acquire::(?:https?::(?:.+::)?(?:Proxy|CaInfo|Verify-Peer|Verify-Host|SslCert|SslKey)"
    r"|Check-Date|Check-Valid-Until) \"(.+)\";",
    re.IGNORECASE,
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CONTROL_GROUPS = [Path("/sys/fs/cgroup", name) for name in ("", "systemd", "unified")]
_IN_GROUPS = 'while [ "$1" != -- ]; do mkdir "$1" && echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
"""Two machines in one control group could not tell whose the processes of a service are."""

T = TypeVar("T")


def why_not() -> str:
    """What this machine lacks for it, or nothing."""
    if os.geteuid() != 0:
        return "only root may boot a machine"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"no {', '.join(missing)}: apt install {PACKAGES}"
    if mirror_in(_targets()) is None:
        return f"the sources of apt here do not name {SUITE}, which packages are tested in"
    if (here := Path("/usr/bin/python3").resolve().name) != INTERPRETER:
        return f"/usr/bin/python3 is {here}: packages built here are not for {SUITE}, which has {INTERPRETER}"
    may = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False)
    return "" if may.returncode == 0 else f"no namespaces for us: {may.stderr.decode().strip()}"


class Root:
    """The files of a machine that is not booted, as of a chroot."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it there; its stderr goes with its stdout, in order."""
        return _run(["chroot", str(self.path), *command], check=check)

    def file(self, name: str) -> Path:
        """A file of the machine, which is the same for those inside and outside."""
        return self.path / name.lstrip("/")

    def has(self, name: str) -> bool:
        return os.path.lexists(self.file(name))

    def write(self, name: str, text: str) -> None:
        self.file(name).parent.mkdir(parents=True, exist_ok=True)
        self.file(name).write_text(text)

    def copied_to(self, path: Path) -> "Root":
        _run(["cp", "-a", "--reflink=auto", str(self.path), str(path)])
        return Root(path)


class Machine(Root):
    """Booted: commands run beside its services, under its systemd."""

    def __init__(self, nspawn: Program, leader: int) -> None:
        super().__init__(Path(f"/proc/{leader}/root"))  # with what is mounted there, as /run and /tmp are
        self._nspawn = nspawn
        self._enter = ["nsenter", "-t", str(leader), "-m", "-p", "-u", "-i", "-n", "--"]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return _run([*self._enter, *command], check=check)

    def says(self, *command: str) -> str:
        """What a command there prints; that it fails is part of the answer, not an error."""
        return self.run(*command, check=False).stdout.strip()

    def is_up(self) -> bool:
        return self.says("systemctl", "is-system-running") in ("running", "degraded")

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `systemctl`; fails with what the journal has of maglevd."""
        done = self.run("systemctl", *words, check=False)
        if done.returncode != 0:
            raise AssertionError(f"systemctl {' '.join(words)} failed:\n{done.stdout}\n{self.journal('maglevd')}")
        return done

    def shows(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.says("systemctl", "show", "--value", "--property", name, unit)

    def main_pid(self, unit: str = "maglevd") -> int:
        """Inside of the machine; 0 if it does not run."""
        return int(self.shows(unit, "MainPID") or 0)

    def journal(self, unit: str) -> str:
        return self.says("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def starts(self, unit: str, *command: str, properties: Sequence[str] = ()) -> None:
        """Start a service of the test's own, until the machine goes down."""
        wanted = [f"--property={each}" for each in properties]
        self.run("systemd-run", "--quiet", f"--unit={unit}", *wanted, *command)

    def until(self, is_so: Callable[[], T], what: str) -> T:
        """Look again and again until it is so; fails with maglevd's journal after the bound of tests.processes."""
        return until(is_so, lambda: f"{what}; maglevd's journal:\n{self.journal('maglevd')}", self._nspawn)


def base(path: Path) -> Root:
    """A small Debian there, made at the first call and left for the next ones; never booted, but copied."""
    stamp, root = path.with_suffix(".made"), Root(path)
    if not stamp.exists():
        mirror = mirror_in(_targets())
        assert mirror is not None, "why_not() is asked before"
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        _run(["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", SUITE, str(path), mirror])
        _lend_network(root)
        root.run("apt-get", "-qq", "update")
        stamp.touch()
    _lend_network(root)
    return root


def _lend_network(root: Root) -> None:
    """Its apt gets at the network as the one here does: resolver, proxies, and whom it trusts."""
    settings, files = of_network(_run(["apt-config", "dump"]).stdout)
    root.write("/etc/apt/apt.conf.d/00network", settings)
    for name in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", *files):
        if Path(name).is_file():
            root.file(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, root.file(name))


def of_network(dump: str) -> tuple[str, list[str]]:
    """Of what `apt-config dump` prints: the settings by which it gets at the network, and the files these name."""
    found = [match for match in map(_OF_NETWORK.fullmatch, dump.splitlines()) if match]
    return "".join(f"{match[0]}\n" for match in found), [match[1] for match in found if match[1].startswith("/")]


def fetch_dependencies(root: Root, packages: Sequence[Path]) -> None:
    """Have in apt's cache whatever an installation of `packages` will need."""
    names = [f"/var/cache/apt/{package.name}" for package in packages]
    for package, name in zip(packages, names, strict=True):
        shutil.copy(package, root.file(name))
    root.run("apt-get", "-qq", "--yes", "--download-only", "install", *names)
    for name in names:
        root.file(name).unlink()


@contextmanager
def booted(root: Root, log: Path) -> Iterator[Machine]:
    """The machine, up; ended by force if it does not go down when told to."""
    name = f"maglev-{os.getpid()}"
    command = [
        *("systemd-nspawn", "--quiet", "--directory", str(root.path), "--machine", name),
        *("--register=no", "--private-network", "--resolv-conf=off", "--console=pipe", "--boot"),
    ]
    groups: list[Path] = []
    if not Path("/run/systemd/system").exists():  # else the systemd here makes a control group for it
        groups = [group / name for group in CONTROL_GROUPS if (group / "cgroup.procs").exists()]
        command = ["sh", "-c", _IN_GROUPS, "sh", *map(str, groups), "--", *command, "--keep-unit"]
    nspawn = Program(command, log)
    try:
        (machine,) = until(
            lambda: [each for each in _seen(nspawn) if each.is_up()],
            lambda: f"the machine to be up:\n{nspawn.output}",
            nspawn,
        )
        yield machine
        machine.run("systemctl", "--force", "poweroff", check=False)
        nspawn.wait()
    finally:
        nspawn.popen.kill()
        nspawn.wait()
        for group in groups:
            for directory, _, _ in os.walk(group, topdown=False):
                Path(directory).rmdir()


def _seen(nspawn: Program) -> Iterator[Machine]:
    """The machine by each child of systemd-nspawn: its first process, and early on one that makes room for it."""
    pid = nspawn.popen.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield Machine(nspawn, int(child))


def _targets() -> str:
    return _run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]).stdout


def mirror_in(targets: str) -> str | None:
    """Where this machine's own apt gets that suite from, by lines of release and URI."""
    for line in targets.splitlines():
        release, _, uri = line.partition(" ")
        if release == SUITE:
            return uri
    return None


def _run(command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    proxies = {name: value for name, value in os.environ.items() if name.lower() in _PROXIES}
    environ = {**proxies, "PATH": _PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
    done = subprocess.run(
        [*TIED, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environ,
        timeout=_STEP_S,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout}")
    return done
