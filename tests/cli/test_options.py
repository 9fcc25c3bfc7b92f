import pytest

from maglev.cli import options
from maglev.cli.options import Options
from maglev.cli.tls import Tls
from maglev.cli.words import RULES


def parse(line: str, **environ: str) -> Options:
    return options.parse(line.split(), environ)


def test_without_anything_it_is_a_shell_at_the_usual_server() -> None:
    assert parse("") == Options(server="localhost:9090")


def test_a_flag_beats_its_variable() -> None:
    assert parse("", MAGLEV_SERVER="router:1").server == "router:1"
    assert parse("--server other:2", MAGLEV_SERVER="router:1").server == "other:2"
    assert parse("", MAGLEV_SERVER="").server == "localhost:9090"


@pytest.mark.parametrize(
    "line", ["--server s:1 show frontends", "show --server s:1 frontends", "show frontends --server=s:1"]
)
def test_options_may_stand_before_between_and_after_words(line: str) -> None:
    assert parse(line) == Options(words=("show", "frontends"), server="s:1")


@pytest.mark.parametrize(
    ("line", "tls"),
    [
        ("", None),
        ("--tls", Tls()),
        ("--tls-ca ca.pem", Tls(ca="ca.pem")),
        ("--tls-cert c --tls-key k --tls-server-name n", Tls(None, "c", "k", "n")),
    ],
)
def test_any_flag_of_tls_turns_it_on(line: str, tls: Tls | None) -> None:
    assert parse(line).tls == tls


def test_tls_of_the_environment_is_not_for_unix_sockets_but_that_of_flags_is_an_error_of_the_clients() -> None:
    environ = {"MAGLEV_TLS_CA": "ca", "MAGLEV_TLS_CERT": "c", "MAGLEV_TLS_KEY": "k", "MAGLEV_TLS_SERVER_NAME": "n"}

    assert parse("--server h:1", **environ).tls == Tls("ca", "c", "k", "n")
    assert parse("--server h:1 --tls-ca other", **environ).tls == Tls("other", "c", "k", "n")
    assert parse("--server unix:/x", **environ).tls is None
    assert parse("--server unix:/x --tls").tls == Tls()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--timeout 0", "'0' is no number of seconds above 0, and up to 3600"),
        ("--timeout x", "'x' is no number"),
        ("--timeout nan", "'nan' is no number"),
        ("--timeout 3601", "'3601' is no number"),
        ("--color maybe", "invalid choice: 'maybe'"),
        ("--completion fish", "invalid choice: 'fish'"),
        ("--serv x", "unrecognized arguments: --serv"),
    ],
)
def test_wrong_options_are_named_and_end_with_2(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_fits_80_columns_and_has_every_command() -> None:
    text = options.parser({}).format_help()

    assert all(len(line) <= 80 for line in text.splitlines()), [line for line in text.splitlines() if len(line) > 80]
    assert all(rule.synopsis in text and rule.help in text for rule in RULES)
