"""docs/healthchecks.md cannot go stale: its example loads, its numbers are those of the code, its walk is walked."""

import re
from pathlib import Path

from maglev.alarms import BURST, GRAIN_S
from maglev.config.parse import parse
from maglev.control.lag import BEAT_S
from maglev.control.watching import MAX_PROBES_AT_ONCE, MAX_REPEATS
from maglev.core.health import State, step, unknown
from maglev.core.model import Policy
from maglev.core.pacing import (
    FIRST_PROBE_WITHIN_S,
    INCONCLUSIVE_AT_LEAST_S,
    JITTER,
    REMIND_AFTER_S,
    TELL_AGAIN_AFTER_S,
    TOLERATED_AT_MOST_S,
    TOLERATED_SHARE,
)
from maglev.core.uplink import AT_LEAST
from maglev.probes.http import MAX_BODY, MAX_HEAD, MAX_INTERIM
from maglev.probes.verdict import Code
from tests.core.worst import noticed_within_s
from tests.probes.zoo import ANIMALS

TEXT = (Path(__file__).parents[2] / "docs" / "healthchecks.md").read_text()
WORDS = " ".join(TEXT.split())
CHECK = """
maglev:
  vpp: {{lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe"}}}}
  healthchecks: {{web: {{type: http, port: 80{keys}}}}}
"""


def test_the_example_is_valid_and_has_every_type() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = parse(example)

    assert set(config.healthchecks) == {"alive", "imaps", "shop"}
    assert config.netns == "management"


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"on {len(ANIMALS)} misbehaving servers" in WORDS
    assert f"| head of an answer | {MAX_HEAD} bytes |" in TEXT
    assert f"| answers 1xx before the real one | {MAX_INTERIM} |" in TEXT
    assert f"searches | the first {MAX_BODY} bytes |" in TEXT
    assert f"| probes under way at once | {MAX_PROBES_AT_ONCE}, and" in TEXT
    assert f"`fast-interval`, at least {INCONCLUSIVE_AT_LEAST_S:g} s" in TEXT
    assert f"moved by up to {JITTER:.0%}".replace("%", " %") in WORDS
    assert f"`fast-interval` or the first {FIRST_PROBE_WITHIN_S:g} s" in WORDS
    assert f"a timeout ends up to {1000 * GRAIN_S:g} ms late" in WORDS
    assert f"measured** {1 / BEAT_S:g} times a second" in WORDS
    assert TOLERATED_SHARE == 0.25
    assert f"a quarter of the timeout, {1000 * TOLERATED_AT_MOST_S:g} ms at most" in WORDS
    assert f"After {MAX_REPEATS} repeats in a row the next failure counts" in WORDS
    assert f"begun {BURST} at a time" in WORDS
    assert AT_LEAST == 3
    assert f"every {REMIND_AFTER_S / 60:g} minutes while it lasts" in WORDS
    assert TELL_AGAIN_AFTER_S == 60


def test_every_code_and_every_state_is_told() -> None:
    for code in Code:
        assert code.value in TEXT
    for state in State:
        assert f"| {state.word} |" in TEXT


def test_the_walk_is_what_the_rules_make_of_it() -> None:
    (block,) = re.findall(r"```\nprobe(.*?)```", TEXT, re.DOTALL)
    probes, counters, states = (line.split() for line in block.replace("counter", "").replace("state", "").splitlines())
    policy = Policy(rise=2, fall=3)
    health = unknown(policy)
    walked = [(str(health.counter), "unk")]
    for probe in probes[1:]:
        health = step(health, probe == "pass", policy)
        walked.append((str(health.counter), health.state.word))

    assert walked == list(zip(counters, states, strict=True))


def test_a_change_is_seen_as_soon_as_it_says() -> None:
    def seen(keys: str) -> list[str]:
        check = parse(CHECK.format(keys=keys)).healthchecks["web"]
        policy, timing = check.policy, check.timing
        refuses = noticed_within_s(policy, timing, passes=False, takes_s=0)
        hangs = noticed_within_s(policy, timing, passes=False, takes_s=timing.timeout_s)
        back = noticed_within_s(policy, timing, passes=True, takes_s=0, took_s=timing.timeout_s)
        return [f"{seconds:.1f} s" for seconds in (refuses, hangs, back)]

    table = re.findall(r"^\| (?:dies|comes back).* \| ([\d.]+ s) \| ([\d.]+ s) \|$", TEXT, re.MULTILINE)
    (quick,) = re.findall(r"by default \| with `(.*)` \|$", TEXT, re.MULTILINE)

    assert [usual for usual, _ in table] == seen("")
    assert [fast for _, fast in table] == seen(f", {quick.replace('`', '')}")
