"""A restart of maglevd is no event: flows, VPP's table and its counters do not notice."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import maglev
from maglev.cli.client import Client
from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.farm import NEW, WEIGHTS
from tests.daemon.town import Town, founded, no_flow_moved, town
from tests.processes import running, until

WWW, API, SIX = "192.0.2.1/32 6 80", "192.0.2.2/32 6 443", "2001:db8::1/128 17 53"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One for all restarts that change nothing."""
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_flow_moves_and_nothing_is_written(busy: Town, number: signal.Signals) -> None:
    before, counted = busy.picture(), busy.counters()
    busy.end(number)
    busy.router.until_all_flowed()
    busy.start()
    busy.until_all_known()
    busy.nothing_was_written()
    busy.all_is_as(before)
    busy.counters_went_on(counted)


def test_nor_is_anything_at_the_end_of_the_warmup(busy: Town) -> None:
    before = busy.picture()
    busy.until_warm()
    busy.nothing_was_written()
    busy.all_is_as(before)


def test_until_all_backends_of_it_are_known_a_frontend_is_left_alone_and_nothing_is_claimed(busy: Town) -> None:
    before = busy.picture()
    busy.end(signal.SIGKILL)
    busy.router.by_hand(WWW, "127.0.0.12", 31)
    busy.router.by_hand(SIX, "127.0.0.13", 8)
    with busy.farm.late():
        busy.start()
        until(lambda: busy.weights()[WWW] == WEIGHTS[WWW], lambda: f"www to be written:\n{busy.log}", busy.maglevd)
        until(lambda: busy.site.states().get("dead2") == "down", lambda: "all others to be known", busy.maglevd)
        busy.router.until_all_flowed()
        assert busy.site.states()["late"] == "unknown"
        assert {write.vip for write in busy.router.writes} == {WWW}
        assert busy.weights()[SIX]["127.0.0.13"] == 8
        page = busy.samples()
        assert page['maglev_frontend_state{frontend="six",state="up"}'] == 1  # it is, whatever becomes of `late`
        assert page['maglev_frontend_state{frontend="api",state="up"}'] == 1
        assert 'maglev_frontend_active_pool_rank{frontend="api",pool="spare"}' not in page
        assert busy.site.call("GetVPPLBPlan", pb.GetVPPLBPlanRequest(), pb.VPPLBPlan).unknown_vips == 2
    busy.until_written()
    busy.until_all_known()
    assert [write.vip for write in busy.router.writes] == [WWW, SIX]
    assert busy.site.synced().operations == 0
    busy.only_starts_are_told()
    busy.all_is_as(before)


def test_before_the_first_delay_vpps_table_is_not_even_read_and_nothing_of_it_is_told(busy: Town) -> None:
    before = busy.picture()
    busy.end(signal.SIGKILL)
    busy.router.by_hand(WWW, "127.0.0.12", 31)
    busy.site.configure(early="1h", warmup="1h")
    busy.start()
    busy.until_all_known()
    until(lambda: busy.site.metric("maglev_vpp_connected"), lambda: "VPP to be connected", busy.maglevd)
    busy.router.until_all_flowed()
    told = [name for name in busy.samples() if name.startswith(("maglev_vpp_vip_", "maglev_vpp_backend_"))]
    assert (told, busy.router.writes) == ([], [])

    busy.end(signal.SIGTERM)
    busy.site.configure()
    busy.start()
    busy.until_written()
    busy.all_is_as(before)


def test_an_upgrade_under_it_changes_nothing_but_the_version(busy: Town, tmp_path: Path) -> None:
    """As dpkg does it: the files go, others come, while the old one still runs. What it shows is that it needs none."""
    place = tmp_path / "lib"
    _install(place, "98.0")
    before = busy.picture()
    busy.end(signal.SIGTERM)
    busy.start(place)
    busy.until_all_known()
    assert busy.version() == "98.0"

    shutil.rmtree(place)
    assert busy.site.metric("maglev_vpp_connected") == 1
    assert busy.version() == "98.0"
    busy.nothing_was_written()
    _install(place, "99.0")
    assert busy.version() == "98.0"
    busy.end(signal.SIGTERM)
    busy.start(place)
    busy.until_all_known()
    assert busy.version() == "99.0"
    busy.nothing_was_written()
    busy.all_is_as(before)


def _install(place: Path, version: str) -> None:
    """The package with its compiled parts, as another version."""
    shutil.copytree(Path(maglev.__file__).parent, place / "maglev")
    told = place / f"maglev-{version}.dist-info" / "METADATA"
    told.parent.mkdir()
    told.write_text(f"Metadata-Version: 2.1\nName: maglev\nVersion: {version}\n")


def test_who_asks_and_who_watches_is_served_by_the_next_one(busy: Town) -> None:
    words = ["--server", busy.site.grpc, "watch", "events", "frontend"]
    with (
        running("maglev.cli.main", words, busy.site.directory / "watch.log") as watcher,
        Client(busy.site.grpc) as client,
        grpc.insecure_channel(busy.site.grpc) as plain,
    ):
        assert client.version()
        watcher.until_says('"six"')
        busy.end(signal.SIGTERM)
        assert watcher.wait() == 3
        assert watcher.output.endswith("maglevd stops; watch again\n"), watcher.output
        busy.start()
        assert client.version()
        rpc: grpc.UnaryUnaryMultiCallable[pb.GetVersionRequest, pb.VersionInfo] = plain.unary_unary(
            "/maglev.Maglev/GetVersion",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.VersionInfo.FromString,
        )
        assert rpc(pb.GetVersionRequest(), wait_for_ready=True, timeout=30).version
        busy.until_all_known()
        with client.watch(pb.WatchRequest(log=False)) as events:
            told = [next(events) for _ in range(len(busy.site.states()) + len(WEIGHTS))]
    states = {each.backend.backend: each.backend.to for each in told if each.WhichOneof("event") == "backend"}
    assert states == busy.site.states()
    busy.only_starts_are_told()
    assert busy.router.writes == []


@pytest.fixture
def calm(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("fault", "times"), [("stall:write:2", 1), ("mute:write:2+", 3)])
def test_killed_in_the_middle_of_a_change_the_next_one_ends_it(calm: Town, fault: str, times: int) -> None:
    """Stalled: from the second write on nothing was done; mute: all was, and nothing of it known."""
    before = calm.picture()
    calm.site.configure(more=", late: {weight: 60}", new=NEW)
    calm.router.order(fault)
    calm.maglevd_takes_its_file()
    until(lambda: calm.router.struck == times, lambda: f"the fault to strike:\n{calm.log}", calm.maglevd)
    half = calm.weights()
    calm.end(signal.SIGKILL)
    calm.router.order()
    calm.router.until_all_flowed()
    calm.start()
    wish = {
        **WEIGHTS,
        WWW: {**WEIGHTS[WWW], "127.0.0.13": 60},
        "192.0.2.3/32 6 25": {"127.0.0.11": 100, "127.0.0.12": 100},
    }
    calm.until_written(wish)
    assert calm.site.synced().operations == 0
    calm.router.until_all_flowed()

    assert (half == wish) is fault.startswith("mute")
    untouched = {vip: share for vip, share in before.table.items() if vip != WWW}
    assert {vip: share for vip, share in calm.router.table().items() if vip in untouched} == untouched
    assert {write.vip for write in calm.router.writes}.isdisjoint(untouched)
    assert calm.router.table()[WWW].index == before.table[WWW].index
    assert calm.router.where() == before.where  # also those of www, to whom another backend has come
    no_flow_moved(calm.router)


def test_one_that_is_never_known_is_left_alone_until_the_end_of_the_warmup_and_then_gets_no_new_flow(
    calm: Town,
) -> None:
    before = calm.picture()
    calm.end(signal.SIGTERM)
    calm.site.configure(also=", probe-ipv4-src: 192.0.2.251")  # which this machine does not have: nothing can be asked
    calm.start()
    calm.maglevd_says("probe-inconclusive")
    calm.router.until_all_flowed()
    assert calm.router.writes == []
    assert calm.picture() == before
    calm.maglevd_says("WARNING warmup-over unknown=1 such_as=late ")
    wish = {
        **WEIGHTS,
        API: {**WEIGHTS[API], "127.0.0.13": 0},
        SIX: {**WEIGHTS[SIX], "127.0.0.13": 0},
    }
    calm.until_written(wish)
    calm.router.until_all_flowed()

    assert {(write.vip, write.what) for write in calm.router.writes} == {
        (vip, "as_set_weight 127.0.0.13 weight=0 is_flush=0") for vip in (API, SIX)
    }
    assert calm.router.where() == before.where  # no flow that exists moves: it is not known to be dead either
    no_flow_moved(calm.router)


def test_what_an_operator_said_ends_with_a_restart_and_moves_no_flow_either(busy: Town) -> None:
    """A pause and a weight last until a restart, as docs/user-guide.md says. That alone is written."""
    before = busy.picture()
    busy.site.call("PauseBackend", pb.BackendRequest(name="web1"), pb.BackendInfo)
    said = pb.SetWeightRequest(frontend="six", pool="main", backend="web2", weight=9)
    busy.site.call("SetFrontendPoolBackendWeight", said, pb.FrontendInfo)
    until(lambda: busy.weights()[SIX]["127.0.0.12"] == 9, lambda: "the order to be carried out", busy.maglevd)
    until(lambda: busy.weights()[WWW]["127.0.0.11"] == 0, lambda: "the order to be carried out", busy.maglevd)
    busy.end(signal.SIGTERM)
    busy.start()
    busy.until_written()
    assert busy.site.synced().operations == 0
    assert {write.what for write in busy.router.writes} == {
        "as_set_weight 127.0.0.11 weight=100 is_flush=0",
        "as_set_weight 127.0.0.12 weight=100 is_flush=0",
    }
    busy.router.until_all_flowed()
    assert busy.picture() == before


def test_a_vpp_that_restarts_meanwhile_gets_each_vip_at_once_and_with_the_same_buckets(tmp_path: Path) -> None:
    with founded(tmp_path) as made:
        with made.router.running():
            made.start()
            made.until_written()
            before = made.router.table()
            made.end(signal.SIGKILL)
            made.site.configure(warmup="30s", patience="20s")
            made.farm.answers.clear()
            made.start()
            made.maglevd_says(" vpp-connect ")
        made.maglevd_says(" vpp-disconnect ")
        with made.router.running():
            until(lambda: len(made.weights()) == 2, lambda: f"what is known:\n{made.log}", made.maglevd)
            assert made.weights().keys().isdisjoint({API, SIX})  # of these one backend is not
            made.farm.answers.set()
            made.until_written()
            assert made.site.synced().operations == 0
            after = made.router.table()
            made.only_starts_are_told()
            with made.router.flowing():
                made.router.until_all_flowed()
                no_flow_moved(made.router)

    assert {vip: share.owners for vip, share in after.items()} == {vip: share.owners for vip, share in before.items()}
    conf, *written = [write.what.split()[0] for write in made.router.writes]
    assert (conf, set(written)) == ("lb_conf", {"add_del_vip_v2", "add_del_as_v2"})  # nobody got another weight later
    assert len(written) == sum(1 + len(weights) for weights in WEIGHTS.values())
