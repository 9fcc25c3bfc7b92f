"""Whether a command that a document shows can be typed: a judge for each program, which fails if not.

Those of ours are asked themselves whether they understand it. Of others the shape is looked at: verbs are theirs, but
units, ports and packages ours. A program without a judge fails: no command comes into the documents unlooked at.
"""

import importlib.util
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import PurePath

from maglev import options
from maglev.cli import options as cli_options
from maglev.cli import words as cli_words
from maglev.demo import options as demo_options
from maglev.emulator import program as emulator_program
from maglev.rpc._pb import maglev_pb2 as pb
from tests.docs.pages import ROOT
from tests.docs.shell import without_assignments

SAMPLES = {"N": "1", "NAME": "web1", "$name": "web1", "REGEX": "x", "FRONTEND": "www", "BACKEND": "web1", "FILE": "x"}
"""For what stands for something in a command that is explained."""

UNITS = {"maglevd", "vpp", "nginx", "prometheus", "ORIGINAL"}
"""nginx is what runs on a backend, ORIGINAL what migration.md calls the unit that it cannot know."""

PACKAGES = {
    *("vpp-maglev", "vpp-maglevd", "git", "make", "gcc", "curl", "jq", "groff", "prometheus"),
    *("dpkg-repack", "PACKAGE"),  # PACKAGE is what migration.md calls that of the original
    *(
        "python3-venv",
        "python3-dev",
        "build-essential",
        "devscripts",
        "debhelper",
        "lintian",
        "debootstrap",
        "systemd-container",
    ),
}
PORTS = {"9090", "9091"}
VERBS = {
    *("status", "start", "stop", "restart", "reload", "enable", "disable", "kill", "show", "edit", "reset-failed"),
    *("daemon-reload", "mask", "unmask", "is-active", "is-enabled", "list-units", "cat"),
}

Words = list[str]


def judge(words: Words) -> None:
    """Fails if nobody could type that."""
    variables, rest = without_assignments(words)
    for name in variables:
        assert is_known_variable(name), f"nobody reads the variable {name}"
    while rest and rest[0] == "sudo":
        rest = rest[1:]
    if rest:
        name = PurePath(rest[0]).name or rest[0]
        assert name in JUDGES, f"nobody has looked at {name!r}: give it a judge in {__name__}"
        JUDGES[name](rest[1:])


def is_known_variable(name: str) -> bool:
    return not name.startswith("MAGLEV_") or name in variables_of_ours()


@cache
def variables_of_ours() -> frozenset[str]:
    """All that anything in the repository reads from its environment."""
    found: set[str] = set()
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")):
        found |= set(re.findall(r'"(MAGLEV_[A-Z_]+)"', path.read_text()))
    for help_text in (help_of(options.read_options), cli_options.parser({}).format_help()):
        found |= set(re.findall(r"\bMAGLEV_[A-Z_]+", help_text))
    return frozenset(found)


def help_of(parse: Callable[[Words], object]) -> str:
    """What it says to --help."""
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        parse(["--help"])
    return said.getvalue()


def _maglevd(words: Words) -> None:
    if words in (["--version"], ["--help"]):
        return
    options.read_options([SAMPLES.get(word, word) for word in words], {})  # ends with SystemExit if they are wrong


def _maglevc(words: Words) -> None:
    if words in (["--version"], ["--help"], ["--complete"]):
        return
    said = cli_options.parse(words, {}).words
    if said:
        cli_words.parse([SAMPLES.get(word, word) for word in said])


def _python(words: Words) -> None:
    if words[:1] == ["-I"]:
        words = words[1:]
    match words:
        case ["-m", "venv", where]:
            assert where.startswith(("/opt/maglev", ".venv"))
        case ["-m", "maglev.emulator", first, *others]:
            rest = [first, *others]
            emulator_program._parse(rest)
        case ["-m", "maglev.demo", *rest]:
            demo_options.read_options(rest)
        case [script, *_] if script.endswith(".py"):
            assert any((ROOT / "contrib").rglob(script)), f"there is no {script}"
        case ["-m", module, *_]:
            assert importlib.util.find_spec(module), f"there is no module {module}"
        case _:
            raise AssertionError(f"python {words}")


def _make(words: Words) -> None:
    makefile = (ROOT / "Makefile").read_text()
    if words[:1] == ["-C"]:
        words = words[2:]
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            assert f"$({name})" in makefile, f"the Makefile has no variable {name}"
            if name == "DEMO":
                demo_options.read_options(value.split())
        else:
            assert re.search(rf"^{re.escape(name)}:", makefile, re.MULTILINE), f"the Makefile has no verb {name}"


def _pytest(words: Words) -> None:
    for word in words:
        if not word.startswith("-") and "=" not in word:
            assert (ROOT / word.partition("::")[0]).exists(), word


def _systemctl(words: Words) -> None:
    verb, *rest = words
    assert verb in VERBS, verb
    if verb == "list-units":
        assert rest == ["*maglev*"], rest
        return
    if verb == "kill":
        assert rest[:1] == ["-s"]
        assert rest[1] in {"KILL", "HUP", "STOP", "CONT", "TERM", "ABRT"}, rest
        rest = rest[2:]
    units = [word for word in rest if word not in ("--now", "-p", "Status", "StatusText")]
    assert units or rest == [], words  # a verb alone is what one talks about
    assert {unit.removesuffix(".service") for unit in units} <= UNITS, units


def _journalctl(words: Words) -> None:
    text = " ".join(words)
    assert re.fullmatch(
        r"-u (maglevd|vpp)((?: -p (warning|err|info))| -o (cat|json|json-pretty)| -n \d+| -f| -e"
        r"| -S (-\d+[smhd]|today|yesterday)| -b)*",
        text,
    ), text


def _curl(words: Words) -> None:
    for word in words:
        assert word == "-s" or re.fullmatch(r"(?:http://)?(?:localhost|127\.0\.0\.1):9091/metrics", word), word


def _kill(words: Words) -> None:
    assert words[0] in ("-HUP", "-TERM", "-KILL", "-9") or words == ["-HUP"], words
    assert words[1:] in ([], ["SUBSTITUTED"], ["PID"]), words


def _pidof(words: Words) -> None:
    assert words == ["-x", "maglevd"], words


def _apt(words: Words) -> None:
    verb, *rest = (word for word in words if not word.startswith("-"))
    assert verb in {"install", "update", "remove", "purge", "list", "download"}, verb
    names = {re.sub(r"[=_].*$", "", PurePath(word).name) for word in rest}  # a file is of the package it begins with
    assert names <= PACKAGES, f"apt {verb}: {names - PACKAGES}"


def _adduser(words: Words) -> None:
    assert words[-1] in {"maglevd", "vpp", "systemd-journal"}, words


def _runuser(words: Words) -> None:
    assert words[:3] == ["-u", "maglevd", "--"], words
    judge(words[3:])


def _jq(words: Words) -> None:
    """jq itself says whether it is a program: it ends with 3 if not."""
    (program,) = [word for word in words if not re.fullmatch(r"-[a-zA-Z]+", word)]
    if shutil.which("jq") is not None:
        ran = subprocess.run(["jq", "-R", program], input="", capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0, ran.stderr


def _promtool(words: Words) -> None:
    verb, what, *files = words
    assert (verb, what) in {("check", "rules"), ("test", "rules"), ("check", "metrics"), ("check", "config")}
    for file in files:
        assert any(ROOT.glob(file)) or any(ROOT.glob(f"contrib/prometheus/{file}")), file


def _grpcurl(words: Words) -> None:
    service = pb.DESCRIPTOR.services_by_name["Maglev"].methods_by_name
    if "list" in words:
        assert words[-1] in {"list", "maglev.Maglev"}
    else:
        package, _, rpc = words[-1].partition("/")
        assert package in {"maglev.Maglev", "grpc.health.v1.Health"}
        assert package != "maglev.Maglev" or rpc in service, rpc


def _vppctl(words: Words) -> None:
    text = " ".join(words)
    assert re.fullmatch(
        r"show (runtime|lb|lb vips verbose|version)|lb as \S+ protocol (tcp|udp) port \d+ \S+( del)?( flush)?", text
    ), text


def _pip(words: Words) -> None:
    verb, what = words
    assert verb == "install"
    assert what == "." or re.fullmatch(r"\./(dist/)?maglev-\*\.whl", what), what


def _install(words: Words) -> None:
    """The program of Debian's coreutils, or our .ci/install."""
    assert words[0] == "-m" or (ROOT / ".ci/install").exists()


def _git(words: Words) -> None:
    assert words[0] == "clone", words


def _only(*shapes: str) -> Callable[[Words], None]:
    """A judge of a program of which these are all that is shown; each is a regular expression."""

    def of(words: Words) -> None:
        text = " ".join(words)
        assert any(re.fullmatch(shape, text) for shape in shapes), f"not one of {shapes}: {text}"

    return of


def _anything(_: Words) -> None:
    """Of those who read and write files of the reader's own."""


JUDGES: dict[str, Callable[[Words], None]] = {
    "maglevd": _maglevd,
    "maglevc": _maglevc,
    "python": _python,
    "python3": _python,
    "make": _make,
    "pytest": _pytest,
    "systemctl": _systemctl,
    "journalctl": _journalctl,
    "curl": _curl,
    "kill": _kill,
    "pidof": _pidof,
    "apt": _apt,
    "adduser": _adduser,
    "systemd-run": lambda words: judge([word for word in words if not re.match("--(unit|property)=", word)]),
    "groupadd": _only("--system vpp"),
    "rm": _only("/etc/vpp-maglev/maglev.yaml"),
    "runuser": _runuser,
    "chmod": _only(r"\d{3}", r"\d{3} /etc/vpp-maglev(/maglev.yaml)?"),
    "chown": _only("root:maglevd( /etc/vpp-maglev/maglev.yaml)?"),
    "dpkg": _only("-S /usr/sbin/maglevd /usr/bin/maglevc", "-S"),
    "dpkg-repack": _only("PACKAGE"),
    "jq": _jq,
    "promtool": _promtool,
    "grpcurl": _grpcurl,
    "vppctl": _vppctl,
    "pip": _pip,
    "install": _install,
    "git": _git,
    "coredumpctl": _only("list vpp"),
    "eval": _only("SUBSTITUTED"),
    "export": lambda words: judge(words),
    "openssl": _only(r"req .*", r"x509 .*"),
    "ss": _only("--kill.*"),
    "ip": _only("netns", r"netns \w+ \w+"),
    **dict.fromkeys((".", "awk", "cat", "cd", "cp", "echo", "grep", "head", "ln", "ls", "mkdir", "mv"), _anything),
    **dict.fromkeys(("printf", "read", "sort", "tail", "tee", "uniq", "wc"), _anything),
}
