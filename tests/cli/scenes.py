"""What is typed in the guide's transcript, scene by scene; each leaves the stage as it found it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.api.client import Api, Client, calling
from tests.api.site import until_up, until_written
from tests.cli.stage import BASH, MAGLEVC, TABLE, WEBS, Stage, Webs, typing, webs
from tests.processes import running, until

Scenes = dict[str, list[str]]
"""By name, what is to be seen in the end."""

CTRL_U, TAB = "\x15", "\t"
_WIDE = 160
_PORT = 8080
_FAULT = "refuse=-1:lb_as_set_weight:1="  # of www, whose VIP comes first


def play(directory: Path) -> Scenes:
    """All of them, in a directory of their own."""
    with webs() as servers:
        stage = Stage(directory, servers.port)
        playing = Play(stage, servers)
        with running("maglev.emulator", [*stage.vpp_arguments, "--fault", _FAULT], directory / "refusing.log") as vpp:
            vpp.until_says(str(stage.vpp.api))
            with stage.running():
                plan = playing.plan()
        with stage.vpp.running():
            scenes = {"plan": plan, **dict(playing.scenes())}
    return {name: [_with_port(line, servers.port) for line in lines] for name, lines in scenes.items()}


class Play:
    """On a stage whose VPP runs."""

    def __init__(self, stage: Stage, servers: Webs) -> None:
        self._stage, self._webs, self._api = stage, servers, Api()

    def plan(self) -> list[str]:
        """With a VPP that does not take web2's weight in www."""
        self.until_at_work()
        with self._ill("web2") as client:
            until(lambda: _waits(client) == ["refused"], lambda: "a refusal")
            return self._commands("show vpp lb plan", "show frontends")

    def scenes(self) -> Iterator[tuple[str, list[str]]]:
        """All but that, with a VPP that does as it is told."""
        stage = self._stage
        with ExitStack() as life:
            life.enter_context(stage.running())
            self.until_at_work()
            yield "first-look", self._first_look()
            yield (
                "words",
                self._commands(
                    "sh fr",
                    "show frontend www | match since",
                    "show v",
                    "show fronds",
                    "set backend web1 puase",
                    "show backends web9",
                ),
            )
            yield "frontends", self._commands("show frontends www")
            yield "healthchecks", self._commands("show healthchecks", "show healthchecks http-check")
            yield "vpp", self._commands("show vpp info", "show vpp lb state")
            yield "counters", self._commands("show vpp lb counters", "show vpp lb counters rate | match ^web")
            yield "one-shot", self._one_shot()
            yield "events", self._events()
            yield "trouble", self._trouble()
            yield "drain", self._drain()
            yield "config", self._config()
            with typing(stage) as typist:
                typist.run("maglevc", MAGLEVC)
                typist.run("show frontends | match www")
                life.pop_all().close()
                typist.run("show frontends | match www")
                with stage.running():
                    self.until_at_work()
                    typist.run("show frontends | match www")
                    yield "away", typist.lines

    @contextmanager
    def _client(self) -> Iterator[Client]:
        with calling(self._api, self._stage.address) as client:
            yield client

    def _until_all_up(self, client: Client) -> None:
        for name in WEBS:
            until_up(client, name)

    def until_at_work(self) -> None:
        """All is up and written, flows have come, and the table was read since."""
        with self._client() as client:
            self._until_all_up(client)
            until_written(self._stage, TABLE)
            until(lambda: self._has_flows(client), lambda: "flows at each backend")

    def _has_flows(self, client: Client) -> bool:
        client("SyncVPPLBState")
        servers = [server for vip in client.told("GetVPPLBState")["vips"] for server in vip["application_servers"]]
        return all(server.get("flows") for server in servers if server["weight"])

    def _commands(self, *lines: str) -> list[str]:
        """Typed into a shell of maglevc."""
        with typing(self._stage) as typist:
            typist.run("maglevc", MAGLEVC)
            for line in lines:
                typist.run(line)
            return typist.lines[1:]

    def _first_look(self) -> list[str]:
        with typing(self._stage) as typist:
            typist.run("maglevc", MAGLEVC)
            typist.ask("", "?", "")
            typist.ask("show ", "?", "show ")
            typist.press(f"fr{TAB}", "show frontends ")
            typist.ask("", TAB, "show frontends ")
            typist.run("")
            typist.run("exit", BASH)
            return typist.lines

    def _one_shot(self) -> list[str]:
        with typing(self._stage) as typist:
            typist.run("maglevc show backends '| match web'")
            typist.run("maglevc show version '| json'")
            typist.run("maglevc set backend web1 disable; echo status $?")
            typist.run("printf 'show version\\nshow frobs\\nshow frontends\\n' | maglevc; echo status $?")
            return typist.lines

    def _events(self) -> list[str]:
        with typing(self._stage, _WIDE) as typist:
            typist.run("maglevc watch events num 2 backend")
            return typist.lines

    def _trouble(self) -> list[str]:
        with self._ill("web2") as client:
            client("SyncVPPLBState")
            seen = self._commands("show backends", "show backends web2", r"show frontends www | match state|web\d")
        self.until_at_work()
        return seen

    @contextmanager
    def _ill(self, name: str) -> Iterator[Client]:
        self._webs.ill(name)
        with self._client() as client:
            until(lambda: client.told("GetBackend", name=name)["state"] == "down", lambda: f"{name} to be down")
            yield client
        self._webs.ill(name, is_so=False)

    def _drain(self) -> list[str]:
        with typing(self._stage) as typist, self._client() as client:
            typist.run("maglevc", MAGLEVC)
            typist.run("set frontend www pool main backend web1 weight 0")
            typist.run("sync vpp lb state")
            typist.run("show frontends www | match pool|web1")
            typist.run("show vpp lb counters rate | match web1")
            typist.begin("set backend web1 disable", "type yes to go on: ")
            typist.run("yes")
            typist.run("set backend web1 enable")
            until_up(client, "web1")
            typist.run("set frontend www pool main backend web1 weight 100")
            return typist.lines[1:]

    def _config(self) -> list[str]:
        config = self._stage.config
        good = config.read_text()
        with typing(self._stage) as typist:
            typist.run("maglevc", MAGLEVC)
            config.write_text(good.replace("weight: 50", "weight: 500").replace("[{name: all", "[{nam: all"))
            typist.run("config check")
            typist.run("config reload")
            config.write_text(good)
            typist.run("config reload")
            return typist.lines[1:]


def _waits(client: Client) -> list[str]:
    return [operation["waits"] for operation in client.told("GetVPPLBPlan")["operations"]]


def _with_port(line: str, port: int) -> str:
    """As if it had been the port that such servers have."""
    usual = f"{_PORT:>{len(str(port))}}"
    return line.replace(f" {port} ", f" {usual} ").replace(f" {port}", f" {_PORT}")
