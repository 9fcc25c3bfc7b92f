from pathlib import Path

from maglev.config.parse import load
from maglev.core.model import ANY, Encap, HttpSpec, IcmpSpec, TcpSpec

EXAMPLE = Path(__file__).parents[2] / "contrib" / "maglev.yaml"


def test_the_example_is_valid_and_shows_what_there_is() -> None:
    config = load(EXAMPLE)

    assert {name: (frontend.encap, len(frontend.pools)) for name, frontend in config.frontends.items()} == {
        "www": (Encap.GRE4, 2),
        "www-v6": (Encap.GRE6, 2),
        "imaps": (Encap.GRE4, 1),
        "anycast": (Encap.GRE4, 1),
    }
    assert config.frontends["anycast"].vip.protocol == ANY
    assert {type(check.spec) for check in config.healthchecks.values()} == {HttpSpec, TcpSpec, IcmpSpec}
    assert any(backend.check is None for backend in config.backends.values())


def test_the_defaults_that_the_example_states_are_the_defaults() -> None:
    config = load(EXAMPLE)

    assert config.transition_history == 5
    assert (config.lb.sync_interval_s, config.lb.stats_interval_s) == (30, 5)
    assert (config.lb.startup_min_delay_s, config.lb.startup_max_delay_s) == (5, 30)
